"""Write `vectors.json`: what the installed TA-Lib gives. Run by hand when its version is raised, and read the diff."""

import json
from pathlib import Path

import numpy as np
import talib

from conftest import make_bars  # run with PYTHONPATH=tests/dsl
from mysingle.dsl.ir.kinds import Phase
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.kernels.reference.table import REFERENCES

PATH = Path(__file__).with_name("vectors.json")
SIZE = 60


def numbers_of(name: str) -> list[float]:
    numbers = [arg for arg in OPS[name].args if arg.phase is not Phase.SERIES]
    return [5 + at if arg.is_window else arg.default for at, arg in enumerate(numbers)]


def series_of(name: str) -> list[str]:
    columns = iter(("close", "volume"))
    return [arg.column or next(columns) for arg in OPS[name].args if arg.phase is Phase.SERIES]


def main() -> None:
    bars, found = make_bars(SIZE), {}
    for name in sorted(REFERENCES):
        numbers = numbers_of(name)
        outputs = getattr(talib, name)(*(bars[column] for column in series_of(name)), *numbers)
        lines = outputs if isinstance(outputs, tuple) else (outputs,)
        found[name] = [
            [None if np.isnan(v) or np.isinf(v) else v for v in line.astype(float).tolist()] for line in lines
        ]
    document = {"talib": talib.__version__, "bars": SIZE, "functions": found}
    rows = [f'"{name}": {json.dumps(lines)}' for name, lines in found.items()]
    head = json.dumps({key: document[key] for key in ("talib", "bars")})[:-1]
    PATH.write_text(head + ', "functions": {\n' + ",\n".join(rows) + "\n}}\n")


if __name__ == "__main__":
    main()
