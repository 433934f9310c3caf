"""What a run gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["AlertRow", "OrderRow", "PlotRow", "Result"]


class OrderRow(NamedTuple):
    """One order at one bar; nan and the empty text are not given. `statement` is its place in the source order."""

    bar: int
    id: str
    action: str
    direction: str
    qty: float
    limit: float
    stop: float
    comment: str
    line: int
    from_entry: str = ""
    qty_percent: float = 100.0
    statement: int = 0


class PlotRow(NamedTuple):
    """One line to draw, in the form of the data."""

    name: str
    values: Any
    kind: str = "plot"
    title: str = ""
    color: str = ""
    style: str = ""
    linewidth: float = 0.0
    offset: int = 0
    line: int = 0


class AlertRow(NamedTuple):
    """One alert at one bar."""

    bar: int
    message: str
    freq: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcome of one run; arrays in it are copies or read-only."""

    result: Any = None
    signals: Mapping[str, Any] = field(default_factory=dict)
    orders: tuple[OrderRow, ...] = ()
    plots: tuple[PlotRow, ...] = ()
    alerts: tuple[AlertRow, ...] = ()
    stats: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    lookahead: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
