"""What a chart of a run shows, before anybody draws it: panels of lines, with entries, exits and time held."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from mysingle.dsl.engine.performance import Performance
from mysingle.dsl.engine.result import PlotRow, Result
from mysingle.dsl.kernels.floats import Array
from mysingle.dsl.workbench.paint import clean

__all__ = ["Chart", "Line", "Marker", "Panel", "Span", "build_chart"]

PRICE: Final = "#1f2937"
PALETTE: Final = ("#2563eb", "#ea7317", "#7c3aed", "#0d9488", "#be185d", "#a16207", "#0891b2", "#4d7c0f")
GAIN: Final = "#15803d"
LOSS: Final = "#b91c1c"
MUTED: Final = "#9ca3af"
_HEX: Final = re.compile(r"#([0-9a-fA-F]{3}){1,2}")
_WORDS: Final = frozenset({
    "black", "blue", "brown", "cyan", "gold", "gray", "green", "grey", "lime", "magenta", "maroon", "navy", "olive",
    "orange", "pink", "purple", "red", "silver", "teal", "violet", "yellow",
})  # fmt: skip
_CANDLES: Final = 160
_INDICATORS: Final = 6
_PANELS: Final = 3
_TICKS: Final = 11
_LARGEST: Final = 1e300


class Line(NamedTuple):
    """One curve; `style` is line, dashed, area or level."""

    name: str
    values: Array
    color: str
    style: str = "line"
    width: float = 1.3


class Marker(NamedTuple):
    """A decision: where, at which price, and whether the position grows (1) or shrinks (-1)."""

    bar: int
    price: float
    direction: int


class Span(NamedTuple):
    """Bars during which a position is held: long is 1, short is -1."""

    first: int
    last: int
    direction: int


@dataclass(slots=True, kw_only=True)
class Panel:
    """Curves on one scale."""

    title: str
    lines: list[Line] = field(default_factory=list)
    weight: float = 1.0
    is_percent: bool = False
    candles: Mapping[str, Array] | None = None

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        arrays = [line.values for line in self.lines]
        arrays += [self.candles["low"], self.candles["high"]] if self.candles else []
        known = [values[np.isfinite(values)] for values in arrays]
        ends = [(float(values.min()), float(values.max())) for values in known if values.size]
        if not ends:
            return 0.0, 1.0
        low, high = min(end[0] for end in ends), max(end[1] for end in ends)
        spare = (high - low) * 0.04 or abs(high) * 0.05 or 1.0
        return low - spare, high + spare


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A whole picture; the first panel shows prices and decisions."""

    title: str
    subtitle: str
    labels: tuple[str, ...]
    ticks: tuple[tuple[int, str], ...]
    panels: tuple[Panel, ...]
    markers: tuple[Marker, ...]
    spans: tuple[Span, ...]
    warm_up: int

    @property
    def size(self) -> int:
        """The number of bars."""
        return len(self.labels)


def build_chart(
    title: str, data: pd.DataFrame, result: Result, account: Performance | None,
    trace: Sequence[tuple[str, int, Any]], last: int | None = None,
) -> Chart:  # fmt: skip
    """
    Arrange price, the strategy's plots (its variables when it plots nothing), decisions and the account.

    Args:
        title: what stands above the picture.
        data: the bars of the run.
        result: what the run gave back.
        account: what following it would have brought, None for an indicator.
        trace: name, line and values of the variables.
        last: show only so many of the last bars; the account is that of the whole run.
    """
    first = max(len(data) - last, 0) if last else 0
    shown = data.iloc[first:]
    price = _price_panel(shown)
    others = _place(price, [_tail(line, first) for line in _curves(result, trace, len(data))])
    panels = [price, *others, *(_account_panels(shown, account.equity[first:]) if account else ())]
    return Chart(
        title=clean(title),
        subtitle=_subtitle(shown, account, is_part=first > 0),
        labels=_labels(shown.index),
        ticks=_ticks(shown.index),
        panels=tuple(panels),
        markers=_markers(data, account, first),
        spans=_spans(account.position[first:]) if account else (),
        warm_up=int(min(max(result.metadata.get("warmup", 0) - first, 0), len(shown))),
    )


def _tail(line: Line, first: int) -> Line:
    return line._replace(values=line.values[first:])


def _price_panel(data: pd.DataFrame) -> Panel:
    columns = {name: _floats(data[name]) for name in ("open", "high", "low", "close") if name in data}
    if len(columns) == 4 and len(data) <= _CANDLES:
        return Panel(title="price", weight=3.2, candles=columns)
    lines = [Line("close", columns["close"], PRICE, width=1.1)] if "close" in columns else []
    return Panel(title="price", weight=3.2, lines=lines)


def _floats(values: Any) -> Array:
    """Give what can be drawn: a picture has no place for numbers near the end of the floats."""
    found = np.asarray(values, dtype=np.float64)
    return np.where(np.abs(found) < _LARGEST, found, np.nan)


def _curves(result: Result, trace: Sequence[tuple[str, int, Any]], size: int) -> list[Line]:
    if result.plots:
        drawn = [(clean(plot.title or plot.name or f"plot {at}"), plot) for at, plot in enumerate(result.plots, 1)]
        return [_plotted(name, plot, size, PALETTE[at % len(PALETTE)]) for at, (name, plot) in enumerate(drawn)]
    found = [
        (name, values) for name, _, values in trace
        if name != "result" and isinstance(values, np.ndarray) and values.dtype == np.float64 and values.size == size
    ]  # fmt: skip
    return [Line(name, values, PALETTE[at % len(PALETTE)]) for at, (name, values) in enumerate(found[:_INDICATORS])]


