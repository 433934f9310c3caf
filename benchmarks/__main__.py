"""`make bench`: measure, print a table for each suite, write `benchmarks/results`. Arguments choose suites."""

import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.chart import Figure, draw
from benchmarks.suites import SUITES, Suite

RESULTS = Path(__file__).parent / "results"


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        sys.exit(f"error: no suite {', '.join(unknown)}; there are {', '.join(SUITES)}")
    for name in names or SUITES:
        _run(name, SUITES[name])
    return 0


def _run(name: str, suite: Suite) -> None:
    print(f"\n{name}")
    measured = {part: _measure(part, work) for part, work in suite.parts.items()}
    figures = suite.figures(measured)
    _show(figures)
    RESULTS.mkdir(exist_ok=True)
    versions = {"python": platform.python_version(), "machine": platform.machine()}
    (RESULTS / f"{name}.json").write_text(json.dumps({"versions": versions, **measured}, indent=2) + "\n")
    (RESULTS / f"{name}.svg").write_text(draw(suite.title, figures))
    print(f"\n  benchmarks/results/{name}.json and .svg")


def _measure(name: str, work: Callable[[], dict[str, float]]) -> dict[str, float]:
    print(f"  … {name}", end="\r" if sys.stdout.isatty() else "\n", flush=True)
    return {key: round(value, 4) for key, value in work().items()}


def _show(figures: list[Figure]) -> None:
    print(f"\n  {'figure':<44} {'measured':>12} {'limit':>12}")
    for figure in figures:
        sign = ">=" if figure.at_least else "<="
        mark = "" if figure.is_kept else "  over the limit"
        print(f"  {figure.name:<44} {figure.value:>8.3g} {figure.unit:<3} {sign:>5} {figure.limit:>5g}{mark}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
