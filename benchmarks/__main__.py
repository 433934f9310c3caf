"""`make bench`: measure, print a table, and write `benchmarks/results`."""

import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import startup, units, web
from benchmarks.chart import Figure, draw

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    measured = {
        name: _measure(name, work)
        for name, work in {
            "startup": startup.measure,
            "log": units.measure_log,
            "scrape": units.measure_scrape,
            "probes": web.measure_probes,
            "http": web.measure,
        }.items()
    }
    figures = [
        Figure(
            "HTTP throughput / bare FastAPI", measured["http"]["ratio_requests_per_second"], 0.85, "", at_least=True
        ),
        Figure("HTTP p99 / bare FastAPI", measured["http"]["ratio_p99_ms"], 1.3, ""),
        Figure("import mysingle, added", measured["startup"]["import_mysingle_added_ms"], 15, "ms"),
        Figure("create_fastapi_app / its libraries", measured["startup"]["ratio_create_fastapi_app"], 1.15, ""),
        Figure("mysingle --help", measured["startup"]["help_ms"], 150, "ms"),
        Figure("a log line", measured["log"]["line_us"], 30, "us"),
        Figure("a scrape of 2,000 series", measured["scrape"]["scrape_ms"], 20, "ms"),
        Figure("a probe, p99, dependency hanging", measured["probes"]["p99_ms"], 5, "ms"),
    ]
    _show(figures)
    RESULTS.mkdir(exist_ok=True)
    versions = {"python": platform.python_version(), "machine": platform.machine()}
    (RESULTS / "foundation.json").write_text(json.dumps({"versions": versions, **measured}, indent=2) + "\n")
    (RESULTS / "foundation.svg").write_text(draw(figures))
    print(f"\n  {RESULTS.relative_to(Path.cwd())}/foundation.json and .svg")
    return 0


def _measure(name: str, work: Callable[[], dict[str, float]]) -> dict[str, float]:
    print(f"  … {name}", end="\r" if sys.stdout.isatty() else "\n", flush=True)
    return {key: round(value, 4) for key, value in work().items()}


def _show(figures: list[Figure]) -> None:
    print(f"\n  {'figure':<38} {'measured':>12} {'limit':>12}")
    for figure in figures:
        sign = ">=" if figure.at_least else "<="
        mark = "" if figure.is_kept else "  over the limit"
        print(f"  {figure.name:<38} {figure.value:>8.3g} {figure.unit:<3} {sign:>5} {figure.limit:>5g}{mark}")


if __name__ == "__main__":
    sys.exit(main())
