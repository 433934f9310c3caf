"""Windows of fixed length without TA-Lib's help: rank, correlation, covariance, and windows that may be incomplete."""

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np

from mysingle.dsl.kernels.floats import NA, Array, finite

__all__ = ["PAIR_STATISTICS", "STATISTICS", "PartialWindow", "corr_full", "cov_full", "rank_full"]

_BLOCK_CELLS: Final = 1 << 18
Statistic: TypeAlias = Callable[..., float]


def _sum(values: list[float], *_: float) -> float:
    # Not `sum`: from Python 3.12 it compensates, and columns do not.
    total = 0.0
    for value in values:
        total += value
    return total


def _mean(values: list[float], *_: float) -> float:
    return _sum(values) / len(values) if values else NA


def _var(values: list[float], ddof: float) -> float:
    if len(values) <= ddof:
        return NA
    mean = _mean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - ddof)


def _std(values: list[float], ddof: float) -> float:
    return math.sqrt(_var(values, ddof)) if len(values) > ddof else NA


def _quantile(values: list[float], share: float) -> float:
    if not values:
        return NA
    ordered = sorted(values)
    at = (len(ordered) - 1) * share
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def _rank(values: list[float], *_: float) -> float:
    last = values[-1]
    below, same = sum(value < last for value in values), values.count(last)
    return (below + (same + 1) / 2) / len(values)


def _cov(left: list[float], right: list[float], ddof: float) -> float:
    count = len(left)
    if count <= ddof:
        return NA
    mean_left, mean_right = _mean(left), _mean(right)
    total = 0.0
    for a, b in zip(left, right, strict=True):
        total += (a - mean_left) * (b - mean_right)
    return total / (count - ddof)


def _corr(left: list[float], right: list[float], *_: float) -> float:
    if len(left) < 2 or min(left) == max(left) or min(right) == max(right):
        return NA
    spread = math.sqrt(_cov(left, left, 0.0)) * math.sqrt(_cov(right, right, 0.0))
    return max(-1.0, min(1.0, _cov(left, right, 0.0) / spread)) if spread else NA


STATISTICS: Mapping[str, Statistic] = {
    "mean": _mean, "sum": _sum, "std": _std, "var": _var, "rank": _rank, "quantile": _quantile,
    "min": lambda values, *_: min(values, default=NA), "max": lambda values, *_: max(values, default=NA),
    "median": lambda values, *_: _quantile(values, 0.5),
}  # fmt: skip
PAIR_STATISTICS: Mapping[str, Statistic] = {"corr": _corr, "cov": _cov}


class PartialWindow:
    """A window over the values that are there: na until `required` of the last `window` bars have a value."""

    def __init__(self, name: str, window: int, required: int, *numbers: float) -> None:
        self._name, self._window, self._required, self._numbers = name, window, required, numbers
        self._bars: deque[tuple[float, ...]] = deque(maxlen=window)

    def push(self, values: tuple[float, ...]) -> None:
        """Take one bar."""
        self._bars.append(values)

    def value(self) -> float:
        """Give the statistic of the window."""
        whole = [bar for bar in self._bars if all(value == value for value in bar)]
        last = self._bars[-1][0]
        if len(whole) < self._required or (self._name == "rank" and last != last):
            return NA
        if self._name in PAIR_STATISTICS:
            left, right = [bar[0] for bar in whole], [bar[1] for bar in whole]
            return finite(PAIR_STATISTICS[self._name](left, right, *self._numbers))
        return finite(STATISTICS[self._name]([bar[0] for bar in whole], *self._numbers))

    def copy(self) -> "PartialWindow":
        """Copy the window."""
        twin = PartialWindow(self._name, self._window, self._required, *self._numbers)
        twin._bars = self._bars.copy()
        return twin


def _blocks(size: int, window: int) -> list[tuple[int, int]]:
    rows = max(_BLOCK_CELLS // window, 1)
    return [(begin, min(begin + rows, size)) for begin in range(0, size, rows)]


def rank_full(values: Array, window: int) -> Array:
    """Give the average percentile of each value in its complete window; needs values without na."""
    result = np.full(values.size, np.nan)
    views = np.lib.stride_tricks.sliding_window_view(values, window)
    for begin, end in _blocks(len(views), window):
        block = views[begin:end]
        last = block[:, -1:]
        below = np.count_nonzero(block < last, axis=1)
        same = np.count_nonzero(block == last, axis=1)
        result[begin + window - 1 : end + window - 1] = (below + (same + 1) / 2) / window
    return result


def _add_up(terms: Callable[[int], Array], window: int, size: int) -> Array:
    # One addition for each place in the window, oldest first: the same order, and the same bits, as bar by bar.
    total = np.zeros(size)
    for place in range(window):
        total += terms(place)
    return total


def cov_full(left: Array, right: Array, window: int, ddof: float) -> Array:
    """Give the covariance of each complete window; needs values without na."""
    result = np.full(left.size, np.nan)
    count = left.size - window + 1
    if count > 0 and window > ddof:
        result[window - 1 :] = _cov_sums(left, right, window, count) / (window - ddof)
    return result


def _cov_sums(left: Array, right: Array, window: int, count: int) -> Array:
    mean_left = _add_up(lambda at: left[at : at + count], window, count) / window
    mean_right = _add_up(lambda at: right[at : at + count], window, count) / window
    return _add_up(
        lambda at: (left[at : at + count] - mean_left) * (right[at : at + count] - mean_right), window, count
    )


def corr_full(left: Array, right: Array, window: int) -> Array:
    """Give Pearson's correlation of each complete window, na where one side is flat; needs values without na."""
    result = np.full(left.size, np.nan)
    count = left.size - window + 1
    if count <= 0 or window < 2:
        return result
    spread = np.sqrt(_cov_sums(left, left, window, count) / window)
    spread = spread * np.sqrt(_cov_sums(right, right, window, count) / window)
    with np.errstate(all="ignore"):
        found: Any = np.clip(_cov_sums(left, right, window, count) / window / spread, -1.0, 1.0)
    flat = _is_flat(left, window) | _is_flat(right, window) | (spread == 0.0)
    result[window - 1 :] = np.where(flat, np.nan, found)
    return result


def _is_flat(values: Array, window: int) -> Any:
    same = np.concatenate(([0], np.cumsum(values[1:] == values[:-1])))
    return same[window - 1 :] - same[: values.size - window + 1] == window - 1
