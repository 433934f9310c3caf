"""Prices that nobody has paid: made from a number, the same for everybody, so that a link shows the same picture."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

__all__ = ["KINDS", "Demo", "demo_bars"]


class Demo(NamedTuple):
    """Which prices: their character, how many bars, and the number that they are made from."""

    kind: str = "market"
    bars: int = 600
    seed: int = 1


class _Character(NamedTuple):
    """What distinguishes one kind of prices from another, bar by bar."""

    drift: float
    noise: float
    pull: float = 0.0
    """How strongly the price returns to where it began."""
    cycle: float = 0.0
    shock: float = 0.0
    """How deep the market falls at two thirds of the time."""


KINDS: Final[Mapping[str, _Character]] = {
    "market": _Character(0.0004, 0.011, cycle=0.0020, shock=0.25),
    "trend": _Character(0.0009, 0.010, cycle=0.0022),
    "range": _Character(0.0, 0.012, pull=0.035, cycle=0.0008),
    "crash": _Character(0.0006, 0.012, shock=0.55),
    "wild": _Character(0.0, 0.028),
}
_START: Final = "2020-01-01"
_CYCLE_BARS: Final = 130.0
_SHOCK_BARS: Final = 25


def demo_bars(demo: Demo) -> pd.DataFrame:
    """Return open, high, low, close and volume on business days; the same arguments give the same prices."""
    character = KINDS[demo.kind]
    chance = np.random.Generator(np.random.PCG64(demo.seed))
    steps = character.drift + character.noise * chance.standard_normal(demo.bars)
    steps += character.cycle * np.sin(np.arange(demo.bars) * (2 * np.pi / _CYCLE_BARS) + chance.uniform(0, 2 * np.pi))
    steps += _shock(demo.bars, character.shock)
    close = 100.0 * np.exp(_path(steps, character.pull))
    gap = 1 + 0.25 * character.noise * chance.standard_normal(demo.bars)
    first = np.concatenate(([100.0], close[:-1])) * gap
    reach = 0.6 * character.noise * np.abs(chance.standard_normal((2, demo.bars)))
    columns = {
        "open": first,
        "high": np.maximum(first, close) * (1 + reach[0]),
        "low": np.minimum(first, close) * (1 - reach[1]),
        "close": close,
    }
    volume = 1e6 * np.exp(0.35 * chance.standard_normal(demo.bars)) * (1 + 18 * np.abs(steps))
    index = pd.bdate_range(_START, periods=demo.bars, name="time")
    rounded: dict[str, Any] = {name: np.round(values, 2) for name, values in columns.items()}
    return pd.DataFrame({**rounded, "volume": np.round(volume)}, index=index)


def _path(steps: Any, pull: float) -> Any:
    """Add the steps up, and draw the sum back to zero."""
    if not pull:
        return np.cumsum(steps)
    place, found = 0.0, np.empty(steps.size)
    for at, step in enumerate(steps.tolist()):
        place = place * (1 - pull) + step
        found[at] = place
    return found


def _shock(bars: int, depth: float) -> Any:
    found = np.zeros(bars)
    first = 2 * bars // 3
    if depth:
        found[first : first + _SHOCK_BARS] = np.log1p(-depth) / _SHOCK_BARS
    return found
