"""Small steps that the references are made of; every function takes lists without gaps, na only at the start."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

__all__ = ["NA", "Line", "after_start", "changes", "extreme", "mean", "pointwise", "rolling", "true_range", "wilder"]

Line: TypeAlias = list[float]
NA = math.nan


def after_start(function: Callable[..., Line], *lines: Sequence[float]) -> Line:
    """Apply a function to what follows the leading na of any line."""
    size = len(lines[0])
    start = 0
    while start < size and any(line[start] != line[start] for line in lines):
        start += 1
    return [NA] * start + function(*(list(line[start:]) for line in lines)) if start < size else [NA] * size


def pointwise(function: Callable[..., float], *lines: Sequence[float]) -> Line:
    """Combine lines bar by bar; na stays na."""
    return [NA if any(value != value for value in bar) else function(*bar) for bar in zip(*lines, strict=True)]


def rolling(function: Callable[[Sequence[float]], float], line: Sequence[float], window: int) -> Line:
    """Apply a function to every complete window."""

    def run(values: Line) -> Line:
        return [function(values[at - window + 1 : at + 1]) if at >= window - 1 else NA for at in range(len(values))]

    return after_start(run, line)


def mean(values: Sequence[float]) -> float:
    """Give the exact mean."""
    return math.fsum(values) / len(values)


def extreme(function: Callable[[Sequence[float]], float], line: Sequence[float], window: int) -> Line:
    """Give the largest or smallest value of every window."""
    return rolling(function, line, window)


def wilder(line: Sequence[float], period: int) -> Line:
    """Smooth with 1/n, seeded with the mean of the first n."""

    def run(values: Line) -> Line:
        result = [NA] * len(values)
        if len(values) < period:
            return result
        state = mean(values[:period])
        result[period - 1] = state
        for at in range(period, len(values)):
            state = (state * (period - 1) + values[at]) / period
            result[at] = state
        return result

    return after_start(run, line)


def changes(line: Sequence[float]) -> Line:
    """Give the difference to the bar before."""
    return [NA, *(now - before for before, now in pairwise(line))] if line else []


def true_range(high: Line, low: Line, close: Line) -> Line:
    """Give the range of each bar with the gap before it; na on the first bar."""
    if not high:
        return []
    return [NA] + [max(high[at], close[at - 1]) - min(low[at], close[at - 1]) for at in range(1, len(high))]
