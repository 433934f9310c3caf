"""Higher timeframes: buckets of bars by their time, and which bucket a bar may know."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from mysingle.dsl.engine.frames import Frame
from mysingle.dsl.errors import DSLDataError, DSLExecutionError
from mysingle.dsl.ir.program import Grid
from mysingle.dsl.kernels.floats import Array

__all__ = ["Aligner", "bucket_close", "bucket_of", "interval_of"]

_DAY: Final = 86_400_000
_SPANS: Final[Mapping[str, int]] = {"s": 1_000, "m": 60_000, "h": 3_600_000, "D": _DAY, "W": 7 * _DAY}
_THURSDAY: Final = 3 * _DAY  # the epoch began three days after a Monday


def bucket_of(grid: Grid, time: Array) -> Any:
    """Give the number of the bucket that each time lies in (UTC boundaries, weeks from Monday)."""
    count, unit, _ = grid
    whole = time.astype(np.int64)
    if unit == "M":
        months = whole.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
        return months // count
    offset = _THURSDAY if unit == "W" else 0
    return (whole + offset) // (_SPANS[unit] * count)


def bucket_close(grid: Grid, bucket: Any) -> Any:
    """Give the time at which each bucket ends."""
    count, unit, _ = grid
    after = np.asarray(bucket, dtype=np.int64) + 1
    if unit == "M":
        return (after * count).astype("datetime64[M]").astype("datetime64[ms]").astype(np.int64)
    offset = _THURSDAY if unit == "W" else 0
    return after * (_SPANS[unit] * count) - offset


class _Buckets:
    """The buckets of one grid: where each begins, and the last one that every bar may know."""

    def __init__(self, grid: Grid, time: Array, interval: float) -> None:
        self.grid = grid
        self.bucket = bucket_of(grid, time)
        self.starts = (
            np.flatnonzero(np.diff(self.bucket, prepend=self.bucket[:1] - 1)) if time.size else np.zeros(0, int)
        )
        count, unit, _ = grid
        if unit in _SPANS and interval > _SPANS[unit] * count:
            raise DSLDataError(f"The bars are longer than the timeframe {count}{unit}")
        closes = bucket_close(grid, self.bucket[self.starts])
        self.visible = np.searchsorted(closes, time + interval, side="right") - 1


def interval_of(frame: Frame) -> float:
    """Give how long a bar is: the smallest distance of two bars, so that no bar reaches into the next."""
    if frame.interval is not None or frame.time is None:
        return frame.interval or 0.0
    time = frame.time
    return float(np.diff(time).min()) if time.size > 1 else 0.0


class Aligner:
    """Maps between the bars of the data and the higher timeframes of a program."""

    def __init__(self, frame: Frame, grids: Sequence[Grid]) -> None:
        if frame.time is None:
            raise DSLDataError(
                "A timeframe needs the time of the bars: give the data a DatetimeIndex or a column 'time'"
            )
        self._frame, self._grids = frame, grids
        self._time: Array = frame.time
        self._found: dict[int, _Buckets] = {}

    def _buckets(self, grid: int) -> _Buckets:
        if grid not in self._found:
            self._found[grid] = _Buckets(self._grids[grid], self._time, interval_of(self._frame))
        return self._found[grid]

    def size(self, grid: int) -> int:
        """Give the number of buckets."""
        return int(self._frame.size if self._grids[grid].developing else self._buckets(grid).starts.size)

    def column(self, grid: int, name: str, how: str) -> Array:
        """Give a column of the higher timeframe; of a developing one, the running bucket at each bar."""
        values, buckets = self._frame.columns[name], self._buckets(grid)
        if self._grids[grid].developing:
            return _running(values, buckets.starts, how)
        found: Array = _AGGREGATES[how](values, buckets.starts)
        return found

    def to_base(self, values: Any, grid: int) -> Any:
        """Give a series of the higher timeframe as the bars see it: closed buckets only."""
        if self._grids[grid].developing:
            if values.size != self._frame.size:
                raise DSLExecutionError("Only columns of a developing timeframe can be used, no functions of them")
            return values
        visible = self._buckets(grid).visible
        missing = False if values.dtype == np.bool_ else np.nan
        if values.size == 0:
            return np.full(visible.size, missing, dtype=values.dtype)
        return np.where(visible >= 0, values[np.maximum(visible, 0)], missing)


def _sum(values: Array, starts: Any) -> Array:
    present = ~np.isnan(values)
    total: Array = np.add.reduceat(np.where(present, values, 0.0), starts)
    total[np.add.reduceat(present.astype(np.int64), starts) == 0] = np.nan
    return total


def _mean(values: Array, starts: Any) -> Any:
    count = np.add.reduceat((~np.isnan(values)).astype(np.float64), starts)
    return np.divide(_sum(values, starts), count, out=np.full(count.size, np.nan), where=count > 0)


def _last(values: Array, starts: Any) -> Any:
    return values[np.append(starts[1:], values.size) - 1]


_AGGREGATES: Mapping[str, Callable[[Array, Any], Any]] = {
    "first": lambda values, starts: values[starts],
    "last": _last,
    "max": lambda values, starts: np.fmax.reduceat(values, starts),
    "min": lambda values, starts: np.fmin.reduceat(values, starts),
    "sum": _sum,
    "mean": _mean,
}


def _running(values: Array, starts: Any, how: str) -> Array:
    result = np.empty(values.size)
    for begin, end in zip(starts, np.append(starts[1:], values.size), strict=True):
        part = values[begin:end]
        match how:
            case "first":
                result[begin:end] = part[0]
            case "last":
                result[begin:end] = part
            case "max":
                result[begin:end] = np.fmax.accumulate(part)
            case "min":
                result[begin:end] = np.fmin.accumulate(part)
            case _:
                total = np.cumsum(np.where(np.isnan(part), 0.0, part))
                result[begin:end] = total if how == "sum" else total / np.maximum(np.cumsum(~np.isnan(part)), 1)
    return result
