"""Crossings, runs, distances to the last event, history and reductions."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mysingle.dsl.kernels.compare import COMPARE_ONE, tolerant, tolerant_pair
from mysingle.dsl.kernels.floats import NA, Array, Mask, finite

__all__ = [
    "REDUCE",
    "BarsSinceCell",
    "CrossCell",
    "RunCell",
    "ShiftCell",
    "ValueWhenCell",
    "bars_since",
    "cross",
    "lead",
    "rank_all",
    "run_of",
    "shift",
    "value_when",
]


def cross(op: str, a: Any, b: Any, start: int | None = None, bound: float | None = None) -> Mask:
    """
    Tell where `a op b` holds after a bar on which it did not; bar 0 and na give False.

    Args:
        op: gt or lt.
        a: a column or a number.
        b: a column or a number, not both.
        start: the first bar on which both sides are there, where none is missing after it.
        bound: the size of the largest value of one of two columns.
    """
    if start is not None:
        return _cross_whole(tolerant(op, a, b, bound=bound), start)
    before_op = "le" if op == "gt" else "ge"
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        now, before = tolerant_pair((op, before_op), a, b)
    else:
        now, before = tolerant(op, a, b), tolerant(before_op, a, b)
    result = np.zeros(now.size, dtype=np.bool_)
    np.logical_and(now[1:], before[:-1], out=result[1:])
    return result


def _cross_whole(now: Mask, start: int) -> Mask:
    # Between two bars that are there, what does not hold is the opposite.
    before = np.empty_like(now)
    before[: start + 1] = True
    before[start + 1 :] = now[start:-1]
    return np.greater(now, before, before)


class CrossCell:
    """Tells a crossing bar by bar."""

    def __init__(self, op: str, *, was_before: bool = False) -> None:
        self._op, self._goes, self._was_before = op, COMPARE_ONE[op], was_before

    def step(self, a: float, b: float) -> bool:
        """Tell whether the lines crossed at this bar."""
        now = self._goes(a, b)
        crossed = self._was_before and now
        self._was_before = not now and a == a and b == b  # what does not hold is the opposite, if both are there
        return crossed

    def copy(self) -> "CrossCell":
        """Copy what the last bar said."""
        return CrossCell(self._op, was_before=self._was_before)


def run_of(op: str, values: Array, length: int) -> Mask:
    """Tell where the last `length` steps all went the same way."""
    steps = np.zeros(values.size, dtype=np.bool_)
    if values.size > 1:
        steps[1:] = tolerant(op, values[1:], values[:-1])
    bars = np.arange(values.size)
    broken = np.maximum.accumulate(np.where(steps, -1, bars)) if values.size else bars
    return bars - broken >= length


class RunCell:
    """Counts steps in one direction."""

    def __init__(self, op: str, length: int) -> None:
        self._op, self._goes, self._length, self._run, self._last = op, COMPARE_ONE[op], length, 0, NA

    def step(self, value: float) -> bool:
        """Tell whether the last steps all went the same way."""
        self._run = self._run + 1 if self._goes(value, self._last) else 0
        self._last = value
        return self._run >= self._length

    def copy(self) -> "RunCell":
        """Copy the count."""
        twin = RunCell(self._op, self._length)
        twin._run, twin._last = self._run, self._last
        return twin


def bars_since(cond: Mask) -> Array:
    """Count the bars since the last true one; na before the first."""
    bars = np.arange(cond.size)
    last = np.maximum.accumulate(np.where(cond, bars, -1)) if cond.size else bars
    return np.where(last >= 0, bars - last, np.nan)


class BarsSinceCell:
    """Counts bars since an event."""

    def __init__(self, count: float = NA) -> None:
        self._count = count

    def step(self, cond: bool) -> float:  # the value of a column
        """Give the bars since the last event."""
        self._count = 0.0 if cond else self._count + 1.0
        return self._count

    def copy(self) -> "BarsSinceCell":
        """Copy the count."""
        return BarsSinceCell(self._count)


def value_when(cond: Mask, series: Array, back: int) -> Array:
    """Give the value at the last event, or at the `back`-th before it; na before there was one."""
    events = np.flatnonzero(cond)
    which = np.cumsum(cond) - 1 - back
    if events.size == 0:
        return np.full(cond.size, np.nan)
    return np.where(which >= 0, series[events[np.maximum(which, 0)]], np.nan)


class ValueWhenCell:
    """Keeps the values at the last events."""

    def __init__(self, back: int) -> None:
        self._back = back
        self._values: list[float] = []

    def step(self, cond: bool, value: float) -> float:  # the value of a column
        """Give the value at the event asked for."""
        if cond:
            self._values.append(value)
            del self._values[: -self._back - 1]
        return self._values[0] if len(self._values) > self._back else NA

    def copy(self) -> "ValueWhenCell":
        """Copy the values."""
        twin = ValueWhenCell(self._back)
        twin._values = list(self._values)
        return twin


def shift(values: Any, periods: int, fill: Any) -> Any:
    """Give the values `periods` bars ago, and `fill` before there are any."""
    if periods == 0:
        return values
    result = np.empty_like(values)
    result[:periods] = fill
    result[periods:] = values[: max(values.size - periods, 0)]
    return result


def lead(values: Any, periods: int) -> Any:
    """Give the values `periods` bars ahead: research and plots only."""
    result = np.full(values.size, np.nan)
    result[: max(values.size - periods, 0)] = values[periods:]
    return result


class ShiftCell:
    """Remembers the last values."""

    def __init__(self, periods: int, fill: Any) -> None:
        self._periods, self._fill, self._at = periods, fill, 0
        self._ring: list[Any] = [fill] * periods

    def step(self, value: Any) -> Any:
        """Give the value `periods` bars ago."""
        if not self._periods:
            return value
        old, self._ring[self._at] = self._ring[self._at], value
        self._at = (self._at + 1) % self._periods
        return old

    def copy(self) -> "ShiftCell":
        """Copy the ring."""
        twin = ShiftCell(0, self._fill)
        twin._periods, twin._ring, twin._at = self._periods, list(self._ring), self._at
        return twin


def rank_all(values: Array) -> Array:
    """Give the average percentile of each value among all values."""
    there = np.sort(values[~np.isnan(values)])
    low, high = np.searchsorted(there, values, "left"), np.searchsorted(there, values, "right")
    with np.errstate(all="ignore"):
        return np.where(np.isnan(values), np.nan, (low + high + 1) / 2 / max(there.size, 1))


def _present(values: Array) -> Array:
    return values[~np.isnan(values)]


def _variance(values: Array, ddof: int) -> float:
    there = _present(values)
    return float(there.var(ddof=ddof)) if there.size > ddof else NA


def _covariance(a: Array, b: Array) -> tuple[float, float, float]:
    both = ~(np.isnan(a) | np.isnan(b))
    x, y = a[both], b[both]
    if x.size < 2:
        return NA, NA, NA
    dx, dy = x - x.mean(), y - y.mean()
    return float(dx @ dy) / (x.size - 1), float(dx @ dx) / (x.size - 1), float(dy @ dy) / (x.size - 1)


def _correlation(a: Array, b: Array) -> float:
    both, left, right = _covariance(a, b)
    spread = (left * right) ** 0.5
    return both / spread if spread else NA


def _some(reduce: Callable[[Array], Any]) -> Callable[[Array], float]:
    def run(values: Array) -> float:
        there = _present(values)
        return float(reduce(there)) if there.size else NA

    return run


def _finite(reduce: Callable[..., float]) -> Callable[..., float]:
    def run(*args: Any) -> float:
        with np.errstate(all="ignore"):
            return finite(reduce(*args))

    return run


REDUCE: Mapping[str, Callable[..., Any]] = {
    "red_mean": _finite(_some(np.mean)),
    "red_sum": _finite(lambda values: float(_present(values).sum())),
    "red_min": _some(np.min),
    "red_max": _some(np.max),
    "red_median": _some(np.median),
    "red_count": lambda values: float(_present(values).size),
    "red_prod": _finite(lambda values: float(_present(values).prod())),
    "red_first": lambda values: float(values[0]) if values.size else NA,
    "red_last": lambda values: float(values[-1]) if values.size else NA,
    "red_std": _finite(lambda values, ddof: _variance(values, ddof) ** 0.5),
    "red_var": _finite(_variance),
    "red_quantile": lambda values, q: float(np.quantile(_present(values), q)) if _present(values).size else NA,
    "red_any": lambda values: bool(values.any()),
    "red_all": lambda values: bool(values.all()),
    "red_corr": _finite(_correlation),
    "red_cov": _finite(lambda a, b: _covariance(a, b)[0]),
}
