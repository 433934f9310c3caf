"""A chart as one page that needs nothing else: inline SVG, and a readout of the bar under the pointer."""

import json
import math
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Final

import numpy as np

from mysingle.dsl.kernels.floats import Array
from mysingle.dsl.workbench.chart import GAIN, LOSS, MUTED, Chart, Line, Panel

__all__ = ["write_html"]

_WIDTH, _UNIT, _GAP, _TOP, _RIGHT = 1200, 110, 14, 8, 70
_POINTS: Final = 1_000
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
script-src 'unsafe-inline'">
<title>{title}</title><style>
body{{font:14px system-ui,sans-serif;color:#1f2937;margin:24px auto;max-width:1240px;padding:0 16px}}
h1{{font-size:20px;margin:0}} p{{color:#374151;margin:4px 0 10px}} svg{{width:100%;height:auto}}
text{{font-size:11px;fill:#374151}} #readout{{min-height:20px;font-variant-numeric:tabular-nums}}
#readout span{{margin-right:14px;white-space:nowrap}}
table{{border-collapse:collapse;margin:16px 0;font-variant-numeric:tabular-nums}} th{{text-align:left}}
td,th{{padding:3px 16px 3px 0;border-bottom:1px solid #e5e7eb}}
</style></head><body><h1>{title}</h1><p>{subtitle}</p><div id="readout"></div>
{svg}
{below}
<script type="application/json" id="data">{data}</script>
<script>
const d=JSON.parse(document.getElementById("data").textContent),s=document.querySelector("svg"),
c=document.getElementById("cursor"),r=document.getElementById("readout");
s.addEventListener("mousemove",e=>{{const b=s.getBoundingClientRect(),x=(e.clientX-b.left)/b.width*d.width;
const n=d.bars.length,k=Math.max(0,Math.min(n-1,Math.floor(x/d.plot*n))),at=(k+0.5)/n*d.plot;
c.setAttribute("x1",at);c.setAttribute("x2",at);c.style.display="";
r.textContent="";const add=(t,g)=>{{const n=document.createElement("span");n.textContent=t;n.style.color=g;
r.append(n)}};add(d.bars[k],"#1f2937");
for(const l of d.lines)if(l.values[k]!==null)add(l.name+" "+l.values[k],l.color)}});
s.addEventListener("mouseleave",()=>{{c.style.display="none";r.textContent=""}});
</script></body></html>
"""


def write_html(chart: Chart, path: Path, below: str = "") -> None:
    """
    Write a chart as one HTML file; texts of the strategy are escaped, and the page may load nothing.

    `below` is HTML that stands under the chart; whoever makes it has escaped it.

    Raises:
        OSError: the file cannot be written.
    """
    page = _PAGE.format(
        title=escape(chart.title),
        subtitle=escape(chart.subtitle),
        svg="\n".join(_svg(chart)),
        data=_data(chart),
        below=below,
    )
    path.write_text(page, encoding="utf-8")


def _data(chart: Chart) -> str:
    """Give what the readout shows, at most as many bars as there are pixels; `<` cannot end the script element."""
    at = np.unique(np.linspace(0, chart.size - 1, min(chart.size, _POINTS)).round().astype(int))
    lines = [line for panel in chart.panels for line in [*_closes(panel), *panel.lines]]
    found = {
        "width": _WIDTH,
        "plot": _WIDTH - _RIGHT,
        "bars": [chart.labels[bar] for bar in at],
        "lines": [
            {"name": line.name, "color": line.color, "values": [_short(line.values[bar]) for bar in at]}
            for line in lines
        ],
    }
    return json.dumps(found).replace("<", "\\u003c")


def _closes(panel: Panel) -> list[Line]:
    return [Line("close", panel.candles["close"], "#1f2937")] if panel.candles else []


def _short(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


class _Scale:
    """From bars and values to places in the picture."""

    def __init__(self, panel: Panel, size: int, top: float, height: float) -> None:
        self.low, self.high = panel.range
        self.top, self.height, self.step = top, height, (_WIDTH - _RIGHT) / size

    def x(self, bar: float) -> float:
        return (bar + 0.5) * self.step

    def y(self, value: float) -> float:
        return self.top + (self.high - value) / (self.high - self.low) * self.height


def _svg(chart: Chart) -> Iterator[str]:
    heights = [panel.weight * _UNIT for panel in chart.panels]
    total = _TOP + sum(heights) + _GAP * len(heights) + 24
    yield f'<svg viewBox="0 0 {_WIDTH} {total:.0f}" role="img" aria-label="{escape(chart.title)}">'
    top = float(_TOP)
    for number, (panel, height) in enumerate(zip(chart.panels, heights, strict=True)):
        scale = _Scale(panel, chart.size, top, height)
        if number == 0:
            yield from _background(chart, scale)
        yield from _grid(panel, scale)
        yield from _candles(panel, scale)
        for line in panel.lines:
            yield from _line(line, scale)
        yield from _legend(panel, scale)
        if number == 0:
            yield from _markers(chart, scale)
        top += height + _GAP
    for bar, label in chart.ticks:
        yield f'<text x="{scale.x(bar):.1f}" y="{total - 8:.0f}" text-anchor="middle">{escape(label)}</text>'
    yield (f'<line id="cursor" y1="0" y2="{total - 24:.0f}" stroke="#6b7280" stroke-dasharray="3 3" '
           'style="display:none"/></svg>')  # fmt: skip


def _background(chart: Chart, scale: _Scale) -> Iterator[str]:
    spans = [(span.first, span.last, GAIN if span.direction > 0 else LOSS, 0.1) for span in chart.spans]
    spans += [(0, chart.warm_up, MUTED, 0.25)] if chart.warm_up else []
    for first, last, color, opacity in spans:
        width = max(scale.x(min(last, chart.size - 1)) - scale.x(first), 0.5)
        yield (f'<rect x="{scale.x(first):.1f}" y="{scale.top:.1f}" width="{width:.1f}" height="{scale.height:.1f}" '
               f'fill="{color}" fill-opacity="{opacity}"/>')  # fmt: skip


def _grid(panel: Panel, scale: _Scale) -> Iterator[str]:
    for value in _levels(scale.low, scale.high, max(int(scale.height / 30), 3)):
        y = scale.y(value)
        text = f"{round(value, 6) + 0.0:,g} %" if panel.is_percent else f"{value:,.6g}"
        yield f'<line x1="0" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e7eb"/>'
        yield f'<text x="{_WIDTH - _RIGHT + 6}" y="{y + 4:.1f}">{text}</text>'


def _levels(low: float, high: float, count: int) -> list[float]:
    """Give round numbers between the ends."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step)
    return [at * step for at in range(first, math.floor(high / step) + 1)]


def _line(line: Line, scale: _Scale) -> Iterator[str]:
    points = _thinned(line.values)
    path = _path(points, scale)
    if not path:
        return
    if line.style == "area":
        zero = scale.y(0.0)
        first, last = points[0][0], points[-1][0]
        area = f"M{scale.x(first):.1f} {zero:.1f}L{path[1:].replace('M', 'L')}L{scale.x(last):.1f} {zero:.1f}Z"
        yield f'<path d="{area}" fill="{line.color}" fill-opacity="0.2"/>'
    dash = {"dashed": ' stroke-dasharray="6 3"', "level": ' stroke-dasharray="3 3"'}.get(line.style, "")
    yield f'<path d="{path}" fill="none" stroke="{line.color}" stroke-width="{line.width:g}"{dash}/>'


def _thinned(values: Array) -> list[tuple[int, float]]:
    """Keep the lowest and the highest value of each group of bars, so that no spike is lost; nan ends a stroke."""
    width = -(-values.size // _POINTS)
    if width == 1:
        return list(enumerate(values.tolist()))
    found: list[tuple[int, float]] = []
    for first in range(0, values.size, width):
        group = values[first : first + width]
        known = np.flatnonzero(np.isfinite(group))
        if not known.size:
            found.append((first, math.nan))
            continue
        ends = {int(known[np.argmin(group[known])]), int(known[np.argmax(group[known])])}
        found += [(first + at, float(group[at])) for at in sorted(ends)]
    return found


def _path(points: list[tuple[int, float]], scale: _Scale) -> str:
    parts, pen_down = [], False
    for bar, value in points:
        if math.isfinite(value):
            parts.append(f"{'L' if pen_down else 'M'}{scale.x(bar):.1f} {scale.y(value):.1f}")
        pen_down = math.isfinite(value)
    return "".join(parts)


def _candles(panel: Panel, scale: _Scale) -> Iterator[str]:
    if not panel.candles:
        return
    columns = zip(*(panel.candles[name].tolist() for name in ("open", "high", "low", "close")), strict=True)
    for bar, (opened, high, low, close) in enumerate(columns):
        if not all(math.isfinite(value) for value in (opened, high, low, close)):
            continue
        color, x, top = GAIN if close >= opened else LOSS, scale.x(bar), scale.y(max(opened, close))
        height = max(abs(scale.y(opened) - scale.y(close)), 1.0)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{scale.y(high):.1f}" y2="{scale.y(low):.1f}" stroke="{color}"/>'
        yield (f'<rect x="{x - scale.step * 0.32:.1f}" y="{top:.1f}" width="{scale.step * 0.64:.1f}" '
               f'height="{height:.1f}" fill="{color}"/>')  # fmt: skip


def _legend(panel: Panel, scale: _Scale) -> Iterator[str]:
    x, y = 6.0, scale.top + 8
    if any(line.style == "area" for line in panel.lines):
        y = scale.top + scale.height - 8  # what hangs from above leaves room below
    for line in panel.lines:
        name = line.name[:40]
        yield f'<rect x="{x:.0f}" y="{y - 3:.0f}" width="14" height="3" fill="{line.color}"/>'
        yield f'<text x="{x + 18:.0f}" y="{y + 3:.0f}">{escape(name)}</text>'
        x += 34 + 6.6 * len(name)


def _markers(chart: Chart, scale: _Scale) -> Iterator[str]:
    size = 6 if len(chart.markers) < 60 else 4 if len(chart.markers) < 200 else 2.5
    for marker in chart.markers:
        x, y = scale.x(marker.bar), scale.y(marker.price) + marker.direction * 9
        tip, foot = y - marker.direction * size, y + marker.direction * size
        said = f"{chart.labels[marker.bar]} {'buy' if marker.direction > 0 else 'sell'} {marker.price:,.6g}"
        yield (f'<path d="M{x:.1f} {tip:.1f}L{x - size:.1f} {foot:.1f}L{x + size:.1f} {foot:.1f}Z" '
               f'fill="{GAIN if marker.direction > 0 else LOSS}" stroke="#fff" stroke-width="0.7">'
               f"<title>{escape(said)}</title></path>")  # fmt: skip
