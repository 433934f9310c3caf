"""A bar chart as SVG: each figure beside its limit."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple


class Figure(NamedTuple):
    """One measured figure; `at_least` says whether the limit is a floor or a ceiling."""

    name: str
    value: float
    limit: float
    unit: str
    at_least: bool = False

    @property
    def is_kept(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def draw(title: str, figures: Sequence[Figure]) -> str:
    row, left, width = 34, 330, 360
    height = row * len(figures) + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 150}" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="16" y="26" font-size="16" font-weight="bold">{escape(title)}</text>',
    ]
    for index, figure in enumerate(figures):
        y = 48 + index * row
        scale = width / ((max(figure.value, figure.limit) or 1.0) * 1.15)
        colour = "#2a7f62" if figure.is_kept else "#b5452c"
        sign = "at least" if figure.at_least else "at most"
        parts += [
            f'<text x="16" y="{y + 15}">{escape(figure.name)}</text>',
            f'<rect x="{left}" y="{y}" width="{figure.value * scale:.1f}" height="20" fill="{colour}"/>',
            f'<line x1="{left + figure.limit * scale:.1f}" x2="{left + figure.limit * scale:.1f}" y1="{y - 4}" '
            f'y2="{y + 24}" stroke="#333" stroke-dasharray="3,2"/>',
            f'<text x="{left + width + 8}" y="{y + 15}">{figure.value:.3g} {figure.unit} '
            f'<tspan fill="#777">({sign} {figure.limit:g})</tspan></text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
