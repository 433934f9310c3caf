"""Rolling statistics: TA-Lib for complete windows, plain counting for incomplete ones."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mysingle.dsl.kernels.cells import Cell, Restarting
from mysingle.dsl.kernels.floats import NA, Array, Charge, clean_from, drop_inf, finite, free
from mysingle.dsl.kernels.missing import Policy, guarded
from mysingle.dsl.kernels.talib_kernels import call_talib, talib_cell
from mysingle.dsl.kernels.windows import PartialWindow, corr_full, cov_full, rank_full

__all__ = ["COMPLETE", "Complete", "CountCell", "count_columns", "extreme", "rolling_cell", "rolling_columns"]

_SLOW_BAR = 400
_SLOW_PLACE = 60


class Complete(NamedTuple):
    """A statistic of complete windows: `columns(arrays, window, numbers, charge)` and `cell(window, numbers)`."""

    columns: Callable[[Sequence[Array], int, Sequence[float], Charge], Array]
    cell: Callable[[int, Sequence[float]], Cell]


class _Scaled:
    """A cell times a factor."""

    def __init__(self, cell: Cell, factor: float) -> None:
        self._cell, self._factor = cell, factor

    def step(self, *values: float) -> float:
        """Give the scaled result."""
        return finite(self._cell.step(*values) * self._factor)

    def copy(self) -> "_Scaled":
        """Copy the inner cell."""
        return _Scaled(self._cell.copy(), self._factor)


class _Constant:
    """Gives the same value at each bar, or the bar's own value."""

    def __init__(self, value: float | None) -> None:
        self._value = value

    def step(self, value: float) -> float:
        """Give the constant, na for na."""
        return value if self._value is None or value != value else self._value

    def copy(self) -> "_Constant":
        """Give the cell itself: it has no state."""
        return self


class _Quantile:
    """Two neighbouring ranks and the way between them."""

    def __init__(self, low: Cell, high: Cell, part: float) -> None:
        self._low, self._high, self._part = low, high, part

    def step(self, *values: float) -> float:
        """Give the interpolated quantile."""
        low, high = self._low.step(*values), self._high.step(*values)
        return float(low + (high - low) * self._part)

    def copy(self) -> "_Quantile":
        """Copy the inner cells."""
        return _Quantile(self._low.copy(), self._high.copy(), self._part)


def extreme(name: str) -> Complete:
    """Give MAX, MIN or SUM, which are the value itself in a window of one bar."""
    return Complete(
        lambda arrays, window, _, charge: (
            arrays[0].copy() if window == 1 else drop_inf_after(call_talib(name, arrays, (window,), charge))
        ),
        lambda window, _: _Constant(None) if window == 1 else _Scaled(talib_cell(name, (window,)), 1.0),
    )


def drop_inf_after(values: Array) -> Array:
    """Replace ±inf by na in a result that begins with na."""
    start = clean_from(values)
    drop_inf(values[max(start, 0) :])
    return values


def _mean_columns(arrays: Sequence[Array], window: int, _: Sequence[float], charge: Charge) -> Array:
    return drop_inf_after(call_talib("SMA", arrays, (window,), charge))


def _spread(name: str, window: int, ddof: float) -> float | None:
    # The library divides by n; n - ddof is wanted.
    if window <= ddof:
        return None
    ratio = window / (window - ddof)
    return ratio**0.5 if name == "STDDEV" else ratio


def _spread_of(name: str) -> Complete:
    def columns(arrays: Sequence[Array], window: int, numbers: Sequence[float], charge: Charge) -> Array:
        factor = _spread(name, window, numbers[0])
        if factor is None:
            return np.full(arrays[0].size, np.nan)
        if window == 1:
            return np.where(np.isnan(arrays[0]), np.nan, 0.0)
        found: Array = call_talib(name, arrays, (window, 1.0), charge)
        with np.errstate(all="ignore"):
            return drop_inf_after(np.multiply(found, factor, out=found))

    def cell(window: int, numbers: Sequence[float]) -> Cell:
        factor = _spread(name, window, numbers[0])
        if factor is None or window == 1:
            return _Constant(NA if factor is None else 0.0)
        return _Scaled(talib_cell(name, (window, 1.0)), factor)

    return Complete(columns, cell)


