"""A table of values that expire, in a DuckDB file: results that outlive the process and would fill Redis."""

import math
import time
from typing import Any, Generic, TypeVar

from mysingle._kernel.logging import get_logger
from mysingle.database._codec import Codec, CodecError, JsonCodec
from mysingle.database._duckdb_frames import quoted
from mysingle.database.duckdb import BaseDuckDBManager

__all__ = ["DuckDBCache"]

T = TypeVar("T")

log = get_logger("mysingle.duckdb")


class DuckDBCache(Generic[T]):
    """
    Values by key, each with its time to live. Call `create` in `create_schema`.

    Args:
        manager: the database.
        table: the name of the table.
        default_ttl: seconds.
        codec: how values become bytes; JSON that keeps its types when not given.
    """

    def __init__(
        self, manager: BaseDuckDBManager, table: str, default_ttl: float = 3600, codec: Codec[T] | None = None
    ) -> None:
        self._manager = manager
        self._table = quoted(table)
        self._default_ttl = _valid_ttl(default_ttl)
        self._codec: Codec[T] = codec or JsonCodec()

    def create(self) -> None:
        """Make the table when it is not there."""
        self._manager.execute(
            f"CREATE TABLE IF NOT EXISTS {self._table} "
            "(key VARCHAR PRIMARY KEY, value BLOB NOT NULL, expires_at DOUBLE NOT NULL)"
        )

    def get(self, key: str) -> T | None:
        """Return the value, None when there is none, when it has expired, or when it cannot be read any more."""
        row = self._manager.fetch_one(
            f"SELECT value FROM {self._table} WHERE key = ? AND expires_at > ?",  # noqa: S608  # the name was checked
            [_valid_key(key), time.time()],
        )
        if row is None:
            return None
        try:
            return self._codec.decode(row[0])
        except CodecError as error:
            log.warning("cache.unreadable", table=self._table, error=str(error))
            return None

    def set(self, key: str, value: T, ttl: float | None = None) -> None:
        """
        Store a value.

        Raises:
            ValueError: the time to live is not above 0.
            CodecError: the value is none that the codec knows.
        """
        seconds = self._default_ttl if ttl is None else _valid_ttl(ttl)
        data = self._codec.encode(value)
        with self._manager.transaction() as cursor:
            cursor.execute(
                f"INSERT OR REPLACE INTO {self._table} VALUES (?, ?, ?)",  # noqa: S608  # the name was checked
                [_valid_key(key), data, time.time() + seconds],
            )

    def delete(self, key: str) -> bool:
        """Remove a value; tell whether there was one."""
        return self._delete("key = ?", _valid_key(key)) == 1

    def purge(self) -> int:
        """Remove what has expired, and return how many that were. Nothing else makes the table smaller."""
        return self._delete("expires_at <= ?", time.time())

    def clear(self) -> int:
        """Remove everything, and return how many that were."""
        return self._delete("? IS NOT NULL", 1)

    async def get_async(self, key: str) -> T | None:
        """Do `get` in a thread."""
        return await self._manager.run_async(self.get, key)

    async def set_async(self, key: str, value: T, ttl: float | None = None) -> None:
        """Do `set` in a thread."""
        await self._manager.run_async(self.set, key, value, ttl)

    async def delete_async(self, key: str) -> bool:
        """Do `delete` in a thread."""
        return await self._manager.run_async(self.delete, key)

    async def purge_async(self) -> int:
        """Do `purge` in a thread."""
        return await self._manager.run_async(self.purge)

    def _delete(self, condition: str, value: object) -> int:
        with self._manager.transaction() as cursor:
            row = cursor.execute(f"DELETE FROM {self._table} WHERE {condition}", [value]).fetchone()  # noqa: S608
        return int(row[0]) if row else 0


def _valid_ttl(ttl: Any) -> float:  # Any: callers without a type checker pass text
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 < ttl < math.inf:
        raise ValueError(f"A TTL is a number of seconds above 0, not {ttl!r}")
    return ttl


def _valid_key(key: Any) -> str:
    try:
        key.encode()
    except (AttributeError, UnicodeEncodeError):
        raise ValueError(f"A key is a text that UTF-8 can hold, not {key!r:.80}") from None
    return str(key)
