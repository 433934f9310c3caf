"""Every function of TA-Lib against its kernel: shapes of prices that break oscillators, windows that break edges."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mysingle.dsl.ir.kinds import Phase
from mysingle.dsl.ir.ops_talib import TALIB
from mysingle.dsl.ir.row import Arg, Op
from mysingle.dsl.kernels.floats import strict_floats
from mysingle.dsl.kernels.registry import kernel

SIZE = 220
WINDOWS = (1, 2, 3, 14, 50, 200, SIZE - 1, SIZE, SIZE + 1)
SHAPES = ("random", "flat", "ticks", "prefix", "zeros", "small", "billions")
INDICES = {"MAXINDEX", "MININDEX", "MINMAXINDEX"}
"""The library says 0 before the first window; we say na."""


def free(*_: Any) -> None:
    """Charge nothing."""


def inputs(row: Op, data: dict[str, np.ndarray]) -> list[np.ndarray]:
    names = [arg.column or arg.name for arg in row.args if arg.phase is Phase.SERIES]
    return [data.get(name, data[("close", "open", "high")[at % 3]]) for at, name in enumerate(names)]


def numbers(row: Op) -> Iterator[list[Any]]:
    """Give the first window each size that the row allows, and the others their defaults."""
    args = [arg for arg in row.args if arg.phase is not Phase.SERIES]
    first = next((arg for arg in args if arg.is_window and "matype" not in arg.name), None)
    for window in WINDOWS if first else (14,):
        values = [window if arg is first else arg.default for arg in args]
        if all(_fits(arg, value) for arg, value in zip(args, values, strict=True)) and row.name != "MAVP":
            yield values


def _fits(arg: Arg, value: Any) -> bool:
    return not isinstance(value, int) or ((arg.low or 0) <= value and (arg.high is None or value <= arg.high))


@pytest.mark.parametrize("shape", SHAPES)
def test_kernels_are_the_library(shape: str, bars: Callable[..., dict[str, np.ndarray]]) -> None:
    """A kernel gives what the library gives, na where the library gives infinity."""
    talib = pytest.importorskip("talib")
    data = bars(SIZE, shape)
    if shape == "billions":
        data = {name: values * 1e12 for name, values in data.items()}
    for row in TALIB:
        arrays = inputs(row, data)
        for values in numbers(row):
            with strict_floats():
                found = kernel(f"talib.{row.name}").columns(arrays, values, free)
            expected = getattr(talib, row.name)(*arrays, *values)
            for line, other in zip(_lines(found), _lines(expected), strict=True):
                known = np.where(np.isinf(other.astype(float)), np.nan, other.astype(float))
                line = np.nan_to_num(line) if row.name in INDICES else line.astype(float)
                scale = np.nanmax(np.abs(known), initial=0.0)
                np.testing.assert_allclose(line, known, rtol=1e-9, atol=1e-12 * scale, err_msg=f"{row.name} {values}")


def _lines(found: Any) -> tuple[np.ndarray, ...]:
    return found if isinstance(found, tuple) else (found,)
