from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import duckdb
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysingle.database import Bar, BaseDuckDBManager, OHLCVTable

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday


def bar(minute: int, close: float = 1.0, symbol: str = "SPY", interval: str = "1m", **prices: float) -> Bar:
    values = {"open": close, "high": close, "low": close, "volume": 10.0} | prices
    ts = MIDNIGHT + timedelta(minutes=minute)
    return Bar(symbol, interval, ts, values["open"], values["high"], values["low"], close, values["volume"])


@pytest.fixture
def table() -> Iterator[OHLCVTable]:
    with BaseDuckDBManager() as manager:
        table = OHLCVTable(manager)
        table.create()
        yield table


def test_upsert(table: OHLCVTable) -> None:
    """A bar of the same symbol, interval and instant replaces the former one, also within one call."""
    assert table.upsert([bar(0, 1.0), bar(1, 2.0)]) == 2
    assert table.upsert([bar(1, 3.0), bar(1, 4.0), bar(2, 5.0), bar(1, 9.0, symbol="QQQ")]) == 3
    assert [found.close for found in table.bars("SPY", "1m")] == [1.0, 4.0, 5.0]
    assert table.symbols() == ["QQQ", "SPY"]
    assert table.upsert([]) == 0


def test_bars_come_back(table: OHLCVTable) -> None:
    """A bar comes back as it was, in UTC, whatever zone its time had."""
    given_bar = bar(5, 1.25, open=1.0, high=2.0, low=0.5, volume=1e12)
    local = given_bar._replace(ts=given_bar.ts.astimezone(timezone(timedelta(hours=-5))))
    table.upsert([local])

    assert table.bars("SPY", "1m") == [given_bar] == [table.latest("SPY", "1m")]
    assert table.bars("SPY", "1m")[0].ts.tzinfo is UTC
    assert table.latest("SPY", "1d") is None


def test_range(table: OHLCVTable) -> None:
    """Start is included, end is not; a limit keeps the newest; deleting takes what begins before."""
    table.upsert([bar(minute, minute) for minute in range(10)])
    start, end = MIDNIGHT + timedelta(minutes=2), MIDNIGHT + timedelta(minutes=5)

    assert [found.close for found in table.bars("SPY", "1m", start, end)] == [2, 3, 4]
    assert [found.close for found in table.bars("SPY", "1m", start, limit=2)] == [8, 9]
    assert (table.delete("SPY", "1m", before=end), table.delete("SPY", "1m"), table.delete("SPY", "1m")) == (5, 5, 0)


def test_resample(table: OHLCVTable) -> None:
    """A wider bar opens with the first, closes with the last, spans all of them, and sums the volume."""
    table.upsert([bar(minute, minute, open=minute - 0.5, high=minute + 2, low=minute - 3) for minute in range(7)])
    expected = [
        Bar("SPY", "5m", MIDNIGHT, -0.5, 6.0, -3.0, 4.0, 50.0),
        Bar("SPY", "5m", MIDNIGHT + timedelta(minutes=5), 4.5, 8.0, 2.0, 6.0, 20.0),
    ]

    assert table.resample("SPY", "1m", "5m") == expected
    assert table.resample("SPY", "1m", "5m", end=expected[1].ts) == expected[:1]
    assert table.resample("SPY", "1m", "1m") == table.bars("SPY", "1m")
    assert table.resample("QQQ", "1m", "5m") == []


@pytest.mark.parametrize(
    ("target", "starts"),
    [
        ("1w", [datetime(2025, 12, 29, tzinfo=UTC), MIDNIGHT, MIDNIGHT + timedelta(weeks=1)]),
        ("1M", [datetime(2026, 1, 1, tzinfo=UTC)]),
        ("1d", [MIDNIGHT + timedelta(days=day) for day in (-4, -1, 0, 9)]),
    ],
)
def test_calendar(table: OHLCVTable, target: str, starts: list[datetime]) -> None:
    """Days begin at midnight UTC, weeks on Monday, months on their first day."""
    table.upsert([bar(day * 1440 + 90, interval="1h") for day in (-4, -1, 0, 9)])

    assert [found.ts for found in table.resample("SPY", "1h", target)] == starts


@pytest.mark.parametrize(
    ("source", "target"),
    [("5m", "1m"), ("2m", "5m"), ("1w", "1M"), ("1M", "1w"), ("7h", "1M"), ("1m", "5"), ("x", "5m"), ("0m", "5m")],
)
def test_intervals_that_do_not_fit(table: OHLCVTable, source: str, target: str) -> None:
    """Bars that would have to be split, and intervals that are none, are refused."""
    with pytest.raises(ValueError, match=r"is not made of whole|is no interval"):
        table.resample("SPY", source, target)


@pytest.mark.parametrize(
    "wrong", [bar(0)._replace(ts=datetime(2026, 1, 1)), bar(0, interval="1 minute"), bar(0, interval="'")]
)
def test_wrong_bars(table: OHLCVTable, wrong: Bar) -> None:
    """One wrong bar, and nothing of the call is stored."""
    with pytest.raises(ValueError, match=r"has no time zone|is no interval"):
        table.upsert([bar(1), wrong])

    assert table.bars("SPY", "1m") == []


def test_frame(table: OHLCVTable) -> None:
    """A pandas DataFrame is upserted by the names of its columns."""
    pandas = pytest.importorskip("pandas")
    table.upsert([bar(0, 1.0)])
    frame = pandas.DataFrame([bar(minute, 7.0)._replace(ts=bar(minute).ts.replace(tzinfo=None)) for minute in range(3)])

    assert table.upsert_frame(frame[list(reversed(frame.columns))]) == 3
    assert table.bars("SPY", "1m") == [bar(minute, 7.0) for minute in range(3)]


@hypothesis.settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 500), st.floats(1, 1e6)), max_size=60), st.sampled_from([5, 15, 60]))
def test_resample_is_plain_arithmetic(points: list[tuple[int, float]], minutes: int) -> None:
    """Whatever is stored, the wider bars are those that plain Python computes."""
    stored = dict(points)
    expected: dict[int, list[Any]] = {}
    for minute in sorted(stored):
        expected.setdefault(minute // minutes, []).append(stored[minute])
    with BaseDuckDBManager() as manager:
        table = OHLCVTable(manager)
        table.create()
        table.upsert(bar(minute, close) for minute, close in points)
        target = "1h" if minutes == 60 else f"{minutes}m"
        found = [(wide.open, wide.high, wide.low, wide.close) for wide in table.resample("SPY", "1m", target)]

    assert found == [(closes[0], max(closes), min(closes), closes[-1]) for closes in expected.values()]


def test_failed_upsert(table: OHLCVTable) -> None:
    """When one bar cannot be stored, none of the call is, and the next call works."""
    wrong: Any = bar(2)._replace(close="high")
    with pytest.raises(duckdb.Error):
        table.upsert([bar(1), wrong])
    table.upsert([bar(3)])

    assert table.bars("SPY", "1m") == [bar(3)]


def test_many(table: OHLCVTable) -> None:
    """A hundred thousand bars go in at once, in one transaction."""
    assert table.upsert(bar(minute, minute) for minute in range(100_000)) == 100_000
    assert len(table.bars("SPY", "1m", limit=3)) == 3
