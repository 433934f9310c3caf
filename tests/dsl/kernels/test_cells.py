"""A kernel on columns and its cell bar by bar give the same bits, whatever the data looks like."""

import numpy as np
import pytest

from mysingle.dsl.ir.kinds import Phase
from mysingle.dsl.ir.ops import OPS, Flag
from mysingle.dsl.kernels.floats import free, strict_floats
from mysingle.dsl.kernels.pointwise import POINTWISE
from mysingle.dsl.kernels.registry import KERNELS, kernel

BATCH_ONLY = {"lead", "rank_all", "at"}
ROWS = [
    row
    for row in OPS.values()
    if row.kernel and row.kernel not in POINTWISE and row.name not in BATCH_ONLY and not row.has(Flag.REDUCTION)
    and (row.kernel in KERNELS or row.kernel.startswith("talib."))
]  # fmt: skip
NUMBERS = {
    "window": 7,
    "min_periods": 0,
    "alpha": 0.13,
    "adjust": True,
    "ignore_na": False,
    "ddof": 1,
    "q": 0.3,
    "limit": 2,
}
VARIANTS = {
    "rolling": ([7, 0], [7, 3], [1, 0], [2, 1]),
    "ewm": ([0.13, True, 0, False], [0.3, False, 0, True], [0.3, False, 5, False], [0.05, True, 2, True]),
    "expanding": ([0], [5]),
}
SHAPES = ["random", "flat", "ticks", "prefix", "gaps", "zeros", "small", "huge"]


def _series(row, bars):
    spare = iter((bars["close"], bars["volume"]))
    found = []
    for arg in row.args:
        if arg.phase is not Phase.SERIES or arg.variadic or (row.name == "shift" and arg.name == "fill"):
            continue
        values = bars[arg.column] if arg.column else next(spare)
        if arg.name == "periods":
            values = np.where(np.isnan(values), np.nan, 2.0 + np.arange(values.size) % 20)
        found.append(np.nan_to_num(values) > np.nanmean(values) if arg.kind == "bool" else np.ascontiguousarray(values))
    return found


def _numbers(row):
    found = [arg for arg in row.args if arg.phase is not Phase.SERIES and not arg.variadic]
    own = [NUMBERS.get(arg.name, 3) if not isinstance(arg.default, int | float) else arg.default for arg in found]
    if row.name == "shift":
        return [[3, np.nan], [0, np.nan]]
    heads = VARIANTS.get(row.name.partition("_")[0])
    return [[*head, *own[len(head) :]] for head in heads] if heads else [own]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_same_bits(row, shape, bars):
    """Every bar of every output agrees, missing values included, and no result is infinite."""
    pytest.importorskip("talib")
    inputs = _series(row, bars(300, shape))
    for numbers in _numbers(row):
        with strict_floats():
            found = kernel(row.kernel).columns(inputs, numbers, free)
        cell = kernel(row.kernel).cell(numbers)
        bar_by_bar = [cell.step(*bar) for bar in zip(*(values.tolist() for values in inputs), strict=True)]

        lines = found if isinstance(found, tuple) else (found,)
        rows = [bar if isinstance(bar, tuple) else (bar,) for bar in bar_by_bar]
        for line, other in zip(lines, zip(*rows, strict=True), strict=True):
            np.testing.assert_array_equal(line, np.array(other, dtype=line.dtype))
            assert not np.isinf(line.astype(float)).any()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_copy_is_independent(row, bars):
    """A copied cell goes its own way and leaves the original as it was."""
    pytest.importorskip("talib")
    inputs = [values.tolist() for values in _series(row, bars(150))]
    numbers = _numbers(row)[0]
    straight, stopped = kernel(row.kernel).cell(numbers), kernel(row.kernel).cell(numbers)

    for bar in zip(*inputs, strict=True):
        expected = straight.step(*bar)
        twin = stopped.copy()
        twin.step(*(value if isinstance(value, bool) else value * 2.0 for value in bar))
        found = stopped.step(*bar)
        np.testing.assert_array_equal(np.array(found), np.array(expected))
