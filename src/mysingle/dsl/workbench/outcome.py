"""The outcome of a run for people and for programs: figures, trades, signals and the last values."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from mysingle.dsl.engine.performance import Performance
from mysingle.dsl.engine.result import Result
from mysingle.dsl.workbench.paint import Paint, clean, table
from mysingle.dsl.workbench.report import shown

__all__ = ["FIGURES", "label", "outcome", "outcome_document"]

_LAST: Final = 8
FIGURES: Final[Mapping[str, tuple[str, Callable[[float], str]]]] = {
    "total_return": ("return", "{:+.2%}".format),
    "annual_return": ("return, a year", "{:+.2%}".format),
    "buy_and_hold": ("buy and hold", "{:+.2%}".format),
    "max_drawdown": ("largest drawdown", "{:.2%}".format),
    "sharpe": ("Sharpe, a bar", "{:.4f}".format),
    "sharpe_annual": ("Sharpe, a year", "{:.2f}".format),
    "trades": ("trades", "{:,.0f}".format),
    "win_rate": ("trades won", "{:.1%}".format),
    "profit_factor": ("won / lost", "{:.2f}".format),
    "exposure": ("time in the market", "{:.1%}".format),
}


def outcome(name: str, data: pd.DataFrame, result: Result, account: Performance | None, paint: Paint) -> Iterator[str]:
    """Give the run as text: what it would have brought, its last trades or values, and its warnings."""
    ends = f"{label(data.index, 0)} to {label(data.index, -1)}"
    yield paint.bold(f"{clean(name)}: {len(data):,} bars, {ends}")
    if account is not None:
        yield ""
        yield from _figures(account, paint)
        yield from _trades(data, account, paint)
    yield from _counts(result)
    if account is None:
        yield from _values(data, result, paint)
    for warning in result.warnings:
        yield paint.warn(f"warning: {clean(warning)}")
    if result.lookahead:
        yield paint.warn("warning: the strategy looks ahead; these figures cannot be reached in real time")


def label(index: Any, at: int) -> str:
    """Name a bar by its time, or by its number."""
    value = index[at]
    if isinstance(value, pd.Timestamp):
        return str(value).removesuffix(" 00:00:00")
    return f"bar {value}"


def _figures(account: Performance, paint: Paint) -> Iterator[str]:
    for key, (words, write) in FIGURES.items():
        if key not in account.figures:
            continue
        value = account.figures[key]
        text = f"{write(value):>12}"
        mark = paint.bad if key.endswith("return") and value < 0 else paint.good if key == "total_return" else str
        yield f"  {words:<20}{mark(text)}"


def _trades(data: pd.DataFrame, account: Performance, paint: Paint) -> Iterator[str]:
    trades = account.trades[-_LAST:]
    if not trades:
        return
    is_money = account.basis == "orders"
    rows = [
        (
            label(data.index, trade.entry_bar), label(data.index, trade.exit_bar),
            "long" if trade.direction > 0 else "short", f"{trade.quantity:,.6g}", f"{trade.entry_price:,.6g}",
            f"{trade.exit_price:,.6g}", f"{trade.profit:+,.2f}" if is_money else f"{trade.profit:+.2%}",
        )
        for trade in trades
    ]  # fmt: skip
    head = ("entry", "exit", "side", "quantity", "from", "to", "profit")
    yield ""
    if len(account.trades) > len(trades):
        yield paint.dim(f"  the last {len(trades)} of {len(account.trades)} trades")
    yield from table(rows, head, paint)


def _counts(result: Result) -> Iterator[str]:
    rows = [(name, f"{int(np.asarray(values).sum()):,}") for name, values in result.signals.items()]
    rows += [("orders", f"{len(result.orders):,}")] if result.orders else []
    rows += [("alerts", f"{len(result.alerts):,}")] if result.alerts else []
    if rows:
        yield ""
        yield from table([(f"bars with {name}" if name in result.signals else name, count) for name, count in rows])


def _values(data: pd.DataFrame, result: Result, paint: Paint) -> Iterator[str]:
    found = result.result
    if found is None:
        return
    columns = {"result": found} if isinstance(found, pd.Series) else {str(name): found[name] for name in found.columns}
    first = max(len(data) - _LAST, 0)
    rows = [
        (label(data.index, at), *(shown(values.iloc[at].item()) for values in columns.values()))
        for at in range(first, len(data))
    ]
    yield ""
    yield from table(rows, ("bar", *columns), paint)


def outcome_document(name: str, data: pd.DataFrame, result: Result, account: Performance | None) -> dict[str, Any]:
    """Return the run as data that JSON can hold: a missing or infinite number is null."""
    return {
        "strategy": name,
        "bars": len(data),
        "first": label(data.index, 0),
        "last": label(data.index, -1),
        "basis": account.basis if account else None,
        "figures": {key: _number(value) for key, value in account.figures.items()} if account else {},
        "signals": {key: int(np.asarray(values).sum()) for key, values in result.signals.items()},
        "orders": len(result.orders),
        "alerts": len(result.alerts),
        "trades": [_trade(data, trade) for trade in account.trades] if account else [],
        "lookahead": result.lookahead,
        "warnings": list(result.warnings),
        "warmup": _number(result.metadata["warmup"]),
    }


def _trade(data: pd.DataFrame, trade: Any) -> dict[str, Any]:
    return {
        "entry": label(data.index, trade.entry_bar),
        "exit": label(data.index, trade.exit_bar),
        "direction": "long" if trade.direction > 0 else "short",
        "quantity": _number(trade.quantity),
        "entry_price": _number(trade.entry_price),
        "exit_price": _number(trade.exit_price),
        "profit": _number(trade.profit),
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
