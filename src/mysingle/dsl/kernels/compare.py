"""Comparison with a relative tolerance: running sums drift in the last digits, and a tie must stay a tie."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np

from mysingle.dsl.kernels.floats import TINY, Array, Mask, first_present, sum_of_squares

__all__ = [
    "COMPARE",
    "COMPARE_ONE",
    "EXACT",
    "EXACT_ONE",
    "ORDERINGS",
    "TOLERANCE",
    "tolerant",
    "tolerant_pair",
]

TOLERANCE: Final = 1e-10
_BLOCK: Final = 50_000
_ROOM: Final = 131_072
"""Differences are worked out so many at a time: they stay near the processor, and peak memory stays small."""
_WIDER: Final = TOLERANCE * (1 + 1e-6)
_SMALL: Final = 1e100


def _gt(a: float, b: float) -> bool:
    return a - b > TOLERANCE * max(abs(a), abs(b))


def _lt(a: float, b: float) -> bool:
    return b - a > TOLERANCE * max(abs(a), abs(b))


def _ge(a: float, b: float) -> bool:
    return a - b >= -(TOLERANCE * max(abs(a), abs(b)))


def _le(a: float, b: float) -> bool:
    return b - a >= -(TOLERANCE * max(abs(a), abs(b)))


def _eq(a: float, b: float) -> bool:
    return abs(a - b) <= TOLERANCE * max(abs(a), abs(b))


def _ne(a: float, b: float) -> bool:
    return abs(a - b) > TOLERANCE * max(abs(a), abs(b))


COMPARE_ONE: Mapping[str, Callable[[float, float], bool]] = {
    "gt": _gt, "lt": _lt, "ge": _ge, "le": _le, "eq": _eq, "ne": _ne,
}  # fmt: skip
EXACT_ONE: Mapping[str, Callable[[float, float], bool]] = {
    "gt": lambda a, b: a > b,
    "lt": lambda a, b: a < b,
    "ge": lambda a, b: a >= b,
    "le": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a == a and b == b and a != b,
}


def _ne_exact(a: Any, b: Any, out: Mask | None = None) -> Any:
    return np.logical_and(np.logical_and(np.equal(a, a), np.equal(b, b)), np.not_equal(a, b), out=out)


EXACT: Mapping[str, Callable[..., Any]] = {
    "gt": np.greater, "lt": np.less, "ge": np.greater_equal, "le": np.less_equal, "eq": np.equal, "ne": _ne_exact,
}  # fmt: skip

# Beyond a bound no two values can be a tie. Each rule is one comparison of a - b with the bound or with zero, and the
# bars on which both give the same answer are decided: (comparison, what holds for certain, what may hold).
_Zone: TypeAlias = tuple[Callable[..., Mask], float, float]
_ZONES: Mapping[str, _Zone] = {
    "gt": (np.greater, 1.0, 0.0),
    "le": (np.less_equal, 0.0, 1.0),
    "lt": (np.less, -1.0, 0.0),
    "ge": (np.greater_equal, 0.0, -1.0),
}
_ZERO: Final = np.zeros(())  # arrays meet one in less time than a number
_ZERO.flags.writeable = False
ORDERINGS: Final = frozenset(_ZONES)
_MIRROR: Mapping[str, str] = {"gt": "lt", "lt": "gt", "ge": "le", "le": "ge", "eq": "eq", "ne": "ne"}


def tolerant(op: str, a: Any, b: Any, out: Mask | None = None, bound: float | None = None) -> Mask:
    """
    Compare two columns, or a column and a number; na compares False.

    Args:
        op: gt, lt, ge, le, eq or ne.
        a: a column or a number.
        b: a column or a number, not both.
        out: where to write.
        bound: the size of the largest value of one of two columns, where it is known.
    """
    if not isinstance(a, np.ndarray):
        return tolerant(_MIRROR[op], b, a, out)
    result = np.empty(a.shape, dtype=np.bool_) if out is None else out
    if not isinstance(b, np.ndarray):
        return _against_number(op, a, float(b), result)
    if bound is not None and bound < _SMALL and op in _ZONES:
        _fill_bounded(op, a, b, result, bound * _WIDER)
    else:
        _fill((op,), a, b, (result,))
    return result


def tolerant_pair(ops: tuple[str, str], a: Array, b: Array) -> tuple[Mask, Mask]:
    """Compare two columns by two operators in one pass over the data."""
    first, second = np.empty(a.shape, dtype=np.bool_), np.empty(a.shape, dtype=np.bool_)
    _fill(ops, a, b, (first, second))
    return first, second


def _against_number(op: str, a: Array, b: float, result: Mask) -> Mask:
    if op in ("eq", "ne"):
        _fill((op,), a, b, (result,))
        return result
    # The rule is monotone in `a`: the smallest float that satisfies it turns it into one plain comparison.
    if b != b:
        result[:] = False
        return result
    if op in ("gt", "ge"):
        return np.greater_equal(a, _threshold(op, b), out=result)
    return np.less_equal(a, _threshold(op, b), out=result)


@lru_cache(maxsize=512)
def _threshold(op: str, b: float) -> float:
    rule = COMPARE_ONE[op]
    up = math.inf if op in ("gt", "ge") else -math.inf
    margin = TOLERANCE * abs(b) * (1 if op in ("gt", "lt") else -1)
    edge = b + (margin if up > 0 else -margin)
    while not rule(edge, b) and math.isfinite(edge):
        edge = math.nextafter(edge, up)
    while rule(lower := math.nextafter(edge, -up), b) and math.isfinite(lower):
        edge = lower
    return edge


def _fill_bounded(op: str, a: Array, b: Array, result: Mask, bound: float) -> None:
    # One side is small, so their difference cannot overflow.
    size = a.size
    gap, other = np.empty(min(size, _ROOM)), np.empty(min(size, _ROOM), dtype=np.bool_)
    if size <= _ROOM:
        _fill_zone(op, a, b, result, gap, other, bound)
        return
    for begin in range(0, size, _ROOM):
        part = slice(begin, begin + _ROOM)
        left = a[part]
        room = slice(0, left.size)
        _fill_zone(op, left, b[part], result[part], gap[room], other[room], bound)


def _fill_zone(op: str, a: Array, b: Array, result: Mask, gap: Array, other: Mask, bound: float) -> None:
    compare, certain, possible = _ZONES[op]
    np.subtract(a, b, gap)
    compare(gap, certain * bound if certain else _ZERO, result)
    compare(gap, possible * bound if possible else _ZERO, other)
    if result.tobytes() != other.tobytes():  # the fastest comparison there is
        _settle(op, a, b, result, np.flatnonzero(result != other))


def _fill(ops: tuple[str, ...], a: Array, b: Any, results: tuple[Mask, ...]) -> None:
    size = a.size
    if size <= _BLOCK:
        with np.errstate(all="ignore"):
            _fill_block(ops, a, b, results, np.empty(size), np.empty(size, dtype=np.bool_))
        return
    gap, other = np.empty(min(size, _BLOCK)), np.empty(min(size, _BLOCK), dtype=np.bool_)
    with np.errstate(all="ignore"):
        for begin in range(0, size, _BLOCK):
            part = slice(begin, min(begin + _BLOCK, size))
            right = b[part] if isinstance(b, np.ndarray) else b
            room = slice(0, part.stop - begin)
            _fill_block(ops, a[part], right, [result[part] for result in results], gap[room], other[room])


def _fill_block(ops: tuple[str, ...], a: Array, b: Any, results: Sequence[Mask], gap: Array, other: Mask) -> None:
    np.subtract(a, b, out=gap)
    # A tie is nearer than the tolerance of its larger side, and that side is at most as far from the other as they are
    # apart: one side's largest value bounds it.
    bound = _WIDER * (_largest(a) if isinstance(b, np.ndarray) else abs(b))
    for op, result in zip(ops, results, strict=True):
        if op not in _ZONES:
            _fill_equal(op, a, b, result, gap, bound)
            continue
        compare, certain, possible = _ZONES[op]
        compare(gap, certain * bound, out=result)
        compare(gap, possible * bound, out=other)
        if np.count_nonzero(result) != np.count_nonzero(other):
            _settle(op, a, b, result, np.flatnonzero(result != other))


def _fill_equal(op: str, a: Array, b: Any, result: Mask, gap: Array, bound: float) -> None:
    np.abs(gap, out=gap)
    near = gap <= bound
    if op == "eq":
        result[:] = False
    else:
        np.greater(gap, bound, out=result)
    if near.any():
        _settle(op, a, b, result, np.flatnonzero(near))


def _largest(values: Array) -> float:
    # The root of the sum of squares is never below the largest value, and is the cheapest pass there is.
    values = values[first_present(values) :]
    norm = math.sqrt(sum_of_squares(values))
    if norm < math.inf:
        return norm + TINY
    if not values.size:
        return 0.0
    high, low = float(np.fmax.reduce(values)), float(np.fmin.reduce(values))
    return max(high, -low) if high == high else 0.0


def _settle(op: str, a: Array, b: Any, result: Mask, at: Any) -> None:
    left = a[at]
    right = b[at] if isinstance(b, np.ndarray) else b
    gap = left - right
    slack = TOLERANCE * np.maximum(np.abs(left), np.abs(right))
    result[at] = _rule(op, gap, slack)


def _rule(op: str, gap: Array, slack: Array) -> Mask:
    match op:
        case "gt":
            return gap > slack
        case "lt":
            return -gap > slack
        case "ge":
            return gap >= -slack
        case "le":
            return -gap >= -slack
        case "eq":
            return np.abs(gap) <= slack
        case _:
            return np.abs(gap) > slack


COMPARE: Mapping[str, Callable[..., Mask]] = {
    op: (lambda a, b, out=None, op=op: tolerant(op, a, b, out)) for op in COMPARE_ONE
}
