"""Orders, alerts and plots: what the masks of a program say, bar by bar."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mysingle.dsl.engine.budget import Budget
from mysingle.dsl.engine.frames import Frame, write_series
from mysingle.dsl.engine.result import AlertRow, OrderRow, PlotRow
from mysingle.dsl.engine.vector import VectorRun
from mysingle.dsl.errors import DSLExecutionError
from mysingle.dsl.ir.program import Order, Program
from mysingle.dsl.limits import LIMITS

__all__ = ["alert_rows", "order_rows", "plot_rows"]


def order_rows(run: VectorRun, masks: Sequence[Any], warnings: list[str]) -> tuple[OrderRow, ...]:
    """Give the orders by bar, then in source order; one whose quantity or price is missing is dropped and counted."""
    program = run.plan.program
    rows: list[OrderRow] = []
    dropped = 0
    for at, (order, mask) in enumerate(zip(program.orders, masks, strict=True)):
        found, lost = _rows_of(run, order, mask, at)
        rows += found
        dropped += lost
    if dropped:
        warnings.append(f"{dropped} orders were dropped: their quantity, limit or stop is missing at that bar")
    rows.sort(key=lambda row: (row.bar, row.statement))
    _refuse_crowd(rows)
    return tuple(rows)


def _rows_of(run: VectorRun, order: Order, mask: Any, at: int) -> tuple[list[OrderRow], int]:
    bars = np.flatnonzero(mask)
    nodes = {"qty": order.qty, "limit": order.limit, "stop": order.stop, "qty_percent": order.qty_percent}
    numbers = {name: _at_bars(run, node, bars) for name, node in nodes.items()}
    given = [numbers[name] for name in order.prices]
    whole = ~np.isnan(np.array(given)).any(axis=0) if given else np.ones(bars.size, dtype=np.bool_)
    percents = numbers["qty_percent"] if order.qty_percent >= 0 else np.full(bars.size, 100.0)
    rows = [
        OrderRow(bar, order.id, order.action, order.direction, qty, limit, stop, order.comment, order.line,
                 order.from_entry, percent, at)
        for bar, qty, limit, stop, percent, is_whole in zip(
            bars.tolist(), numbers["qty"].tolist(), numbers["limit"].tolist(), numbers["stop"].tolist(),
            percents.tolist(), whole.tolist(), strict=True)
        if is_whole
    ]  # fmt: skip
    return rows, int(bars.size - whole.sum())


def _at_bars(run: VectorRun, index: int, bars: Any) -> Any:
    if index < 0:
        return np.full(bars.size, math.nan)
    value = run.advance(index)
    return value[bars] if isinstance(value, np.ndarray) else np.full(bars.size, value, dtype=np.float64)


def _refuse_crowd(rows: Sequence[OrderRow]) -> None:
    most = LIMITS.order_events_per_bar
    for at in range(most, len(rows)):
        if rows[at].bar == rows[at - most].bar:
            raise DSLExecutionError(
                f"Bar {rows[at].bar} has more than {most} orders, the limit", line=rows[at].line or None
            )


def alert_rows(program: Program, masks: Sequence[Any]) -> tuple[AlertRow, ...]:
    """Give one alert for each true bar, by bar."""
    rows = [
        AlertRow(bar, alert.message, alert.freq, alert.line)
        for alert, mask in zip(program.alerts, masks, strict=True)
        for bar in np.flatnonzero(mask).tolist()
    ]
    return tuple(sorted(rows, key=lambda row: row.bar))


def plot_rows(run: VectorRun, frame: Frame, budget: Budget) -> tuple[PlotRow, ...]:
    """Give every plot in the form of the data; a raw column is given as it came."""
    rows, size = [], 0
    for plot in run.plan.program.plots:
        values = run.advance(plot.node)
        node = run.plan.program.nodes[run.plan.target(plot.node)]
        if plot.mask >= 0:
            values = np.where(run.advance(plot.mask), values, np.nan)
        elif node.op == "col":
            drawn: Any = frame.originals[str(node.imm[0])]
            rows.append(_row(plot, drawn))
            continue
        if isinstance(values, np.ndarray):
            size += values.nbytes
            budget.refuse_output(size)
            values = write_series(frame, values.astype(np.float64) if values.dtype == np.bool_ else values.copy())
        rows.append(_row(plot, values))
    return tuple(rows)


def _row(plot: Any, values: Any) -> PlotRow:
    return PlotRow(
        plot.name, values, plot.kind, plot.title, plot.color, plot.style, plot.linewidth, plot.offset, plot.line
    )