def _ranks(window: int, share: float) -> tuple[float, float, float]:
    # TA-Lib's PERCENTILE gives the k-th smallest for a percentage in ((k - 1) / n, k / n].
    at = (window - 1) * share
    low = int(at)
    high = min(low + 1, window - 1)
    return (low + 0.5) / window * 100.0, (high + 0.5) / window * 100.0, at - low


def _quantile_columns(arrays: Sequence[Array], window: int, numbers: Sequence[float], charge: Charge) -> Array:
    if window == 1:
        return arrays[0].copy()
    low_rank, high_rank, part = _ranks(window, numbers[0])
    low: Array = call_talib("PERCENTILE", arrays, (window, low_rank), charge)
    high: Array = call_talib("PERCENTILE", arrays, (window, high_rank), charge)
    return low + (high - low) * part


def _quantile_cell(window: int, numbers: Sequence[float]) -> Cell:
    if window == 1:
        return _Constant(None)
    low_rank, high_rank, part = _ranks(window, numbers[0])
    return _Quantile(talib_cell("PERCENTILE", (window, low_rank)), talib_cell("PERCENTILE", (window, high_rank)), part)


class _WholeWindow:
    """A statistic computed from scratch on each complete window."""

    def __init__(self, window: PartialWindow) -> None:
        self._window = window

    def step(self, *values: float) -> float:
        """Give the statistic, na until the window is complete."""
        self._window.push(values)
        return self._window.value()

    def copy(self) -> "_WholeWindow":
        """Copy the window."""
        return _WholeWindow(self._window.copy())


def _from_scratch(name: str, compute: Callable[..., Array], per_place: int) -> Complete:
    def columns(arrays: Sequence[Array], window: int, numbers: Sequence[float], charge: Charge) -> Array:
        charge(arrays[0].size * window * per_place)
        with np.errstate(all="ignore"):
            (found,) = guarded(
                lambda parts: (_pad(compute, parts, window, numbers),),
                arrays,
                Policy.WINDOW,
                lambda: window - 1,
                (NA,),
                charge,
            )
            return drop_inf_after(found)

    def cell(window: int, numbers: Sequence[float]) -> Cell:
        return Restarting(lambda: _WholeWindow(PartialWindow(name, window, window, *numbers)), NA)

    return Complete(columns, cell)


def _pad(compute: Callable[..., Array], parts: Sequence[Array], window: int, numbers: Sequence[float]) -> Array:
    # A leading gap is no history for these, so it is cut off and put back.
    start = max(clean_from(part) for part in parts)
    rest = [part[start:] for part in parts]
    found = compute(*rest, window, *numbers) if rest[0].size >= window else np.full(rest[0].size, np.nan)
    return found if start == 0 else np.concatenate((np.full(start, np.nan), found))


def _median(complete: Complete) -> Complete:
    return Complete(
        lambda arrays, window, _, charge: complete.columns(arrays, window, (0.5,), charge),
        lambda window, _: complete.cell(window, (0.5,)),
    )


_QUANTILE = Complete(_quantile_columns, _quantile_cell)

COMPLETE: Mapping[str, Complete] = {
    "mean": Complete(_mean_columns, lambda window, _: _Scaled(talib_cell("SMA", (window,)), 1.0)),
    "sum": extreme("SUM"),
    "min": extreme("MIN"),
    "max": extreme("MAX"),
    "std": _spread_of("STDDEV"),
    "var": _spread_of("VAR"),
    "quantile": _QUANTILE,
    "median": _median(_QUANTILE),
    "rank": _from_scratch("rank", rank_full, 1),
    "corr": _from_scratch("corr", corr_full, 4),
    "cov": _from_scratch("cov", cov_full, 2),
}


