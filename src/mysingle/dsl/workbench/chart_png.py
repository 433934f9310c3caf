"""A chart as a picture, drawn by matplotlib."""

import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib import font_manager, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter

from mysingle.dsl.workbench.chart import GAIN, LOSS, MUTED, PRICE, Chart, Line, Panel

__all__ = ["write_png"]

_WIDTH, _UNIT, _DPI = 13.0, 1.55, 110
_GRID, _TEXT = "#e5e7eb", "#374151"
_FONTS: Final = (
    "DejaVu Sans", "Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo", "Baekmuk",
)  # fmt: skip


def write_png(chart: Chart, path: Path) -> None:
    """
    Draw a chart and write it as PNG; texts of the strategy are drawn as they are, never read as formulas.

    Raises:
        OSError: the file cannot be written.
    """
    with rc_context({"text.parse_math": False, "font.family": _fonts()}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a letter that no font has is drawn as a box
        _draw(chart).savefig(path, format="png")


def _fonts() -> list[str]:
    """Choose the fonts that are there: letters that the first one has not come from the next."""
    there = set(font_manager.get_font_names())
    return [_FONTS[0], *(name for name in _FONTS[1:] if name in there)]


def _draw(chart: Chart) -> Figure:
    weights = [panel.weight for panel in chart.panels]
    figure = Figure(figsize=(_WIDTH, 1.2 + _UNIT * sum(weights)), dpi=_DPI, facecolor="white")
    layout = ConstrainedLayoutEngine(h_pad=0.04, w_pad=0.08, hspace=0.0)
    figure.set_layout_engine(layout)
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(weights), 1, sharex=True, squeeze=False, height_ratios=weights)[:, 0]
    for axis, panel in zip(axes, chart.panels, strict=True):
        _draw_panel(axis, panel, chart.size)
    _draw_decisions(axes[0], chart)
    axes[0].set_title(chart.title, loc="left", fontsize=13, fontweight="bold", color=PRICE, pad=22)
    axes[0].text(0.0, 1.0, chart.subtitle, transform=axes[0].transAxes, fontsize=9, color=_TEXT, va="bottom")
    axes[-1].set_xticks([at for at, _ in chart.ticks], [label for _, label in chart.ticks])
    axes[-1].set_xlim(-0.5, max(chart.size - 0.5, 0.5))
    return figure


def _draw_panel(axis: Any, panel: Panel, size: int) -> None:
    bars = np.arange(size)
    if panel.candles:
        _draw_candles(axis, panel, bars)
    for line in panel.lines:
        _draw_line(axis, line, bars)
    axis.set_ylim(*panel.range)
    axis.grid(visible=True, color=_GRID, linewidth=0.7)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=8, colors=_TEXT, length=0)
    axis.yaxis.tick_right()
    if panel.is_percent:
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(value, 6) + 0.0:,g} %"))
    else:
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    for side in ("top", "left", "bottom"):
        axis.spines[side].set_visible(False)
    axis.spines["right"].set_color(_GRID)
    if panel.lines:
        corner = "lower left" if any(line.style == "area" for line in panel.lines) else "upper left"
        axis.legend(loc=corner, fontsize=8, frameon=True, framealpha=0.8, edgecolor="none", ncols=8,
                    labelcolor=_TEXT, borderpad=0.2, handlelength=1.4)  # fmt: skip


def _draw_line(axis: Any, line: Line, bars: Any) -> None:
    label = f"\u200b{line.name}" if line.name.startswith("_") else line.name  # or the legend would leave it out
    if line.style == "area":
        axis.fill_between(bars, line.values, 0.0, color=line.color, alpha=0.25, linewidth=0)
    dash = {"dashed": (0, (4, 2)), "level": (0, (2, 2))}.get(line.style, "solid")
    width = 0.9 if line.style == "level" else line.width
    axis.plot(bars, line.values, color=line.color, linewidth=width, linestyle=dash, label=label)


def _draw_candles(axis: Any, panel: Panel, bars: Any) -> None:
    assert panel.candles is not None
    opened, high, low, close = (panel.candles[name] for name in ("open", "high", "low", "close"))
    rising = close >= opened
    for chosen, color in ((rising, GAIN), (~rising, LOSS)):
        axis.vlines(bars[chosen], low[chosen], high[chosen], color=color, linewidth=0.8)
        height = np.maximum(abs(close - opened), (high - low) * 0.01)[chosen]
        axis.bar(bars[chosen], height, 0.64, bottom=np.minimum(opened, close)[chosen], color=color, linewidth=0)


def _draw_decisions(axis: Any, chart: Chart) -> None:
    for span in chart.spans:
        color = GAIN if span.direction > 0 else LOSS
        axis.axvspan(span.first - 0.5, span.last - 0.5, color=color, alpha=0.09, linewidth=0)
    if chart.warm_up:
        axis.axvspan(-0.5, chart.warm_up - 0.5, color=MUTED, alpha=0.25, linewidth=0)
    low, high = chart.panels[0].range
    gap = (high - low) * 0.025
    size = 60 if len(chart.markers) < 60 else 26 if len(chart.markers) < 200 else 12
    for direction, symbol, color in ((1, "^", GAIN), (-1, "v", LOSS)):
        chosen = [marker for marker in chart.markers if marker.direction == direction]
        if chosen:
            axis.scatter([item.bar for item in chosen], [item.price - direction * gap for item in chosen], s=size,
                         marker=symbol, color=color, edgecolors="white", linewidths=0.6, zorder=5)  # fmt: skip
