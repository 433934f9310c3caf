"""Bars that look like prices, the same on every machine: no generator of a library, whose numbers may change."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import pytest

from mysingle.dsl.engine.run import Runner
from mysingle.dsl.lang.lower import compile_source

Bars = dict[str, np.ndarray]


def make_bars(size: int, seed: int = 1) -> Bars:
    state = seed
    price = 100.0
    rows = []
    for at in range(size):
        draws = []
        for _ in range(5):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            draws.append(state / 2**64 - 0.5)
        first = price
        price *= math.exp(0.04 * draws[0] + 0.002 * math.sin(at / 9.0))
        high = max(first, price) * (1.0 + 0.02 * abs(draws[1]))
        low = min(first, price) * (1.0 - 0.02 * abs(draws[2]))
        rows.append((first, high, low, price, float(round(50_000 + 90_000 * draws[3]))))
    columns = np.array(rows).reshape(size, 5).T
    return dict(zip(("open", "high", "low", "close", "volume"), np.ascontiguousarray(columns), strict=True))


def make_candles(size: int, seed: int = 5) -> Bars:
    """Short and long bodies, shadows and gaps in all orders: nearly every candlestick pattern occurs in them."""
    state, close, rows = seed, 400.0, []
    bodies, shadows, gaps = (
        (0.0, 0.2, 1.0, 3.0, 6.0, 9.0),
        (0.0, 0.0, 0.1, 1.0, 4.0, 9.0),
        (0.0, 0.0, 0.1, 1.0, 2.0, 4.0),
    )

    def draw(count: int) -> int:
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % count

    for _ in range(size):
        first = close + gaps[draw(6)] * (1 if draw(2) else -1)
        close = first + bodies[draw(6)] * (1 if draw(2) else -1)
        close += 50.0 if close < 100.0 else -50.0 if close > 900.0 else 0.0
        rows.append((first, max(first, close) + shadows[draw(6)], min(first, close) - shadows[draw(6)], close, 1e4))
    columns = np.array(rows).reshape(size, 5).T
    return dict(zip(("open", "high", "low", "close", "volume"), np.ascontiguousarray(columns), strict=True))


def shaped(bars: Bars, shape: str) -> Bars:
    size = bars["close"].size
    match shape:
        case "flat":
            return {name: np.full(size, 50.0) for name in bars}
        case "ticks":
            return {name: np.round(values * 2) / 2 for name, values in bars.items()}
        case "prefix":
            return {name: np.where(np.arange(size) < 17, np.nan, values) for name, values in bars.items()}
        case "gaps":
            holes = {name: (np.arange(size) * 7 + 3 * k) % 41 == 5 for k, name in enumerate(bars)}
            return {name: np.where(holes[name], np.nan, values) for name, values in bars.items()}
        case "zeros":
            return {name: values * 0.0 for name, values in bars.items()}
        case "small":
            return {name: values * 1e-8 for name, values in bars.items()}
        case "huge":
            return {name: values * 1e150 for name, values in bars.items()}
        case _:
            return bars


@cache
def _made(size: int, shape: str, seed: int) -> Bars:
    found = make_candles(size) if shape == "candles" else shaped(make_bars(size, seed), shape)
    for values in found.values():
        values.flags.writeable = False
    return found


@pytest.fixture(scope="session")
def bars() -> Callable[..., Bars]:
    """Give bars by size, shape and seed; they are made once and cannot be written to."""
    return lambda size=300, shape="random", seed=1: dict(_made(size, shape, seed))


@pytest.fixture(scope="session")
def runner() -> Callable[..., Runner]:
    return lambda source, **how: Runner(compile_source(source, **how).program)


@pytest.fixture(scope="session")
def frame(bars) -> Callable[..., pd.DataFrame]:
    def make(size: int = 400, shape: str = "random", freq: str = "h") -> pd.DataFrame:
        return pd.DataFrame(bars(size, shape), index=pd.date_range("2024-01-01", periods=size, freq=freq))

    return make
