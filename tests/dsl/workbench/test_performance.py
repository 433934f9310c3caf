from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mysingle import dsl
from mysingle.dsl.engine.broker import BrokerSettings
from mysingle.dsl.engine.metrics import METRICS, Market, holdings
from mysingle.dsl.engine.performance import Performance, measure

CROSS = "result = {'entry': crossover(close, SMA(close, 5)), 'exit': crossunder(close, SMA(close, 5))}"
ORDERS = """
if crossover(close, SMA(close, 5)):
    strategy.entry("L", strategy.long, qty=10)
if crossunder(close, SMA(close, 5)):
    strategy.close("L")
"""
ACCOUNT = """
if strategy.position_size == 0 and crossover(close, SMA(close, 5)):
    strategy.entry("L", strategy.long, qty=strategy.equity * 0.5 / close)
if strategy.position_size > 0 and close < SMA(close, 5):
    strategy.close("L")
result = close > open
"""


@pytest.fixture(scope="module")
def frame(bars: Callable[..., Any]) -> pd.DataFrame:
    return pd.DataFrame(bars(600), index=pd.date_range("2020-01-01", periods=600))


def measured(source: str, frame: pd.DataFrame, settings: BrokerSettings | None = None) -> Performance:
    found = measure(dsl.compile(source).run(frame, broker=settings), frame, settings)
    assert found is not None
    return found


def test_signals_are_measured_like_a_sweep(frame: pd.DataFrame) -> None:
    """The figures of signals are those by which a sweep orders its combinations."""
    result = dsl.compile(CROSS).run(frame)
    found = measured(CROSS, frame)
    market = Market(frame["close"].to_numpy())
    held = holdings({name: np.asarray(values) for name, values in result.signals.items()})

    assert found.basis == "signals"
    assert {name: found.figures[name] for name in METRICS} == {
        name: metric(held, market) for name, metric in METRICS.items()
    }


def test_equity_ends_at_the_return(frame: pd.DataFrame) -> None:
    """The curve of the account and the return say the same, and so do its trades."""
    found = measured(CROSS, frame)

    assert found.equity[-1] - 1.0 == pytest.approx(found.figures["total_return"])
    assert np.prod([1.0 + trade.profit for trade in found.trades]) == pytest.approx(found.equity[-1])
    assert found.figures["trades"] == len(found.trades)
    assert found.figures["exposure"] == pytest.approx((found.position != 0).mean())


def test_always_in_the_market_is_buy_and_hold(frame: pd.DataFrame) -> None:
    """A condition that always holds earns what the market earns, in one trade."""
    found = measured("result = close > 0", frame)

    assert found.figures["total_return"] == pytest.approx(found.figures["buy_and_hold"])
    assert found.figures["trades"] == 1


def test_orders_by_hand() -> None:
    """An order is filled at the next open: two bars after the cross the account has earned the difference."""
    close = [10.0, 10.0, 10.0, 10.0, 10.0, 12.0, 13.0, 9.0, 8.0, 8.0]
    opened = [10.0, 10.0, 10.0, 10.0, 10.0, 11.0, 12.5, 13.0, 9.5, 8.0]
    data = pd.DataFrame({"open": opened, "high": [14.0] * 10, "low": [7.0] * 10, "close": close, "volume": 1.0})
    found = measured(ORDERS, data, BrokerSettings(capital=1_000.0))
    (trade,) = found.trades

    assert (trade.entry_bar, trade.exit_bar, trade.entry_price, trade.exit_price) == (6, 8, 12.5, 9.5)
    assert found.figures["total_return"] == pytest.approx(-30.0 / 1_000.0)
    assert found.position.tolist() == [0, 0, 0, 0, 0, 0, 10, 10, 0, 0]
    assert found.figures["max_drawdown"] == pytest.approx(1 - 965 / 1005)
    assert (found.figures["win_rate"], found.figures["profit_factor"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    "settings",
    [BrokerSettings(), BrokerSettings(capital=5_000.0, commission=0.001, slippage=0.0005)],
    ids=["free", "costs"],
)
def test_the_account_is_that_of_the_run(frame: pd.DataFrame, settings: BrokerSettings) -> None:
    """Replaying the orders gives the account that the strategy itself has read."""
    result = dsl.compile(ACCOUNT).run(frame, broker=settings)
    found = measured(ACCOUNT, frame, settings)

    assert found.basis == "orders"
    assert found.equity[-1] == pytest.approx(result.stats["equity"])
    assert (found.figures["trades"], found.figures["win_rate"]) == (result.stats["trades"], result.stats["win_rate"])


@pytest.mark.parametrize("commission", [0.0, 0.002])
def test_trades_add_up_to_the_account(frame: pd.DataFrame, commission: float) -> None:
    """The profit of a trade bears the commission of both fills: all profits are what a closed account has earned."""
    settings = BrokerSettings(capital=5_000.0, commission=commission, slippage=0.0005)
    found = measured(ORDERS, frame, settings)
    closed = found.trades[-1].exit_bar

    assert found.position[closed] == 0
    assert sum(trade.profit for trade in found.trades) == pytest.approx(found.equity[closed] - 5_000.0)


def test_a_year_needs_a_time(frame: pd.DataFrame) -> None:
    """Figures a year are there when the bars have a time, and a return a year when they span one."""
    long, short, timeless = (measured(CROSS, data) for data in (frame, frame.iloc[:300], frame.reset_index(drop=True)))

    assert {"annual_return", "sharpe_annual"} <= set(long.figures)
    assert set(long.figures) - set(short.figures) == {"annual_return"}
    assert set(long.figures) - set(timeless.figures) == {"annual_return", "sharpe_annual"}


@pytest.mark.parametrize("source", ["result = RSI(close, 14)", "result = {'a': close > open, 'b': close < open}"])
def test_indicators_have_no_account(frame: pd.DataFrame, source: str) -> None:
    """What is no decision is not measured."""
    assert measure(dsl.compile(source).run(frame), frame) is None
