"""What a sweep measures: from entries and exits to one number."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np

from mysingle.dsl.kernels.floats import Array, Mask

__all__ = ["METRICS", "Market", "Metric", "holdings"]


class Market:
    """Sums of the market's returns up to each bar, worked out once: what is held from bar to bar is a difference."""

    def __init__(self, close: Array) -> None:
        simple, log = np.zeros(close.size), np.zeros(close.size)
        with np.errstate(all="ignore"):
            ratio = close[1:] / close[:-1]
            known = np.isfinite(ratio) & (ratio > 0)
            simple[1:] = np.where(known, ratio - 1.0, 0.0)
            log[1:] = np.where(known, np.log(np.where(known, ratio, 1.0)), 0.0)
        self.bars = close.size
        self.returns = log
        self.simple, self.squares, self.log = np.cumsum(simple), np.cumsum(simple * simple), np.cumsum(log)


Holdings: TypeAlias = tuple[Any, Any]
Metric: TypeAlias = Callable[[Holdings, Market], float]


def holdings(outputs: Mapping[str, Any]) -> Holdings:
    """
    Give the bars after which a position is held, and those with which it ends.

    `entry` with `exit` opens and closes it, an exit at the same bar being stronger; one condition alone says when to
    be in the market. A decision of a bar earns from the next one on.
    """
    if "entry" in outputs and "exit" in outputs:
        return _from_events(outputs["entry"], outputs["exit"])
    first = next(iter(outputs.values()))
    return _from_condition(first if first.dtype == np.bool_ else np.asarray(first > 0))


def _from_events(entry: Mask, leave: Mask) -> Holdings:
    at = (entry | leave).nonzero()[0]
    inside = ~leave[at]
    return _changes(at, inside, entry.size)


def _from_condition(held: Mask) -> Holdings:
    at = np.flatnonzero(held[1:] != held[:-1]) + 1
    if held.size and held[0]:
        at = np.concatenate(([0], at))
    return _changes(at, held[at], held.size)


def _changes(at: Any, inside: Mask, size: int) -> Holdings:
    changes = inside.copy()
    np.not_equal(inside[1:], inside[:-1], out=changes[1:])
    turns = at[changes]  # in and out by turns, beginning with in
    starts, ends = turns[0::2], turns[1::2]
    return starts, ends if starts.size == ends.size else np.append(ends, size - 1)


def _held(sums: Array, held: Holdings) -> float:
    return float(np.add.reduce(sums[held[1]] - sums[held[0]]))


def _total_return(held: Holdings, market: Market) -> float:
    return math.expm1(_held(market.log, held))


def _sharpe(held: Holdings, market: Market) -> float:
    if market.bars < 2:
        return 0.0
    mean = _held(market.simple, held) / market.bars
    spread = _held(market.squares, held) / market.bars - mean * mean
    return mean / math.sqrt(spread) if spread > 1e-30 else 0.0


def _max_drawdown(held: Holdings, market: Market) -> float:
    marks = np.zeros(market.bars + 1)
    np.add.at(marks, held[0] + 1, 1.0)
    np.add.at(marks, held[1] + 1, -1.0)
    path = np.cumsum(np.cumsum(marks[:-1]) * market.returns)
    fall = np.maximum.accumulate(np.maximum(path, 0.0)) - path
    return -math.expm1(-float(fall.max(initial=0.0)))


def _trades(held: Holdings, _: Market) -> float:
    return float(held[0].size)


def _win_rate(held: Holdings, market: Market) -> float:
    gains = market.log[held[1]] - market.log[held[0]]
    return float((gains > 0.0).mean()) if gains.size else 0.0


METRICS: Final[Mapping[str, Metric]] = {
    "total_return": _total_return,
    "sharpe": _sharpe,
    "max_drawdown": _max_drawdown,
    "win_rate": _win_rate,
    "trades": _trades,
}
"""A position is 0 or 1; the Sharpe ratio is per bar, without a risk-free rate; a drawdown is a positive share."""
