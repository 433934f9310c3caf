import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from mysingle import dsl
from mysingle.dsl.engine.performance import measure
from mysingle.dsl.workbench.chart import Chart, build_chart
from mysingle.dsl.workbench.chart_html import write_html
from mysingle.dsl.workbench.chart_png import write_png

SIGNALS = """
quick = EMA(close, 5)
steady = SMA(close, 20)
strength = RSI(close, 14)
result = {'entry': crossover(quick, steady), 'exit': crossunder(quick, steady) | (strength > 99)}
"""
PLOTS = """
plot(SMA(close, 20), title="</svg><script>alert(1)</script>", color="red\\" onload=\\"x")
plot(RSI(close, 14), title="$\\frac\\x1b$ 상대강도", style="dashed", linewidth=99)
hline(70, title="top", color="#abc")
plot(close.shift(3), offset=-3, color="url(http://x.test)")
result = close > open
"""
CODES = {
    "signals": SIGNALS,
    "plots": PLOTS,
    "indicator": "result = RSI(close, 14)",
    "nothing drawn": "alert(close > open, 'up')",
    "short": "if close < SMA(close, 9):\n    strategy.entry('S', strategy.short)\nelse:\n    strategy.close('S')",
}


@pytest.fixture(scope="module")
def chart(bars: Callable[..., Any]) -> Callable[..., Chart]:
    def make(source: str, size: int = 300, last: int | None = None, shape: str = "random") -> Chart:
        data = pd.DataFrame(bars(size, shape), index=pd.date_range("2024-01-01", periods=size, freq="h"))
        program = dsl.compile(source)
        result = program.run(data)
        return build_chart("A <chart> $_{x", data, result, measure(result, data), program.trace(data), last)

    return make


@pytest.mark.parametrize("source", CODES.values(), ids=CODES)
@pytest.mark.parametrize("size", [60, 2_500], ids=["candles", "line"])
def test_both_forms(chart: Callable[..., Chart], tmp_path: Path, source: str, size: int) -> None:
    """Every kind of program becomes a picture and a page; the page is well-formed and loads nothing."""
    drawn = chart(source, size)
    write_png(drawn, tmp_path / "a.png")
    write_html(drawn, tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    svg = ElementTree.fromstring(re.search(r"<svg.*</svg>", page, re.DOTALL)[0])

    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert len(list(svg.iter("path"))) >= sum(len(panel.lines) for panel in drawn.panels) + len(drawn.markers)
    assert not re.search(r"(?:src|href)\s*=|@import|url\(", page)
    assert "default-src 'none'" in page


def test_what_a_strategy_names_is_text(chart: Callable[..., Chart], tmp_path: Path) -> None:
    """Titles are escaped and colours are known ones: a strategy cannot write into the page."""
    write_html(chart(PLOTS), tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")

    assert page.count("<script") == 2
    assert "onload" not in page
    assert "&lt;/svg&gt;&lt;script&gt;" in page
    assert "A &lt;chart&gt; $_{x" in page


def test_panels(chart: Callable[..., Chart]) -> None:
    """Averages lie over the prices, an oscillator has a panel of its own, and the account has two."""
    panels = chart(SIGNALS).panels

    assert [panel.title for panel in panels] == ["price", "strength", "return", "drawdown"]
    assert [line.name for line in panels[0].lines] == ["close", "quick", "steady"]


def test_decisions(chart: Callable[..., Chart]) -> None:
    """Entries and exits alternate, and lie at the ends of what is shaded."""
    drawn = chart(SIGNALS, 600)
    ends = sorted({bar for span in drawn.spans for bar in (span.first, span.last)} - {drawn.size})

    assert len(drawn.markers) > 4
    assert [marker.direction for marker in drawn.markers][:4] == [1, -1, 1, -1]
    assert [marker.bar for marker in drawn.markers] == ends


def test_last_bars(chart: Callable[..., Chart]) -> None:
    """The last bars of a run look like the same bars of the whole picture, and say that the figures are of it all."""
    whole, part = chart(SIGNALS, 600), chart(SIGNALS, 600, 200)

    assert part.size == 200
    assert part.labels == whole.labels[400:]
    assert [(item.bar + 400, item.price) for item in part.markers] == [
        (item.bar, item.price) for item in whole.markers if item.bar >= 400
    ]
    assert np.array_equal(part.panels[0].lines[1].values, whole.panels[0].lines[1].values[400:])
    assert "whole run:" in part.subtitle
    assert part.warm_up == 0


@pytest.mark.parametrize("shape", ["flat", "gaps", "prefix", "huge", "small", "zeros"])
def test_odd_data(chart: Callable[..., Chart], tmp_path: Path, shape: str) -> None:
    """Flat, broken, tiny, huge and absent prices can be drawn too."""
    drawn = chart(SIGNALS, 300, shape=shape)
    write_png(drawn, tmp_path / "a.png")
    write_html(drawn, tmp_path / "a.html")

    assert (tmp_path / "a.png").stat().st_size > 5_000
    assert "nan" not in re.search(r"<svg.*</svg>", (tmp_path / "a.html").read_text(), re.DOTALL)[0]
