"""Every kernel by the name that the op table gives it."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from mysingle.dsl.kernels import cumulative, signals
from mysingle.dsl.kernels.cells import Cell, Restarting
from mysingle.dsl.kernels.floats import NA, Charge, Known
from mysingle.dsl.kernels.rolling import COMPLETE, CountCell, count_columns, extreme, rolling_cell, rolling_columns
from mysingle.dsl.kernels.talib_kernels import LibraryCall, call_talib, talib_cell

__all__ = ["KERNELS", "Kernel", "kernel"]

Columns: TypeAlias = Callable[[Sequence[Any], Sequence[Any], Charge], Any]
MakeCell: TypeAlias = Callable[[Sequence[Any]], Cell]
Informed: TypeAlias = Callable[[Sequence[Any], Sequence[Known | None], Charge], tuple[Any, Any]]


class Kernel(NamedTuple):
    """
    `columns(series, numbers, charge)` on whole columns and `cell(numbers)` bar by bar, with the same bits.

    `prepare(numbers)` gives `informed(series, known, charge)`, which need not look at values that something is known
    of and tells what is known of the result; None when the kernel has no such form for these numbers.
    """

    columns: Columns
    cell: MakeCell
    prepare: Callable[[Sequence[Any]], Informed | None] = lambda _: None


def _rolling(name: str, series: int = 1) -> Kernel:
    def columns(arrays: Sequence[Any], numbers: Sequence[Any], charge: Charge) -> Any:
        window, required = _required(numbers)
        return rolling_columns(name, arrays[:series], window, required, numbers[2:], charge)

    def cell(numbers: Sequence[Any]) -> Cell:
        window, required = _required(numbers)
        return rolling_cell(name, window, required, numbers[2:])

    def prepare(numbers: Sequence[Any]) -> Informed | None:
        window, required = _required(numbers)
        return LibraryCall(_LIBRARY[name], (window,)).columns if name in _LIBRARY and required == window > 1 else None

    return Kernel(columns, cell, prepare)


_LIBRARY: Mapping[str, str] = {"mean": "SMA", "sum": "SUM", "min": "MIN", "max": "MAX"}
"""Rolling statistics that are the library's own."""


def _required(numbers: Sequence[Any]) -> tuple[int, int]:
    window, required = int(numbers[0]), int(numbers[1])
    return window, min(required, window) or window


def _counting() -> Kernel:
    return Kernel(
        lambda arrays, numbers, _: count_columns(arrays[0], *_required(numbers)),
        lambda numbers: CountCell(*_required(numbers)),
    )


def _extreme(name: str) -> Kernel:
    complete = extreme(name)
    return Kernel(
        lambda arrays, numbers, charge: complete.columns(arrays, int(numbers[0]), (), charge),
        lambda numbers: complete.cell(int(numbers[0]), ()),
        lambda numbers: LibraryCall(name, (int(numbers[0]),)).columns if int(numbers[0]) > 1 else None,
    )


def _stdev() -> Kernel:
    complete = COMPLETE["std"]
    return Kernel(
        lambda arrays, numbers, charge: complete.columns(arrays, int(numbers[0]), (1.0,), charge),
        lambda numbers: complete.cell(int(numbers[0]), (1.0,)),
    )


def _cumulate(name: str) -> Kernel:
    return Kernel(lambda arrays, _, __: cumulative.cumulate(name, arrays[0]), lambda _: cumulative.CumulateCell(name))


def _expand(name: str) -> Kernel:
    return Kernel(
        lambda arrays, numbers, _: cumulative.expand(name, arrays[0], *numbers),
        lambda numbers: cumulative.ExpandCell(name, *numbers),
    )


def _ewm_options(numbers: Sequence[Any]) -> dict[str, Any]:
    _, adjust, required, ignore_na, *bias = numbers
    return {
        "adjust": bool(adjust),
        "required": int(required),
        "ignore_na": bool(ignore_na),
        "bias": bool(bias and bias[0]),
    }


def _ewm(name: str) -> Kernel:
    return Kernel(
        lambda arrays, numbers, _: cumulative.ewm(name, arrays[0], float(numbers[0]), **_ewm_options(numbers)),
        lambda numbers: cumulative.EwmCell(name, float(numbers[0]), **_ewm_options(numbers)),
    )


def _cross(op: str) -> Kernel:
    def informed(lines: Sequence[Any], known: Sequence[Known | None], _: Charge) -> tuple[Any, None]:
        (left, right), (one, other) = lines, known
        if one is None or other is None:
            return signals.cross(op, left, right), None
        return signals.cross(op, left, right, max(one.start, other.start), min(one.bound, other.bound)), None

    return Kernel(lambda lines, _, __: signals.cross(op, *lines), lambda _: signals.CrossCell(op), lambda _: informed)


