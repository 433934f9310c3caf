"""A run as numbers that a page can draw: prices, lines by panel, decisions, time held, and the value of each name."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from mysingle.dsl.engine.performance import Performance
from mysingle.dsl.engine.result import Result
from mysingle.dsl.workbench.chart import PRICE, Line, build_chart

__all__ = ["number", "numbers", "picture"]

_COLUMNS: Final = ("open", "high", "low", "close", "volume")
_DIGITS: Final = 7
_MOST_VARIABLES: Final = 24


def number(value: Any) -> float | None:
    """Give a number that JSON has; a missing or infinite one is null."""
    return float(value) if math.isfinite(value) else None


def numbers(values: Any) -> list[float | None]:
    """Give an array as JSON has it, rounded to what can be seen."""
    array = np.asarray(values, dtype=np.float64)
    known = np.isfinite(array)
    largest = float(np.abs(array[known]).max(initial=0.0))
    if largest > 0.0:
        decimals = _DIGITS - 1 - math.floor(math.log10(largest))
        array = np.round(array, min(decimals, 300)) if decimals < 300 else array
    return [value if fine else None for value, fine in zip(array.tolist(), known.tolist(), strict=True)]


def picture(
    data: pd.DataFrame, result: Result, account: Performance | None, trace: Sequence[tuple[str, int, Any]],
    first: int, count: int,
) -> dict[str, Any]:  # fmt: skip
    """
    Return the part of a run that is shown.

    Args:
        data: the bars of the run.
        result: what the run gave back.
        account: what following it would have brought, None for an indicator.
        trace: name, line and values of the variables.
        first: the first bar that is shown.
        count: how many of them at most.
    """
    last = min(first + count, len(data))
    part = [(name, line, _cut(values, len(data), first, last)) for name, line, values in trace]
    shown, shown_account = _part(result, len(data), first, last), account and _account(account, first, last)
    chart = build_chart("", data.iloc[first:last], shown, shown_account, part)
    return {
        "bars": len(data),
        "first": first,
        "labels": list(chart.labels),
        "price": {name: numbers(data[name].iloc[first:last]) for name in _COLUMNS if name in data},
        "warm_up": chart.warm_up,
        "panels": [
            {
                "title": panel.title,
                "is_percent": panel.is_percent,
                "lines": [_line(line) for line in panel.lines if not _is_price(panel.title, line)],
            }
            for panel in chart.panels
        ],
        "markers": [
            {"bar": mark.bar, "price": number(mark.price), "direction": mark.direction}
            for mark in chart.markers if mark.bar or not first
        ],
        "spans": [span._asdict() for span in chart.spans],
        "variables": _variables(part, last - first),
    }  # fmt: skip


def _cut(values: Any, size: int, first: int, last: int) -> Any:
    return values[first:last] if getattr(values, "size", 0) == size else values


def _part(result: Result, size: int, first: int, last: int) -> Result:
    """Cut what is drawn: a picture costs what it shows, however many bars the run had."""
    plots = tuple(row._replace(values=_cut(row.values, size, first, last)) for row in result.plots)
    warm_up = max(result.metadata.get("warmup", 0) - first, 0)
    return replace(result, plots=plots, metadata={**result.metadata, "warmup": warm_up})


def _account(account: Performance, first: int, last: int) -> Performance:
    return replace(account, equity=account.equity[first:last], position=account.position[first:last])


def _is_price(title: str, line: Line) -> bool:
    return title == "price" and line.name == "close" and line.color == PRICE


def _line(line: Line) -> dict[str, Any]:
    return {**line._asdict(), "values": numbers(line.values)}


def _variables(trace: Sequence[tuple[str, int, Any]], size: int) -> list[dict[str, Any]]:
    found = [(name, line, values) for name, line, values in trace if getattr(values, "size", 0) == size]
    return [
        {
            "name": name,
            "line": line,
            "kind": "bool" if values.dtype == np.bool_ else "number",
            "values": values.astype(int).tolist() if values.dtype == np.bool_ else numbers(values),
        }
        for name, line, values in found[:_MOST_VARIABLES]
    ]
