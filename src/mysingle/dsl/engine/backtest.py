"""A backtest: orders or signals through the simulated broker, with costs and sizes, and the figures of the account."""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from mysingle.dsl.engine.broker import BrokerSettings, Request, SimulatedBroker, Trade
from mysingle.dsl.engine.frames import Frame, read_frame
from mysingle.dsl.engine.metrics import holdings
from mysingle.dsl.engine.performance import Performance, follow_orders
from mysingle.dsl.engine.result import Result
from mysingle.dsl.errors import DSLParameterError
from mysingle.dsl.kernels.floats import Array

__all__ = ["backtest", "drawdowns_of", "longest_under_water", "returns_of"]

_PRICES: Final = ("open", "high", "low", "close")
_YEAR_MS: Final = 365.25 * 86_400_000.0


def backtest(
    result: Result, data: Any, settings: BrokerSettings | None = None, percent: float | None = None
) -> Performance:
    """
    Give the account of a run after all costs.

    Its figures, beside those of `measure`:

    - `annual_return`: the constant return a year that gives the total, (end / begin) ** (1 / years) - 1; as in
      `measure` there is none for less than a year;
    - `volatility`: the standard deviation of the returns of the bars (of all of them, not of a sample), a year;
    - `sharpe_annual`: mean over standard deviation of the returns, without a risk-free rate, times the root of the
      bars of a year (W. F. Sharpe, The Sharpe Ratio, Journal of Portfolio Management, 1994);
    - `sortino_annual`: the same over the root of the mean square of the returns below 0 (F. A. Sortino and L. N.
      Price, Performance Measurement in a Downside Risk Framework, Journal of Investing, 1994);
    - `calmar`: `annual_return` over `max_drawdown` (T. W. Young, Calmar Ratio: A Smoother Tool, Futures, 1991);
    - `longest_drawdown`: the most bars in a row below an earlier peak of the account;
    - `fees`: the commission of all fills; `profit`: the end of the account less its beginning;
    - `average_win`, `average_loss`, `expectancy`: mean profit of the trades with a gain, with a loss, and of all;
    - `bars_held`: the mean number of bars from the fill of an entry to that of its exit.

    Args:
        result: what a run gave back; one of a strategy with orders was run with the same settings.
        data: the data of that run, with open, high, low and close.
        settings: capital, costs and rules; `quantity` is for entries that say none.
        percent: for signals: how much of the account an entry takes, by the close of the bar that decides;
            `quantity` when not given.

    Raises:
        DSLParameterError: the strategy gives nothing to follow, or orders with a percentage.
        DSLDataError: a price that is needed is missing from the data.
    """
    chosen, frame = settings or BrokerSettings(), read_frame(data, _PRICES)
    if result.orders:
        if percent is not None:
            raise DSLParameterError("orders say how much themselves; a percentage of the account is for signals")
        return _account(*follow_orders(result.orders, frame, chosen), frame, chosen)
    if set(result.signals) == {"result"} or {"entry", "exit"} <= set(result.signals):
        return _account(*_follow_signals(result.signals, frame, chosen, percent), frame, chosen)
    if result.signals or result.result is not None:
        raise DSLParameterError("the strategy gives neither orders nor `entry` with `exit`, nor one condition")
    return _account(*follow_orders((), frame, chosen), frame, chosen)


def _follow_signals(
    signals: Mapping[str, Any], frame: Frame, settings: BrokerSettings, percent: float | None
) -> tuple[SimulatedBroker, Array]:
    starts, ends = holdings({name: np.asarray(values) for name, values in signals.items()})
    entries, exits = set(starts.tolist()), set(ends.tolist())
    broker, position, price = SimulatedBroker(settings), np.zeros(frame.size), math.nan
    for bar, prices in enumerate(zip(*(frame.columns[name].tolist() for name in _PRICES), strict=True)):
        broker.open_bar(bar, prices)
        price = prices[3] if math.isfinite(prices[3]) else price
        if bar in exits:
            broker.place(Request("close_all", ""))
        elif bar in entries:
            quantity = settings.quantity if percent is None else _share(broker, percent, price)
            if quantity > 0.0:
                broker.place(Request("entry", "signal", "long", qty=quantity))
        position[bar] = broker.size
    return broker, position