def _plotted(name: str, plot: PlotRow, size: int, color: str) -> Line:
    is_level = plot.kind == "hline" or not hasattr(plot.values, "__len__")
    values = np.full(size, float(plot.values)) if not hasattr(plot.values, "__len__") else _floats(plot.values)
    if plot.offset:
        values = pd.Series(values).shift(plot.offset).to_numpy()
    is_color = plot.color in _WORDS or _HEX.fullmatch(plot.color)
    style = "level" if is_level else "dashed" if plot.style in ("dashed", "dotted", "dash", "dot") else "line"
    return Line(name, values, plot.color if is_color else MUTED if is_level else color, style,
                min(max(plot.linewidth, 0.5), 5.0) if plot.linewidth else 1.3)  # fmt: skip


def _place(price: Panel, curves: list[Line]) -> list[Panel]:
    """Put each curve where its scale is: over the prices, with others of its kind, or in a panel of its own."""
    panels: list[Panel] = []
    for line in sorted(curves, key=lambda line: line.style == "level"):
        home = next((panel for panel in [price, *panels] if _fits(panel, line)), None)
        if home is None and len(panels) < _PANELS:
            home = Panel(title=line.name)
            panels.append(home)
        if home is not None:
            home.lines.append(line)
    return panels


def _fits(panel: Panel, line: Line) -> bool:
    known = line.values[np.isfinite(line.values)]
    if not known.size:
        return True
    low, high = panel.range
    mine_low, mine_high = float(known.min()), float(known.max())
    if line.style == "level":
        return low <= mine_low <= high
    shared = min(high, mine_high) - max(low, mine_low)
    return shared > 0.3 * max(mine_high - mine_low, 1e-300) and (mine_high - mine_low) > 0.05 * (high - low)


def _account_panels(data: pd.DataFrame, equity: Array) -> list[Panel]:
    curve = equity / (equity[0] or 1.0)
    close = _floats(data["close"])
    priced = close[np.isfinite(close) & (close != 0.0)]
    market = close / (priced[0] if priced.size else 1.0)
    peak = np.maximum.accumulate(curve)
    returns = [
        Line("buy and hold", (market - 1.0) * 100.0, MUTED, width=1.0),
        Line("strategy", (curve - 1.0) * 100.0, GAIN, width=1.5),
    ]
    drawdown = Line("drawdown", (curve / np.where(peak > 0.0, peak, 1.0) - 1.0) * 100.0, LOSS, "area", 0.8)
    return [
        Panel(title="return", lines=returns, weight=1.4, is_percent=True),
        Panel(title="drawdown", lines=[drawdown], weight=0.8, is_percent=True),
    ]


def _markers(data: pd.DataFrame, account: Performance | None, first: int) -> tuple[Marker, ...]:
    if account is None:
        return ()
    before = np.concatenate(([0.0], account.position[:-1]))
    close = _floats(data["close"])
    return tuple(
        Marker(int(bar) - first, float(close[bar]), 1 if account.position[bar] > before[bar] else -1)
        for bar in np.flatnonzero(np.sign(account.position) != np.sign(before))
        if bar >= first and np.isfinite(close[bar])
    )


def _spans(position: Array) -> tuple[Span, ...]:
    signs = np.sign(position)
    edges = np.flatnonzero(np.diff(signs)) + 1
    bounds = [0, *edges.tolist(), signs.size]
    return tuple(
        Span(first, last, int(signs[first])) for first, last in pairwise(bounds)
        if last > first and signs[first]
    )  # fmt: skip


def _subtitle(data: pd.DataFrame, account: Performance | None, *, is_part: bool) -> str:
    labels = _labels(data.index[[0, -1]])
    parts = [f"{len(data):,} bars", f"{labels[0]} to {labels[1]}"]
    if account is not None:
        figures = account.figures
        parts += ["whole run:"] if is_part else []
        parts += [
            f"return {figures['total_return']:+.1%}",
            f"drawdown {figures['max_drawdown']:.1%}",
            f"{int(figures['trades'])} trades",
        ]
    return "   ".join(parts)


def _labels(index: Any) -> tuple[str, ...]:
    if not isinstance(index, pd.DatetimeIndex):
        return tuple(f"bar {value}" for value in index)
    is_daily = bool((index == index.normalize()).all())
    return tuple(index.strftime("%Y-%m-%d" if is_daily else "%Y-%m-%d %H:%M"))


def _ticks(index: Any) -> tuple[tuple[int, str], ...]:
    """Choose the finest calendar step that leaves room for its labels."""
    if not isinstance(index, pd.DatetimeIndex):
        step = max(len(index) // 8, 1)
        return tuple((at, str(index[at])) for at in range(0, len(index), step))
    chosen: list[tuple[int, str]] = []
    for pattern in ("%Y", "%b %Y", "%d %b", "%d %b %H:%M"):
        words = index.strftime(pattern).tolist()
        marks = [(at, str(words[at])) for at in range(1, len(words)) if words[at] != words[at - 1]]
        if len(marks) > _TICKS and chosen:
            break
        chosen = marks[:: -(-len(marks) // _TICKS)] if marks else chosen
    return tuple(chosen)
