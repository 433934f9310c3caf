"""Everything that sums up from the start of the data: cumulations, expanding statistics, exponential weights, VWAP."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from mysingle.dsl.kernels.cells import Cell, Holding
from mysingle.dsl.kernels.floats import NA, Array, finite

__all__ = [
    "CUMULATE",
    "EXPAND",
    "CumulateCell",
    "EwmCell",
    "ExpandCell",
    "FillCell",
    "VwapCell",
    "cumulate",
    "ewm",
    "expand",
    "ffill",
    "vwap",
]

_FOLDS: Mapping[str, tuple[Any, Callable[[float, float], float]]] = {
    "cumsum": (np.add, lambda total, value: total + value),
    "cumprod": (np.multiply, lambda total, value: total * value),
    "cummax": (np.maximum, lambda total, value: max(total, value)),
    "cummin": (np.minimum, lambda total, value: min(total, value)),
}
CUMULATE: Final = frozenset(_FOLDS)
EXPAND: Final = frozenset({"mean", "sum", "min", "max", "count", "std", "var"})


def _where_present(arrays: Sequence[Array], compute: Callable[..., Array]) -> Array:
    present = ~np.isnan(arrays[0])
    for array in arrays[1:]:
        present &= ~np.isnan(array)
    with np.errstate(all="ignore"):
        if present.all():
            found = compute(*arrays)
        else:
            found = np.full(present.size, np.nan)
            found[present] = compute(*(array[present] for array in arrays))
    found[np.isinf(found)] = np.nan
    return found


def cumulate(name: str, values: Array) -> Array:
    """Fold from the first value on; missing bars give na and are skipped."""
    fold = _FOLDS[name][0]
    return _where_present([values], fold.accumulate)


class CumulateCell:
    """Folds bar by bar."""

    def __init__(self, name: str, total: float = NA) -> None:
        self._name, self._fold, self._total = name, _FOLDS[name][1], total

    def step(self, value: float) -> float:
        """Give the fold up to this bar."""
        if value != value:
            return NA
        total = self._total
        self._total = value if total != total else self._fold(total, value)
        return finite(self._total)

    def copy(self) -> "CumulateCell":
        """Copy the total."""
        return CumulateCell(self._name, self._total)


def expand(name: str, values: Array, required: int, ddof: float = 1.0) -> Array:
    """Give a statistic of all values so far, na before `required` of them."""

    def compute(present: Array) -> Array:
        count = np.arange(1.0, present.size + 1.0)
        found = _expand(name, present, count, ddof)
        found[: max(required - 1, 0)] = np.nan
        return found

    return _where_present([values], compute)


def _expand(name: str, values: Array, count: Array, ddof: float) -> Array:
    match name:
        case "count":
            return count
        case "sum":
            return np.cumsum(values)
        case "mean":
            return np.cumsum(values) / count
        case "min":
            return np.minimum.accumulate(values)
        case "max":
            return np.maximum.accumulate(values)
        case _:
            return _expand_spread(name, values, count, ddof)


def _expand_spread(name: str, values: Array, count: Array, ddof: float) -> Array:
    # Distances from the first value keep the sums small.
    distance = values - values[:1]
    total, squares = np.cumsum(distance), np.cumsum(distance * distance)
    found = np.maximum((squares - total * total / count) / (count - ddof), 0.0)
    found[count <= ddof] = np.nan
    return np.sqrt(found) if name == "std" else found


class ExpandCell:
    """A statistic of all values so far."""

    def __init__(self, name: str, required: int, ddof: float = 1.0) -> None:
        self._name, self._required, self._ddof = name, required, ddof
        self._count = self._total = self._squares = 0.0
        self._first = self._extreme = NA

    def step(self, value: float) -> float:
        """Give the statistic up to this bar."""
        if value != value:
            return NA
        if self._count == 0.0:
            self._first = self._extreme = value
        self._count += 1.0
        found = self._update(value)
        return finite(found) if self._count >= self._required else NA

    def _update(self, value: float) -> float:
        match self._name:
            case "count":
                return self._count
            case "sum" | "mean":
                self._total = self._total + value if self._count > 1.0 else value
                return self._total if self._name == "sum" else self._total / self._count
            case "min" | "max":
                fold = _FOLDS["cum" + self._name][1]
                self._extreme = fold(self._extreme, value)
                return self._extreme
            case _:
                return self._spread(value - self._first)

    def _spread(self, distance: float) -> float:
        self._total += distance
        self._squares += distance * distance
        if self._count <= self._ddof:
            return NA
        found = (self._squares - self._total * self._total / self._count) / (self._count - self._ddof)
        found = found if found > 0.0 or found != found else 0.0
        return math.sqrt(found) if self._name == "std" and found == found else found

    def copy(self) -> "ExpandCell":
        """Copy the sums."""
        twin = ExpandCell.__new__(ExpandCell)
        twin.__dict__.update(self.__dict__)
        return twin


def ewm(
    name: str, values: Array, alpha: float, *, adjust: bool, required: int, ignore_na: bool, bias: bool = False
) -> Array:
    """Give pandas' exponentially weighted mean, var or std; missing bars give na."""
    weights = pd.Series(values).ewm(alpha=alpha, adjust=adjust, min_periods=required, ignore_na=ignore_na)
    found = weights.mean() if name == "mean" else weights.var(bias=bias)
    result = np.array(found, dtype=np.float64)
    result[np.isnan(values) | np.isinf(result)] = np.nan
    return np.sqrt(result) if name == "std" else result


