"""A backtest for people and for programs: figures, years and trades as text, data, CSV and a page."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from mysingle.dsl.engine.performance import Performance
from mysingle.dsl.workbench.outcome import label
from mysingle.dsl.workbench.paint import Paint, clean, table

__all__ = ["backtest_document", "backtest_html", "backtest_text", "write_equity", "write_trades"]

_LAST: Final = 10
_ON_PAGE: Final = 500
_GROUPS: Final[tuple[tuple[tuple[str, str, str], ...], ...]] = (
    (
        ("total_return", "return", "{:+.2%}"), ("annual_return", "return, a year", "{:+.2%}"),
        ("buy_and_hold", "buy and hold", "{:+.2%}"), ("profit", "profit", "{:+,.2f}"), ("fees", "fees", "{:,.2f}"),
        ("exposure", "time in the market", "{:.1%}"),
    ),
    (
        ("volatility", "volatility, a year", "{:.2%}"), ("sharpe_annual", "Sharpe, a year", "{:.2f}"),
        ("sortino_annual", "Sortino, a year", "{:.2f}"), ("calmar", "Calmar", "{:.2f}"),
        ("max_drawdown", "largest drawdown", "{:.2%}"), ("longest_drawdown", "longest, in bars", "{:,.0f}"),
    ),
    (
        ("trades", "trades", "{:,.0f}"), ("win_rate", "trades won", "{:.1%}"),
        ("profit_factor", "won / lost", "{:.2f}"),
        ("average_win", "average gain", "{:+,.2f}"), ("average_loss", "average loss", "{:+,.2f}"),
        ("expectancy", "average of all", "{:+,.2f}"), ("bars_held", "bars held", "{:,.1f}"),
    ),
)  # fmt: skip
_HEAD: Final = ("entry", "exit", "side", "quantity", "from", "to", "profit")


def backtest_text(name: str, data: pd.DataFrame, account: Performance, capital: float, paint: Paint) -> Iterator[str]:
    """Give the account as text: figures, years, and the last trades."""
    ends = f"{label(data.index, 0)} to {label(data.index, -1)}"
    yield paint.bold(f"{clean(name)}: {len(data):,} bars, {ends}, {capital:,.2f} at the beginning")
    for group in _GROUPS:
        yield ""
        for key, words, value in _shown(group, account.figures):
            mark = paint.bad if value.startswith("-") else paint.good if key == "total_return" else str
            yield f"  {words:<20}{mark(f'{value:>14}')}"
    years = _years(data, account.equity, capital)
    if years:
        yield ""
        yield from table([(str(year), f"{value:+.2%}") for year, value in years.items()], ("year", "return"), paint)
    rows = [_row(data, trade) for trade in account.trades[-_LAST:]]
    if rows:
        yield ""
        if len(account.trades) > len(rows):
            yield paint.dim(f"  the last {len(rows)} of {len(account.trades)} trades")
        yield from table(rows, _HEAD, paint)
    if account.position.size and account.position[-1]:
        yield ""
        yield f"  a position of {account.position[-1]:,.6g} is open at the end"


def backtest_document(name: str, data: pd.DataFrame, account: Performance, capital: float) -> dict[str, Any]:
    """Return the account as data that JSON can hold: a missing or infinite number is null."""
    return {
        "strategy": name,
        "bars": len(data),
        "first": label(data.index, 0),
        "last": label(data.index, -1),
        "capital": capital,
        "figures": {key: _number(value) for key, value in account.figures.items()},
        "years": {str(year): value for year, value in _years(data, account.equity, capital).items()},
        "trades": [dict(zip(_FIELDS, _fields(data, trade), strict=True)) for trade in account.trades],
        "position": _number(float(account.position[-1])) if account.position.size else 0.0,
    }


def backtest_html(data: pd.DataFrame, account: Performance, capital: float) -> str:
    """Return figures, years and trades as HTML, for the page of the chart."""
    figures = [(words, value) for group in _GROUPS for _, words, value in _shown(group, account.figures)]
    years = [(str(year), f"{value:+.2%}") for year, value in _years(data, account.equity, capital).items()]
    trades = [_row(data, trade) for trade in account.trades[-_ON_PAGE:]]
    parts = [_html(("figure", ""), figures), _html(("year", "return"), years), _html(_HEAD, trades)]
    if len(account.trades) > len(trades):
        parts.append(f"<p>The last {len(trades)} of {len(account.trades)} trades.</p>")
    return "\n".join(parts)


def write_trades(data: pd.DataFrame, account: Performance, path: Path) -> None:
    """
    Write every trade as CSV.

    Raises:
        OSError: the file cannot be written.
    """
    _write_csv(path, _FIELDS, (_fields(data, trade) for trade in account.trades))


def write_equity(data: pd.DataFrame, account: Performance, path: Path) -> None:
    """
    Write the account and the position at each bar as CSV.

    Raises:
        OSError: the file cannot be written.
    """
    rows = zip(account.equity.tolist(), account.position.tolist(), strict=True)
    _write_csv(path, ("bar", "equity", "position"), ((label(data.index, at), *row) for at, row in enumerate(rows)))


_FIELDS: Final = ("entry", "exit", "direction", "quantity", "entry_price", "exit_price", "profit")


def _fields(data: pd.DataFrame, trade: Any) -> tuple[Any, ...]:
    side = "long" if trade.direction > 0 else "short"
    numbers = (trade.quantity, trade.entry_price, trade.exit_price, trade.profit)
    return label(data.index, trade.entry_bar), label(data.index, trade.exit_bar), side, *map(_number, numbers)


def _row(data: pd.DataFrame, trade: Any) -> tuple[str, ...]:
    entry, leave, side, quantity, begin, end, profit = _fields(data, trade)
    return entry, leave, side, f"{quantity:,.6g}", f"{begin:,.6g}", f"{end:,.6g}", f"{profit:+,.2f}"


def _shown(group: tuple[tuple[str, str, str], ...], figures: Mapping[str, float]) -> Iterator[tuple[str, str, str]]:
    for key, words, form in group:
        if key in figures:
            yield key, words, form.format(figures[key])


def _years(data: pd.DataFrame, equity: Any, capital: float) -> dict[int, float]:
    """Return what each calendar year has brought; nothing without times, or when nothing was left."""
    if not isinstance(data.index, pd.DatetimeIndex) or not len(data) or (np.asarray(equity) <= 0.0).any():
        return {}
    found, before = {}, capital
    for year, values in pd.Series(equity, data.index).groupby(data.index.year):
        found[int(year)] = float(values.iloc[-1] / before - 1.0)
        before = float(values.iloc[-1])
    return found


def _html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = ["<table><tr>", *(f"<th>{escape(cell)}</th>" for cell in head), "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(clean(cell))}</td>" for cell in row) + "</tr>" for row in rows]
    return "\n".join([*lines, "</table>"])


def _write_csv(path: Path, head: tuple[str, ...], rows: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(head)
        out.writerows(rows)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
