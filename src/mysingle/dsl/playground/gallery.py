"""Strategies to begin with; each is a file of its own beside this module."""

from functools import cache
from pathlib import Path
from typing import Any, Final

from mysingle.dsl.playground.demo import Demo

__all__ = ["gallery"]

_SHOWN: Final[tuple[tuple[str, Demo, dict[str, Any] | None], ...]] = (
    ("averages", Demo("trend", 600, 11), {"fast": [4, 40], "slow": [10, 120]}),
    ("pullback", Demo("trend", 900, 14), {"period": [2, 12], "oversold": [10, 45]}),
    ("bands", Demo("range", 600, 10), {"window": [5, 60], "width": [1, 3.5]}),
    ("trailing", Demo("market", 700, 12), {"multiple": [1, 6], "length": [10, 100]}),
    ("breakout", Demo("market", 800, 21), {"entry_days": [10, 100], "exit_days": [5, 50]}),
)
"""File, the data that shows it well, and what is worth a sweep."""


@cache
def gallery() -> list[dict[str, Any]]:
    """Return the strategies with their texts and the data that they begin with."""
    folder = Path(__file__).with_name("strategies")
    return [
        {
            "id": name,
            "source": (folder / f"{name}.dsl").read_text(encoding="utf-8"),
            "data": {"demo": demo.kind, "bars": demo.bars, "seed": demo.seed},
            "sweep": ranges,
        }
        for name, demo, ranges in _SHOWN
    ]
