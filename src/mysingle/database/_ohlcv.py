"""Price bars in a DuckDB file: one row for each symbol, interval and instant; wider intervals are computed."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from mysingle.database._duckdb_frames import quoted
from mysingle.database.duckdb import BaseDuckDBManager

__all__ = ["Bar", "OHLCVTable"]

_INTERVAL = re.compile(r"([1-9][0-9]{0,3})([smhdwM])")
_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "M": "month"}
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "M": 2_592_000}
_CONFLICT = ", ".join(f"{name} = excluded.{name}" for name in ("open", "high", "low", "close", "volume"))


class Bar(NamedTuple):
    """One bar. `ts` is when it begins, aware of its zone; it comes back in UTC."""

    symbol: str
    interval: str
    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


class OHLCVTable:
    """
    The bars of many symbols. Call `create` in `create_schema`; methods are synchronous, see `run_async`.

    Intervals are a number and a unit: `s`, `m`, `h`, `d`, `w`, or `M` for months.
    """

    def __init__(self, manager: BaseDuckDBManager, table: str = "ohlcv") -> None:
        self._manager = manager
        self._name, self._table = table, quoted(table)

    def create(self) -> None:
        """Make the table when it is not there; times are stored as UTC."""
        self._manager.execute(
            f"CREATE TABLE IF NOT EXISTS {self._table} (symbol VARCHAR, interval VARCHAR, ts TIMESTAMP, open DOUBLE, "
            "high DOUBLE, low DOUBLE, close DOUBLE, volume DOUBLE, PRIMARY KEY (symbol, interval, ts))"
        )

    def upsert(self, bars: Iterable[Bar]) -> int:
        """
        Insert bars, or replace those of the same symbol, interval and instant; all or none. Return their number.

        Raises:
            ValueError: a time without a zone, or an interval that is none.
        """
        rows = {(bar.symbol, _checked(bar.interval), _to_utc(bar.ts)): bar for bar in bars}
        with self._manager.transaction() as cursor, cursor.appender(self._name, action="upsert") as appender:
            appender.append_rows([(*key, *bar[3:]) for key, bar in rows.items()])
        return len(rows)

    def upsert_frame(self, frame: object) -> int:
        """
        Upsert a frame with the columns of `Bar`; `ts` is in UTC, and no two rows have the same key.

        Return the number of rows.
        """
        with self._manager.transaction() as cursor, self._manager.registered(frame) as name:
            row = cursor.execute(
                f"INSERT INTO {self._table} BY NAME SELECT symbol, interval, ts::TIMESTAMP AS ts, open, high, low, "  # noqa: S608
                f"close, volume FROM {name} ON CONFLICT DO UPDATE SET {_CONFLICT}"
            ).fetchone()
        return int(row[0]) if row else 0

    def bars(
        self,
        symbol: str,
        interval: str,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int | None = None,
    ) -> list[Bar]:
        """Return stored bars from `start` up to, not including, `end`, oldest first; with `limit` the newest ones."""
        query, values = self._selected(symbol, interval, start, end)
        query = f"SELECT * FROM ({query} ORDER BY ts DESC LIMIT $limit) ORDER BY ts"  # noqa: S608  # a checked name
        return _to_bars(self._manager.fetch_all(query, values | {"limit": limit}))

    def resample(
        self,
        symbol: str,
        source: str,
        target: str,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Bar]:
        """
        Return wider bars that are computed from stored ones, oldest first; weeks begin on Monday, all in UTC.

        The first and the last may be incomplete, when `start` or `end` cuts them.

        Raises:
            ValueError: `target` is not a multiple of `source`.
        """
        query, values = self._selected(symbol, source, start, end)
        values |= {"target": target, "width": _width(source, target)}
        return _to_bars(
            self._manager.fetch_all(
                f"SELECT symbol, $target, time_bucket($width::INTERVAL, ts) AS bucket, first(open ORDER BY ts), "  # noqa: S608
                f"max(high), min(low), last(close ORDER BY ts), sum(volume) FROM ({query}) "
                "GROUP BY symbol, bucket ORDER BY bucket",
                values,
            )
        )

    def latest(self, symbol: str, interval: str) -> Bar | None:
        """Return the newest bar, None when there is none."""
        found = self.bars(symbol, interval, limit=1)
        return found[0] if found else None

    def symbols(self) -> list[str]:
        """Return the symbols that have bars."""
        query = f"SELECT DISTINCT symbol FROM {self._table} ORDER BY symbol"  # noqa: S608  # a checked name
        return [symbol for (symbol,) in self._manager.fetch_all(query)]

    def delete(self, symbol: str, interval: str, before: datetime | None = None) -> int:
        """Remove bars, all or those that begin before an instant; return their number."""
        query, values = self._selected(symbol, interval, None, before)
        with self._manager.transaction() as cursor:
            row = cursor.execute(query.replace("SELECT *", "DELETE", 1), values).fetchone()
        return int(row[0]) if row else 0

    def _selected(
        self, symbol: str, interval: str, start: datetime | None, end: datetime | None
    ) -> tuple[str, dict[str, Any]]:
        query = f"SELECT * FROM {self._table} WHERE symbol = $symbol AND interval = $interval"  # noqa: S608
        values: dict[str, Any] = {"symbol": symbol, "interval": _checked(interval)}
        if start is not None:
            query, values["start"] = f"{query} AND ts >= $start", _to_utc(start)
        if end is not None:
            query, values["end"] = f"{query} AND ts < $end", _to_utc(end)
        return query, values


def _to_bars(rows: Iterable[tuple[Any, ...]]) -> list[Bar]:
    return [Bar(row[0], row[1], row[2].replace(tzinfo=UTC), *row[3:]) for row in rows]


def _to_utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone")
    return instant.astimezone(UTC).replace(tzinfo=None)


def _checked(interval: str) -> str:
    _parsed(interval)
    return interval


def _parsed(interval: str) -> tuple[int, str]:
    match = _INTERVAL.fullmatch(interval)
    if match is None:
        raise ValueError(f"{interval!r} is no interval: a number and one of s, m, h, d, w, M")
    return int(match[1]), match[2]


def _width(source: str, target: str) -> str:
    """Return the wider interval for DuckDB. A month is a whole number of days, but not of weeks."""
    (count, unit), (wide, wide_unit) = _parsed(source), _parsed(target)
    if wide_unit == "M":
        fits = wide % count == 0 if unit == "M" else unit != "w" and 86_400 % (count * _SECONDS[unit]) == 0
    else:
        fits = unit != "M" and wide * _SECONDS[wide_unit] % (count * _SECONDS[unit]) == 0
    if not fits:
        raise ValueError(f"{target!r} is not made of whole {source!r}")
    return f"{wide} {_UNITS[wide_unit]}"