class _Incomplete:
    """A window that may be incomplete: by counting at first and after a gap, by the fast cell in between."""

    def __init__(self, complete: Cell | None, window: PartialWindow, length: int, seen: int = 0) -> None:
        self._complete = complete
        self._window, self._length, self._seen = window, length, seen

    def step(self, *values: float) -> float:
        """Give the statistic of the window's values."""
        missing = any(value != value for value in values)
        if missing and self._seen == 0:
            return NA
        if missing:
            self._complete = None
        self._seen += 1
        self._window.push(values)
        fast = None if self._complete is None else self._complete.step(*values)
        return self._window.value() if fast is None or self._seen < self._length else float(fast)

    def copy(self) -> "_Incomplete":
        """Copy both."""
        complete = None if self._complete is None else self._complete.copy()
        return _Incomplete(complete, self._window.copy(), self._length, self._seen)


def rolling_columns(
    name: str, arrays: Sequence[Array], window: int, required: int, numbers: Sequence[float], charge: Charge = free
) -> Array:
    """Give a rolling statistic; `required` values must be there, all `window` of them when it says so."""
    if required == window:
        return COMPLETE[name].columns(arrays, window, numbers, charge)
    present = ~np.isnan(arrays[0])
    for array in arrays[1:]:
        present &= ~np.isnan(array)
    result = np.full(present.size, np.nan)
    if present.any():
        start = int(present.argmax())
        gaps = np.flatnonzero(~present[start:])
        end = start + int(gaps[0]) if gaps.size else present.size
        _before_gap(result, name, arrays, (start, end), (window, required), numbers, charge)
        _after_gap(result, name, arrays, (start, end), (window, required), numbers, charge)
    return result


def _before_gap(
    result: Array,
    name: str,
    arrays: Sequence[Array],
    span: tuple[int, int],
    size: tuple[int, int],
    numbers: Sequence[float],
    charge: Charge,
) -> None:
    (start, end), (window, required) = span, size
    if end - start >= window:
        result[start:end] = COMPLETE[name].columns([array[start:end] for array in arrays], window, numbers, charge)
    counting = PartialWindow(name, window, required, *numbers)
    stop = min(end, start + window - 1)
    charge((stop - start) * (_SLOW_BAR + _SLOW_PLACE * window))
    for bar in range(start, stop):
        counting.push(tuple(float(array[bar]) for array in arrays))
        result[bar] = counting.value()


def _after_gap(
    result: Array,
    name: str,
    arrays: Sequence[Array],
    span: tuple[int, int],
    size: tuple[int, int],
    numbers: Sequence[float],
    charge: Charge,
) -> None:
    (start, end), (window, required) = span, size
    counting = PartialWindow(name, window, required, *numbers)
    charge((result.size - end) * (_SLOW_BAR + _SLOW_PLACE * window))
    for bar in range(max(start, end - window), result.size):
        counting.push(tuple(float(array[bar]) for array in arrays))
        if bar >= end:
            result[bar] = counting.value()


def rolling_cell(name: str, window: int, required: int, numbers: Sequence[float]) -> Cell:
    """Give the cell of a rolling statistic."""
    complete = COMPLETE[name].cell(window, numbers)
    if required == window:
        return complete
    return _Incomplete(complete, PartialWindow(name, window, required, *numbers), window)


def count_columns(values: Array, window: int, required: int) -> Array:
    """Count the values in each window of at least `required` bars."""
    there = np.concatenate(([0.0], np.cumsum(~np.isnan(values), dtype=np.float64)))
    bars = np.arange(1, values.size + 1)
    result = there[bars] - there[np.maximum(bars - window, 0)]
    result[: max(required - 1, 0)] = np.nan
    return result


class CountCell:
    """Counts the values in a window."""

    def __init__(self, window: int, required: int) -> None:
        self._window, self._required = window, required
        self._there: list[bool] = []
        self._bars = 0

    def step(self, value: float) -> float:
        """Give the count, na before `required` bars."""
        self._bars += 1
        self._there.append(value == value)
        del self._there[: -self._window]
        return float(sum(self._there)) if self._bars >= self._required else NA

    def copy(self) -> "CountCell":
        """Copy the window."""
        twin = CountCell(self._window, self._required)
        twin._there, twin._bars = list(self._there), self._bars
        return twin