def _run(op: str) -> Kernel:
    return Kernel(
        lambda arrays, numbers, _: signals.run_of(op, arrays[0], int(numbers[0])),
        lambda numbers: signals.RunCell(op, int(numbers[0])),
    )


class _VwapWindow:
    """Volume-weighted price over a window."""

    def __init__(self, window: int, cells: tuple[Cell, Cell, Cell] | None = None) -> None:
        total, highest = extreme("SUM"), extreme("MAX")
        self._window = window
        self._cells = cells or (total.cell(window, ()), total.cell(window, ()), highest.cell(window, ()))

    def step(self, close: float, volume: float) -> float:
        """Give the price, na while no volume is in the window."""
        paid, traded, most = self._cells
        above, below, any_volume = paid.step(close * volume), traded.step(volume), most.step(volume)
        return above / below if any_volume > 0.0 and below != 0.0 else NA

    def copy(self) -> "_VwapWindow":
        """Copy the sums."""
        paid, traded, most = self._cells
        return _VwapWindow(self._window, (paid.copy(), traded.copy(), most.copy()))


def _vwap_window(arrays: Sequence[Any], numbers: Sequence[Any], charge: Charge) -> Any:
    close, volume = arrays
    missing = np.isnan(close) | np.isnan(volume)
    volume = np.where(missing, np.nan, volume)
    window = int(numbers[0])
    with np.errstate(all="ignore"):
        paid = extreme("SUM").columns([close * volume], window, (), charge)
        traded = extreme("SUM").columns([volume], window, (), charge)
        most = extreme("MAX").columns([volume], window, (), charge)
        found = paid / traded
    found[~((most > 0.0) & (traded != 0.0))] = np.nan
    return found


def _vwap_window_kernel() -> Kernel:
    return Kernel(_vwap_window, lambda numbers: Restarting(lambda: _VwapWindow(int(numbers[0])), NA))


def _batch(columns: Columns) -> Kernel:
    def no_cell(_: Sequence[Any]) -> Cell:
        raise RuntimeError("this operation sees the whole data and has no bar-by-bar form")

    return Kernel(columns, no_cell)


def _reduce(name: str) -> Kernel:
    return _batch(lambda arrays, numbers, _: signals.REDUCE[name](*arrays, *numbers))


def _talib(name: str) -> Kernel:
    return Kernel(
        lambda arrays, numbers, charge: call_talib(name, arrays, tuple(numbers), charge),
        lambda numbers: talib_cell(name, tuple(numbers)),
        lambda numbers: LibraryCall(name, numbers).columns,
    )


KERNELS: Mapping[str, Kernel] = {
    **{f"rolling_{name}": _rolling(name) for name in COMPLETE},
    "rolling_corr": _rolling("corr", 2),
    "rolling_cov": _rolling("cov", 2),
    "rolling_count": _counting(),
    "highest": _extreme("MAX"),
    "lowest": _extreme("MIN"),
    "stdev": _stdev(),
    **{name: _cumulate(name) for name in cumulative.CUMULATE},
    **{f"expanding_{name}": _expand(name) for name in cumulative.EXPAND},
    **{f"ewm_{name}": _ewm(name) for name in ("mean", "var", "std")},
    "ffill": Kernel(
        lambda arrays, numbers, _: cumulative.ffill(arrays[0], int(numbers[0])),
        lambda numbers: cumulative.FillCell(int(numbers[0])),
    ),
    "vwap": Kernel(lambda arrays, _, __: cumulative.vwap(*arrays), lambda _: cumulative.VwapCell()),
    "vwap_window": _vwap_window_kernel(),
    "crossover": _cross("gt"),
    "crossunder": _cross("lt"),
    "rising": _run("gt"),
    "falling": _run("lt"),
    "bars_since": Kernel(lambda arrays, _, __: signals.bars_since(arrays[0]), lambda _: signals.BarsSinceCell()),
    "value_when": Kernel(
        lambda arrays, numbers, _: signals.value_when(arrays[0], arrays[1], int(numbers[0])),
        lambda numbers: signals.ValueWhenCell(int(numbers[0])),
    ),
    "shift": Kernel(
        lambda arrays, numbers, _: signals.shift(arrays[0], int(numbers[0]), numbers[1]),
        lambda numbers: signals.ShiftCell(int(numbers[0]), numbers[1]),
    ),
    "lead": _batch(lambda arrays, numbers, _: signals.lead(arrays[0], int(numbers[0]))),
    "rank_all": _batch(lambda arrays, _, __: signals.rank_all(arrays[0])),
    "at": _batch(lambda arrays, numbers, _: arrays[0][int(numbers[0])].item()),
    **{name: _reduce(name) for name in signals.REDUCE},
}


@cache
def kernel(name: str) -> Kernel:
    """Give the kernel of a row of the op table."""
    found = KERNELS.get(name)
    if found is not None:
        return found
    library, _, function = name.partition(".")
    if library != "talib":
        raise KeyError(name)
    return _talib(function)
