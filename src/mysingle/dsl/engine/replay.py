"""Replay: what a program said about a bar must not change when more bars follow."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from mysingle.dsl.engine.align import interval_of
from mysingle.dsl.engine.frames import Frame
from mysingle.dsl.engine.result import AlertRow, OrderRow, Result
from mysingle.dsl.engine.run import Runner, RunOptions

__all__ = ["Change", "replay"]


class Change(NamedTuple):
    """A value, an order or an alert that the first `bars` bars alone give differently at `bar`."""

    bars: int
    name: str
    bar: int


def replay(
    runner: Runner, data: Any, params: Mapping[str, Any] | None, options: RunOptions, count: int, seed: int
) -> tuple[Change, ...]:
    """Run over the data and over `count` beginnings of it; give what differs, bit for bit."""
    frame = replace(runner.read(data), source="dict")
    frame = replace(frame, interval=interval_of(frame))
    whole = runner.run_frame(frame, params, options)
    found: list[Change] = []
    for bars in _lengths(frame.size, count, seed):
        part = runner.run_frame(_beginning(frame, bars), params, options)
        found += _changes(bars, part, whole)
    return tuple(found)


def _lengths(size: int, count: int, seed: int) -> list[int]:
    """Half of the data, all but one bar, and others by chance."""
    chance = random.Random(seed)  # noqa: S311  # no secret: the same beginnings for the same seed
    chosen = {size - 1, size // 2} | {chance.randrange(1, size) for _ in range(count - 2) if size > 1}
    return sorted(length for length in chosen if 0 < length < size)


def _beginning(frame: Frame, bars: int) -> Frame:
    columns = {name: values[:bars] for name, values in frame.columns.items()}
    return replace(
        frame,
        columns=columns,
        originals=columns,
        size=bars,
        index=None if frame.index is None else frame.index[:bars],
        time=None if frame.time is None else frame.time[:bars],
    )


def _changes(bars: int, part: Result, whole: Result) -> Iterator[Change]:
    lines = _lines(whole)
    for name, ours in _lines(part).items():
        bar = _first_difference(ours, lines[name][:bars])
        if bar is not None:
            yield Change(bars, name, bar)
    yield from _changed_rows(bars, "orders", part.orders, whole.orders)
    yield from _changed_rows(bars, "alerts", part.alerts, whole.alerts)


def _changed_rows(
    bars: int, name: str, part: Sequence[OrderRow | AlertRow], whole: Sequence[OrderRow | AlertRow]
) -> Iterator[Change]:
    before = {repr(row): row.bar for row in whole if row.bar < bars}  # repr: a price that is not given is nan
    after = {repr(row): row.bar for row in part}
    different = [*(before.keys() - after.keys()), *(after.keys() - before.keys())]
    if different:
        yield Change(bars, name, min((before | after)[row] for row in different))


def _lines(result: Result) -> Mapping[str, Any]:
    if result.result is None:
        return {}
    return result.result if isinstance(result.result, dict) else {"result": result.result}


def _first_difference(left: Any, right: Any) -> int | None:
    if left.dtype == np.bool_:
        differs = left != right
    else:
        differs = (left.view(np.int64) != right.view(np.int64)) & ~(np.isnan(left) & np.isnan(right))
    places = np.flatnonzero(differs)
    return int(places[0]) if places.size else None
