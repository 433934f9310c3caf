"""Write `vectors.json`: what the installed TA-Lib gives. Run by hand when its version is raised, and read the diff."""

import json
from pathlib import Path

import numpy as np
import talib

from conftest import make_bars, make_candles  # run with PYTHONPATH=tests/dsl
from mysingle.dsl.ir.kinds import Phase
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.ir.ops_talib import TALIB
from mysingle.dsl.kernels.reference.table import REFERENCES

PATH = Path(__file__).with_name("vectors.json")
SIZE = 60
LONG = 600
TAIL = 12
CANDLES = 20_000
MOST = 40
OTHERS = sorted({row.name for row in TALIB} - REFERENCES.keys())


def numbers_of(name: str) -> list[float]:
    numbers = [arg for arg in OPS[name].args if arg.phase is not Phase.SERIES]
    return [5 + at if arg.is_window else arg.default for at, arg in enumerate(numbers)]


def series_of(name: str) -> list[str]:
    columns = iter(("close", "volume"))
    return [arg.column or next(columns) for arg in OPS[name].args if arg.phase is Phase.SERIES]


def known_values(name: str) -> dict[str, list]:
    """Give the last values of every output, and for a pattern the bars on which it is there."""
    bars = make_candles(CANDLES) if name.startswith("CDL") else make_bars(LONG)
    numbers = [arg.default for arg in OPS[name].args if arg.phase is not Phase.SERIES]
    outputs = getattr(talib, name)(*(bars[column] for column in series_of(name)), *numbers)
    lines = [line.astype(float) for line in (outputs if isinstance(outputs, tuple) else (outputs,))]
    if name.startswith("CDL"):
        return {"bars": [[int(at), float(lines[0][at])] for at in np.flatnonzero(lines[0])[:MOST]]}
    return {"last": [[None if np.isnan(v) or np.isinf(v) else v for v in line[-TAIL:].tolist()] for line in lines]}


def main() -> None:
    bars, found = make_bars(SIZE), {}
    for name in sorted(REFERENCES):
        numbers = numbers_of(name)
        outputs = getattr(talib, name)(*(bars[column] for column in series_of(name)), *numbers)
        lines = outputs if isinstance(outputs, tuple) else (outputs,)
        found[name] = [
            [None if np.isnan(v) or np.isinf(v) else v for v in line.astype(float).tolist()] for line in lines
        ]
    rows = [f'"{name}": {json.dumps(lines)}' for name, lines in found.items()]
    head = json.dumps({"talib": talib.__version__, "bars": SIZE, "long": LONG, "candles": CANDLES})[:-1]
    others = [f'"{name}": {json.dumps(known_values(name))}' for name in OTHERS]
    PATH.write_text(
        head + ', "functions": {\n' + ",\n".join(rows) + '\n}, "others": {\n' + ",\n".join(others) + "\n}}\n"
    )


if __name__ == "__main__":
    main()
