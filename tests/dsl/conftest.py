"""Bars that look like prices, the same on every machine: no generator of a library, whose numbers may change."""

import math
from collections.abc import Callable

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


@pytest.fixture(scope="session")
def bars() -> Callable[..., Bars]:
    return lambda size=300, shape="random", seed=1: shaped(make_bars(size, seed), shape)


@pytest.fixture(scope="session")
def runner() -> Callable[..., Runner]:
    return lambda source, **how: Runner(compile_source(source, **how).program)


@pytest.fixture(scope="session")
def frame(bars) -> Callable[..., pd.DataFrame]:
    def make(size: int = 400, shape: str = "random", freq: str = "h") -> pd.DataFrame:
        return pd.DataFrame(bars(size, shape), index=pd.date_range("2024-01-01", periods=size, freq=freq))

    return make