def _share(broker: SimulatedBroker, percent: float, price: float) -> float:
    quantity = percent / 100.0 * broker.read("equity") / price if price > 0.0 else 0.0
    return quantity if math.isfinite(quantity) else 0.0


def _account(broker: SimulatedBroker, position: Array, frame: Frame, settings: BrokerSettings) -> Performance:
    trades = tuple(broker.trades)
    equity = np.array(broker.equity_curve)
    curve = np.concatenate(([settings.capital], equity))
    returns, falls = returns_of(curve), drawdowns_of(curve)
    figures = {
        "total_return": float(curve[-1] / curve[0] - 1.0),
        "profit": float(curve[-1] - curve[0]),
        "buy_and_hold": _market(frame),
        "max_drawdown": float(falls.max()),
        "longest_drawdown": float(longest_under_water(falls)),
        "sharpe": _ratio(returns, float(returns.std()) if returns.size else 0.0),
        "exposure": float((position != 0.0).mean()) if position.size else 0.0,
        "fees": broker.fees,
        **_of_trades(trades),
    }
    figures |= _of_years(frame, figures, returns)
    return Performance(basis="orders", equity=equity, position=position, trades=trades, figures=figures)


def returns_of(curve: Array) -> Array:
    """Return the returns from one value to the next; none where there was nothing left to lose."""
    before = curve[:-1]
    found = np.diff(curve)[before > 0.0] / before[before > 0.0]
    return found[np.isfinite(found)]


def drawdowns_of(curve: Array) -> Array:
    """Return how far each value is below the highest one up to it, as a fraction of that."""
    peak = np.maximum.accumulate(curve)
    return np.where(peak > 0.0, (peak - curve) / np.where(peak > 0.0, peak, 1.0), 0.0)


def longest_under_water(falls: Array) -> int:
    """Return the most values in a row that are below an earlier one."""
    longest = current = 0
    for fall in falls.tolist():
        current = current + 1 if fall > 0.0 else 0
        longest = max(longest, current)
    return longest


def _market(frame: Frame) -> float:
    close = frame.columns["close"]
    known = close[np.isfinite(close)]
    return float(known[-1] / known[0] - 1.0) if known.size and known[0] else 0.0


def _of_trades(trades: tuple[Trade, ...]) -> dict[str, float]:
    profits = [trade.profit for trade in trades]
    won, lost = [gain for gain in profits if gain > 0], [-gain for gain in profits if gain < 0]
    return {
        "trades": float(len(trades)),
        "win_rate": len(won) / len(trades) if trades else 0.0,
        "profit_factor": math.fsum(won) / math.fsum(lost) if lost else math.inf if won else 0.0,
        "average_win": math.fsum(won) / len(won) if won else 0.0,
        "average_loss": -math.fsum(lost) / len(lost) if lost else 0.0,
        "expectancy": math.fsum(profits) / len(profits) if profits else 0.0,
        "bars_held": sum(trade.exit_bar - trade.entry_bar for trade in trades) / len(trades) if trades else 0.0,
    }


def _of_years(frame: Frame, figures: Mapping[str, float], returns: Array) -> dict[str, float]:
    if frame.time is None or frame.size < 2 or frame.time[-1] <= frame.time[0]:
        return {}
    years = float(frame.time[-1] - frame.time[0]) / _YEAR_MS
    root = math.sqrt((frame.size - 1) / years)
    below = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2))) if returns.size else 0.0
    found = {
        "volatility": float(returns.std()) * root if returns.size else 0.0,
        "sharpe_annual": figures["sharpe"] * root,
        "sortino_annual": _ratio(returns, below) * root,
    }
    if years >= 1.0 and figures["total_return"] > -1.0:  # a short run says nothing about a year
        found["annual_return"] = math.expm1(math.log1p(figures["total_return"]) / years)
        fall = figures["max_drawdown"]
        found["calmar"] = found["annual_return"] / fall if fall > 0.0 else math.inf
    return found


def _ratio(returns: Array, spread: float) -> float:
    return float(returns.mean()) / spread if returns.size and spread > 1e-15 else 0.0