class EwmCell:
    """pandas' recursion for exponential weights, bar by bar."""

    def __init__(
        self, name: str, alpha: float, *, adjust: bool, required: int, ignore_na: bool, bias: bool = False
    ) -> None:
        rounded = 1.0 / (1.0 + (1.0 - alpha) / alpha)  # pandas goes by way of the centre of mass
        self._name, self._decay, self._adjust, self._bias = name, 1.0 - rounded, adjust, bias
        self._new = 1.0 if adjust else rounded
        self._required, self._ignore_na = max(required, 1), ignore_na
        self._mean, self._cov, self._count = NA, 0.0, 0
        self._weight = self._sum = self._sum2 = 1.0

    def step(self, value: float) -> float:
        """Give the statistic at this bar."""
        present = value == value
        self._count += present
        if self._mean == self._mean:
            if present or not self._ignore_na:
                self._fade()
                if present:
                    self._take(value)
        elif present:
            self._mean = value
        if not present or self._count < self._required:
            return NA
        return finite(self._result())

    def _fade(self) -> None:
        self._weight *= self._decay
        if self._name != "mean":
            self._sum *= self._decay
            self._sum2 *= self._decay * self._decay

    def _take(self, value: float) -> None:
        if self._name == "mean":
            if self._mean != value:
                self._mean = (self._weight * self._mean + self._new * value) / (self._weight + self._new)
            self._weight = self._weight + self._new if self._adjust else 1.0
            return
        before, total = self._mean, self._weight + self._new
        if before != value:
            self._mean = (self._weight * before + self._new * value) / total
        step_before, step_value = before - self._mean, value - self._mean
        self._cov = (
            self._weight * (self._cov + step_before * step_before) + self._new * (step_value * step_value)
        ) / total
        self._sum += self._new
        self._sum2 += self._new * self._new
        self._weight = total
        if not self._adjust:
            self._sum /= self._weight
            self._sum2 /= self._weight * self._weight
            self._weight = 1.0

    def _result(self) -> float:
        if self._name == "mean":
            return self._mean
        variance = self._cov
        if not self._bias:
            numerator = self._sum * self._sum
            denominator = numerator - self._sum2
            variance = numerator / denominator * self._cov if denominator > 0.0 else NA
        return math.sqrt(variance) if self._name == "std" and variance >= 0.0 else variance

    def copy(self) -> "EwmCell":
        """Copy the recursion."""
        twin = EwmCell.__new__(EwmCell)
        twin.__dict__.update(self.__dict__)
        return twin


def ffill(values: Array, limit: int) -> Array:
    """Carry the last value over missing bars, at most `limit` of them; 0 is no limit."""
    bars = np.arange(values.size)
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, bars))
    known = last >= 0
    if limit:
        known &= bars - last <= limit
    return np.where(known, values[last], np.nan) if values.size else values


class FillCell:
    """Carries the last value."""

    def __init__(self, limit: int) -> None:
        self._limit, self._last, self._age = limit, NA, 0

    def step(self, value: float) -> float:
        """Give the value, or the last one that was there."""
        if value == value:
            self._last, self._age = value, 0
            return value
        self._age += 1
        return NA if self._limit and self._age > self._limit else self._last

    def copy(self) -> "FillCell":
        """Copy the last value."""
        twin = FillCell(self._limit)
        twin._last, twin._age = self._last, self._age
        return twin


def vwap(close: Array, volume: Array) -> Array:
    """Give the volume-weighted price since the first bar; na while no volume was traded."""
    return _where_present([close, volume], _vwap)


def _vwap(close: Array, volume: Array) -> Array:
    traded = np.cumsum(volume)
    found: Array = np.cumsum(close * volume) / traded
    found[traded == 0.0] = np.nan
    return found


class _Vwap:
    def __init__(self, paid: float = 0.0, traded: float = 0.0, *, began: bool = False) -> None:
        self._paid, self._traded, self._began = paid, traded, began

    def step(self, close: float, volume: float) -> float:
        """Give the price so far."""
        self._paid = self._paid + close * volume if self._began else close * volume
        self._traded = self._traded + volume if self._began else volume
        self._began = True
        return finite(self._paid / self._traded) if self._traded else NA

    def copy(self) -> "_Vwap":
        """Copy the sums."""
        return _Vwap(self._paid, self._traded, began=self._began)


def VwapCell() -> Cell:  # noqa: N802  # made like the other cells
    """Give the cell of the volume-weighted price."""
    return Holding(_Vwap(), NA)
