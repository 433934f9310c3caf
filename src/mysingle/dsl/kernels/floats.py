"""The numbers that kernels work on, and the rule that a result is finite or missing."""

import math
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "MAX_EXACT_INT",
    "NA",
    "TINY",
    "Array",
    "Charge",
    "Floats",
    "Known",
    "Mask",
    "Scalar",
    "all_finite",
    "clean_from",
    "drop_inf",
    "finite",
    "first_present",
    "free",
    "look",
    "strict_floats",
    "sum_of_squares",
]

Array: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = "float | tuple[float, ...]"
Scalar: TypeAlias = "float | int | bool | str | None"
Charge: TypeAlias = Callable[[int], None]

NA: Final = math.nan
MAX_EXACT_INT: Final = 2**53
TINY: Final = 1e-150
"""Squares of smaller values vanish."""
_FIRST_LOOK: Final = 64
_ONE_THREAD: Final = 10_000


class Known(NamedTuple):
    """What is known of a column: from bar `start` on every value is there, and none is larger in size than `bound`."""

    start: int
    bound: float


def free(nanoseconds: int) -> None:
    """Charge nobody; the budget of a caller that has none."""


def strict_floats() -> np.errstate:
    """Make overflow and division by zero raise inside the block, so that inf is seen without a pass over the data."""
    return np.errstate(over="raise", divide="raise", invalid="ignore", under="ignore")


def drop_inf(values: Array) -> Array:
    """Replace ±inf by na, in place."""
    if not all_finite(values):
        values[np.isinf(values)] = np.nan
    return values


def finite(value: float) -> float:
    """Give the value, or na when it is ±inf; integers beyond 2^53 become floats."""
    if isinstance(value, int):
        return value if -MAX_EXACT_INT <= value <= MAX_EXACT_INT else float(value)
    return value if value - value == 0.0 else NA


def clean_from(values: Array) -> int:
    """Give the bar from which no value is missing: the length when all are, -1 when one is missing in between."""
    size, start = values.size, first_present(values)
    rest = values[start:]
    if start == size or all_finite(rest) or not math.isnan(rest.min()):
        return start
    return -1


def look(values: Array) -> Known | None:
    """Tell from which bar on every value is there and how large they are; None when one is missing, or huge."""
    start = first_present(values)
    rest = values[start:] if start else values
    try:
        if rest.size <= _ONE_THREAD:
            total = largest = float(rest.dot(rest))
        else:
            parts = [rest[begin : begin + _ONE_THREAD] for begin in range(0, rest.size, _ONE_THREAD)]
            squares = [float(part.dot(part)) for part in parts]
            total, largest = sum(squares), max(squares)
    except FloatingPointError:
        return None
    # The root of a sum of squares is never below the largest value; a missing value makes the sum nan.
    return Known(start, math.sqrt(largest) + TINY) if total < math.inf else None


def all_finite(values: Array) -> bool:
    """Tell whether no value is missing or infinite; huge values may say no. Call it under `strict_floats`."""
    # A finite sum of squares proves that every value is finite, and is the cheapest pass there is.
    try:
        return math.isfinite(sum_of_squares(values))
    except FloatingPointError:
        return False


def sum_of_squares(values: Array) -> float:
    """Give the sum of squares, on this thread alone: a longer product would wait for the library's other threads."""
    total = 0.0
    for begin in range(0, values.size, _ONE_THREAD):
        part = values[begin : begin + _ONE_THREAD]
        total += float(part.dot(part))
    return total


def first_present(values: Array) -> int:
    """Give the first bar that has a value; the length when none has."""
    if not values.size or not math.isnan(values.item(0)):
        return 0
    # Warm-ups are short: look at a few bars first, and at twice as many each time.
    begin, look = 0, _FIRST_LOOK
    while begin < values.size:
        present = ~np.isnan(values[begin : begin + look])
        at = int(present.argmax())
        if present[at]:
            return begin + at
        begin, look = begin + look, look * 2
    return int(values.size)
