"""The key numbers of the ten strategies: `python -m examples.strategies.figures` writes them again."""

import json
from collections.abc import Mapping
from pathlib import Path

from examples.strategies import data

from mysingle import dsl
from mysingle.dsl.engine.performance import measure

HERE = Path(__file__).parent
EXPECTED = HERE / "expected.json"
STRATEGIES = sorted(path.stem for path in HERE.glob("*.dsl"))
KEPT = ("total_return", "max_drawdown", "trades", "win_rate", "exposure")


def source_of(name: str) -> str:
    return (HERE / f"{name}.dsl").read_text(encoding="utf-8")


def figures_of(name: str) -> Mapping[str, float]:
    """Run one strategy; an indicator, which trades nothing, gives its last values."""
    bars = data.load()
    result = dsl.compile(source_of(name)).run(bars)
    account = measure(result, bars)
    if account is None:
        return {column: float(result.result[column].iloc[-1]) for column in result.result}
    return {key: account.figures[key] for key in KEPT}


def main() -> None:
    found = {name: {key: round(value, 9) for key, value in figures_of(name).items()} for name in STRATEGIES}
    EXPECTED.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"{EXPECTED} is written")


if __name__ == "__main__":
    main()
