"""The simulated broker: one position, market orders at the next open, stops and limits inside the bar."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

__all__ = ["Broker", "BrokerSettings", "FixedBroker", "Request", "SimulatedBroker", "Trade"]

_LONG: Final = frozenset({"long", "buy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """Capital, costs and rules; commission and slippage are fractions of the price, pyramiding counts extra entries."""

    capital: float = 100_000.0
    commission: float = 0.0
    slippage: float = 0.0
    pyramiding: int = 0
    quantity: float = 1.0
    fill: str = "open"


class Request(NamedTuple):
    """What one order statement asks for at one bar; nan is not given."""

    action: str
    id: str
    direction: str = ""
    from_entry: str = ""
    qty: float = math.nan
    limit: float = math.nan
    stop: float = math.nan
    qty_percent: float = 100.0


class Trade(NamedTuple):
    """A part of a position that was closed; `profit` is after the commission of its entry and of its exit."""

    entry_bar: int
    exit_bar: int
    direction: int
    quantity: float
    entry_price: float
    exit_price: float
    profit: float


class Broker(Protocol):
    """What the bar region reads and feeds."""

    def open_bar(self, bar: int, prices: tuple[float, float, float, float]) -> None:
        """Fill what was asked for earlier, with the open, high, low and close of this bar."""

    def read(self, name: str) -> float:
        """Give a value before the orders of this bar."""

    def place(self, request: Request) -> None:
        """Take an order that was decided at this bar."""

    def copy(self) -> "Broker":
        """Give an independent account in the same state."""


class FixedBroker:
    """Gives constants: a caller that keeps the account itself."""

    def __init__(self, values: Mapping[str, float]) -> None:
        self._values = dict(values)

    def open_bar(self, bar: int, prices: tuple[float, float, float, float]) -> None:
        """Nothing happens."""

    def read(self, name: str) -> float:
        """Give the constant; 0 when the caller has none."""
        return float(self._values.get(name, 0.0))

    def place(self, request: Request) -> None:
        """Nothing happens."""

    def copy(self) -> "FixedBroker":
        """Give the account itself: it does not change."""
        return self


class _Lot(NamedTuple):
    id: str
    bar: int
    price: float
    quantity: float


class SimulatedBroker:
    """Keeps cash, one position in lots, and pending orders."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings
        self._cash = settings.capital
        self._lots: list[_Lot] = []
        self._pending: dict[str, Request] = {}
        self._exits: dict[str, Request] = {}
        self._closes: list[Request] = []
        self._bar, self._price = 0, math.nan
        self._peak, self._drawdown = settings.capital, 0.0
        self._returns: list[float] = []
        self._last_equity = settings.capital
        self.fees = 0.0
        """The commission of all fills."""
        self.trades: list[Trade] = []
        self.equity_curve: list[float] = []

    @property
    def size(self) -> float:
        """The position: below 0 is short."""
        return math.fsum(lot.quantity for lot in self._lots)

    def open_bar(self, bar: int, prices: tuple[float, float, float, float]) -> None:
        """Fill what was asked for earlier, then mark the account to the close."""
        self._bar = bar
        opened, high, low, close = prices
        if opened == opened:
            self._close_at(opened)
            self._enter(opened, high, low)
            self._leave(opened, high, low)
        if close == close:
            self._price = close
        self._mark()

    def read(self, name: str) -> float:
        """Give a value of the account before the orders of this bar."""
        match name:
            case "equity":
                return self._equity()
            case "position_size":
                return self.size
            case "unrealized_pnl":
                return self._unrealized()
            case "realized_pnl":
                return math.fsum(trade.profit for trade in self.trades)
            case "drawdown":
                return self._drawdown
            case _:
                return self._sharpe()

    def place(self, request: Request) -> None:
        """Take an order; at the same bar only with `fill="close"`."""
        match request.action:
            case "entry":
                self._pending[request.id] = request
            case "exit":
                self._exits[request.id] = request
            case "cancel":
                self._pending.pop(request.id, None)
                self._exits.pop(request.id, None)
            case _:
                self._closes.append(request)
        if self._settings.fill == "close" and self._price == self._price:
            self._close_at(self._price)
            self._enter(self._price, self._price, self._price)

    def copy(self) -> "SimulatedBroker":
        """Copy lots, orders and trades."""
        twin = SimulatedBroker(self._settings)
        twin.__dict__.update(self.__dict__)
        twin._lots, twin._closes, twin._returns = list(self._lots), list(self._closes), list(self._returns)
        twin._pending, twin._exits = dict(self._pending), dict(self._exits)
        twin.trades, twin.equity_curve = list(self.trades), list(self.equity_curve)
        return twin

    def _close_at(self, price: float) -> None:
        for request in self._closes:
            self._reduce(request.id if request.action == "close" else "", request.qty_percent, price)
        self._closes.clear()

    def _enter(self, opened: float, high: float, low: float) -> None:
        for name, request in list(self._pending.items()):
            sign = 1 if request.direction.lower() in _LONG else -1
            price = _trigger(sign, request, opened, high, low)
            if price is None:
                continue
            del self._pending[name]
            self._fill_entry(request, sign, price)

    def _fill_entry(self, request: Request, sign: int, price: float) -> None:
        if self.size * sign < 0:
            self._reduce("", 100.0, price)
        if len(self._lots) > self._settings.pyramiding:
            return
        quantity = request.qty if request.qty == request.qty else self._settings.quantity
        paid = price * (1 + sign * self._settings.slippage)
        cost = abs(quantity * paid) * self._settings.commission
        self._cash -= sign * quantity * paid + cost
        self.fees += cost
        self._lots.append(_Lot(request.id, self._bar, paid, sign * quantity))

    def _leave(self, opened: float, high: float, low: float) -> None:
        for name, request in list(self._exits.items()):
            if not any(lot.id == request.from_entry or not request.from_entry for lot in self._lots):
                continue
            sign = 1 if self.size > 0 else -1
            price = _bracket(sign, request, opened, high, low)
            if price is not None:
                del self._exits[name]
                self._reduce(request.from_entry, request.qty_percent, price)

    def _reduce(self, name: str, percent: float, price: float) -> None:
        kept: list[_Lot] = []
        for lot in self._lots:
            if name and lot.id != name:
                kept.append(lot)
                continue
            quantity = lot.quantity * min(percent, 100.0) / 100.0
            self._sell(lot, quantity, price)
            if abs(lot.quantity - quantity) > 1e-12:
                kept.append(lot._replace(quantity=lot.quantity - quantity))
        self._lots = kept

    def _sell(self, lot: _Lot, quantity: float, price: float) -> None:
        sign = 1 if quantity > 0 else -1
        got = price * (1 - sign * self._settings.slippage)
        cost = abs(quantity * got) * self._settings.commission
        self._cash += quantity * got - cost
        self.fees += cost
        entry_cost = abs(quantity * lot.price) * self._settings.commission
        profit = quantity * (got - lot.price) - cost - entry_cost
        self.trades.append(Trade(lot.bar, self._bar, sign, abs(quantity), lot.price, got, profit))

    def _unrealized(self) -> float:
        if not self._lots or self._price != self._price:
            return 0.0
        return math.fsum(lot.quantity * (self._price - lot.price) for lot in self._lots)

    def _equity(self) -> float:
        if not self._lots or self._price != self._price:
            return self._cash
        return self._cash + self.size * self._price

    def _mark(self) -> None:
        equity = self._equity()
        self.equity_curve.append(equity)
        self._peak = max(self._peak, equity)
        self._drawdown = (self._peak - equity) / self._peak if self._peak > 0 else 0.0
        if self._last_equity:
            self._returns.append(equity / self._last_equity - 1.0)
        self._last_equity = equity

    def _sharpe(self) -> float:
        count = len(self._returns)
        if count < 2:
            return 0.0
        mean = math.fsum(self._returns) / count
        spread = math.sqrt(math.fsum((value - mean) ** 2 for value in self._returns) / (count - 1))
        return mean / spread if spread else 0.0


def _trigger(sign: int, request: Request, opened: float, high: float, low: float) -> float | None:
    """Give the price at which an entry fills in this bar; a gap through the price fills at the open."""
    stop, limit = request.stop, request.limit
    if stop == stop:
        return _touched(sign, stop, opened, high, low)
    if limit == limit:
        return _touched(-sign, limit, opened, high, low)
    return opened


def _bracket(sign: int, request: Request, opened: float, high: float, low: float) -> float | None:
    """Give the price at which an exit fills; when both could, the stop was first."""
    if request.stop == request.stop:
        stopped = _touched(-sign, request.stop, opened, high, low)
        if stopped is not None:
            return stopped
    if request.limit == request.limit:
        return _touched(sign, request.limit, opened, high, low)
    return opened if request.stop != request.stop else None


def _touched(sign: int, price: float, opened: float, high: float, low: float) -> float | None:
    """Give where a price is met going up (1) or down (-1) in this bar."""
    if sign * (opened - price) >= 0:
        return opened
    reached = high if sign > 0 else low
    return price if sign * (reached - price) >= 0 else None
