"""What following a strategy would have brought: equity, trades and figures, from its orders or its signals."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mysingle.dsl.engine.broker import BrokerSettings, Request, SimulatedBroker, Trade
from mysingle.dsl.engine.frames import Frame, read_frame
from mysingle.dsl.engine.metrics import METRICS, Market, holdings
from mysingle.dsl.engine.result import OrderRow, Result
from mysingle.dsl.kernels.floats import Array

__all__ = ["Performance", "follow_orders", "measure"]

_PRICES: Final = ("open", "high", "low", "close")
_YEAR_MS: Final = 365.25 * 86_400_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """
    The account of one run, bar by bar.

    Shares such as returns and drawdowns are fractions; the Sharpe ratio is per bar, without a risk-free rate, and
    `sharpe_annual` is the same scaled to a year. Figures that need the time of the bars are missing without it.
    """

    basis: str
    """orders: the simulated broker's account; signals: the whole capital while a position is held, close to close."""
    equity: Array
    position: Array
    trades: tuple[Trade, ...]
    figures: Mapping[str, float]


def measure(result: Result, data: Any, settings: BrokerSettings | None = None) -> Performance | None:
    """
    Measure the run that gave this result.

    Args:
        result: what a run gave back.
        data: the data of that run; orders need open, high, low and close, signals close.
        settings: capital, costs and rules for orders.

    Returns:
        None when the strategy gives neither orders nor a signal: `entry` with `exit`, or one condition.

    Raises:
        DSLDataError: a price that is needed is missing from the data.
    """
    if result.orders:
        return _of_orders(result.orders, read_frame(data, _PRICES), settings or BrokerSettings())
    if set(result.signals) == {"result"} or {"entry", "exit"} <= set(result.signals):
        return _of_signals(result.signals, read_frame(data, ("close",)))
    return None


def follow_orders(
    orders: tuple[OrderRow, ...], frame: Frame, settings: BrokerSettings
) -> tuple[SimulatedBroker, Array]:
    """Place the orders of a run anew, and return the broker behind the last bar and the position at each."""
    broker = SimulatedBroker(settings)
    position = np.zeros(frame.size)
    by_bar: dict[int, list[OrderRow]] = {}
    for row in orders:
        by_bar.setdefault(row.bar, []).append(row)
    for bar, prices in enumerate(zip(*(frame.columns[name].tolist() for name in _PRICES), strict=True)):
        broker.open_bar(bar, prices)
        for row in by_bar.get(bar, ()):
            broker.place(_request(row))
        position[bar] = broker.size
    return broker, position


def _of_orders(orders: tuple[OrderRow, ...], frame: Frame, settings: BrokerSettings) -> Performance:
    broker, position = follow_orders(orders, frame, settings)
    equity = np.array(broker.equity_curve)
    curve = np.concatenate(([settings.capital], equity))
    returns = np.diff(curve) / np.where(curve[:-1] == 0.0, np.nan, curve[:-1])
    figures = {
        "total_return": float(curve[-1] / curve[0] - 1.0),
        "sharpe": _sharpe(returns),
        "max_drawdown": float(_drawdown(curve).max()),
        "win_rate": _share([trade.profit > 0 for trade in broker.trades]),
        "trades": float(len(broker.trades)),
    }
    return _finish("orders", frame, equity, position, tuple(broker.trades), figures)


def _request(row: OrderRow) -> Request:
    return Request(
        row.action, row.id, row.direction, row.from_entry, row.qty, row.limit, row.stop, row.qty_percent
    )  # fmt: skip


def _of_signals(signals: Mapping[str, Any], frame: Frame) -> Performance:
    close = frame.columns["close"]
    market = Market(close)
    outputs = {name: np.asarray(values) for name, values in signals.items()}
    held = holdings(outputs)
    marks = np.zeros(frame.size + 1)
    np.add.at(marks, held[0], 1.0)
    np.add.at(marks, held[1], -1.0)
    position = np.cumsum(marks[:-1])
    earned = np.zeros(frame.size)
    earned[1:] = market.returns[1:] * position[:-1]
    figures = {name: metric(held, market) for name, metric in METRICS.items()}
    trades = tuple(
        Trade(int(a), int(b), 1, 1.0, float(close[a]), float(close[b]), math.expm1(market.log[b] - market.log[a]))
        for a, b in zip(*held, strict=True)
    )
    return _finish("signals", frame, np.exp(np.cumsum(earned)), position, trades, figures)


def _finish(
    basis: str, frame: Frame, equity: Array, position: Array, trades: tuple[Trade, ...], figures: dict[str, float]
) -> Performance:
    close = frame.columns["close"]
    won = math.fsum(trade.profit for trade in trades if trade.profit > 0)
    lost = -math.fsum(trade.profit for trade in trades if trade.profit < 0)
    figures["profit_factor"] = won / lost if lost else math.inf if won else 0.0
    figures["exposure"] = float((position != 0.0).mean()) if position.size else 0.0
    prices = close[np.isfinite(close)]
    figures["buy_and_hold"] = float(prices[-1] / prices[0] - 1.0) if prices.size and prices[0] else 0.0
    figures |= _yearly(frame, figures)
    return Performance(basis=basis, equity=equity, position=position, trades=trades, figures=figures)


def _yearly(frame: Frame, figures: Mapping[str, float]) -> dict[str, float]:
    if frame.time is None or frame.size < 2 or figures["total_return"] <= -1.0:
        return {}
    years = float(frame.time[-1] - frame.time[0]) / _YEAR_MS
    found = {"sharpe_annual": figures["sharpe"] * math.sqrt((frame.size - 1) / years)}
    if years >= 1.0:  # a short run says nothing about a year
        found["annual_return"] = math.expm1(math.log1p(figures["total_return"]) / years)
    return found


def _sharpe(returns: Array) -> float:
    known = returns[np.isfinite(returns)]
    spread = float(known.std()) if known.size else 0.0
    return float(known.mean()) / spread if spread > 1e-15 else 0.0


def _drawdown(curve: Array) -> Array:
    peak = np.maximum.accumulate(curve)
    return np.where(peak > 0.0, (peak - curve) / np.where(peak > 0.0, peak, 1.0), 0.0)


def _share(found: list[bool]) -> float:
    return sum(found) / len(found) if found else 0.0
