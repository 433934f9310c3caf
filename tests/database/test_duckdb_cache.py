import asyncio
import math
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mysingle.database import BaseDuckDBManager, BytesCodec, CodecError, DuckDBCache


class Results(BaseDuckDBManager):
    def create_schema(self) -> None:
        DuckDBCache[Any](self, "results").create()


def expire(manager: BaseDuckDBManager) -> None:
    manager.execute("UPDATE results SET expires_at = expires_at - 10000")


async def test_values(tmp_path: Path) -> None:
    """A value comes back as it was, also from the file when it is opened again; another one replaces it."""
    value = {"at": datetime(2026, 1, 2, tzinfo=UTC), "price": Decimal("1.50"), "names": {"a", "b"}}
    async with Results(tmp_path / "x.duckdb") as manager:
        cache = DuckDBCache[Any](manager, "results")
        await cache.set_async("one", "first")
        await cache.set_async("one", value)
    async with Results(tmp_path / "x.duckdb") as manager:
        cache = DuckDBCache[Any](manager, "results")

        assert await cache.get_async("one") == value
        assert await cache.get_async("two") is None
        assert (await cache.delete_async("one"), await cache.delete_async("one")) == (True, False)
        assert await cache.get_async("one") is None


async def test_expiry() -> None:
    """What has expired is not returned, and goes with the next purge; the rest stays."""
    async with Results() as manager:
        cache = DuckDBCache[int](manager, "results", default_ttl=100)
        cache.set("short", 1)
        cache.set("long", 2, ttl=1_000_000)
        expire(manager)

        assert (cache.get("short"), cache.get("long")) == (None, 2)
        assert (await cache.purge_async(), await cache.purge_async()) == (1, 0)
        assert (cache.clear(), cache.clear()) == (1, 0)


async def test_many_writers() -> None:
    """Fifty tasks that write ten keys at once lose nothing and fail nowhere."""
    async with Results() as manager:
        cache = DuckDBCache[int](manager, "results")
        await asyncio.gather(*(cache.set_async(str(number % 10), number % 10) for number in range(50)))

        assert [await cache.get_async(str(number)) for number in range(10)] == list(range(10))


def test_foreign_bytes(logged: list[Any]) -> None:
    """Bytes that another codec wrote are a miss and a warning."""
    with Results() as manager:
        DuckDBCache[bytes](manager, "results", codec=BytesCodec()).set("key", b"x")

        assert DuckDBCache[Any](manager, "results").get("key") is None
    assert [entry["event"] for entry in logged] == ["cache.unreadable"]


@pytest.mark.parametrize("ttl", [0, -1, math.inf, math.nan, "5", True])
def test_ttl(ttl: Any) -> None:
    """A value without a time to live is refused."""
    with Results() as manager:
        with pytest.raises(ValueError, match="above 0"):
            DuckDBCache[Any](manager, "results", default_ttl=ttl)
        with pytest.raises(ValueError, match="above 0"):
            DuckDBCache[Any](manager, "results").set("key", 1, ttl=ttl)


@pytest.mark.parametrize("key", [None, 5, b"a", "\ud800"])
def test_wrong_keys(key: Any) -> None:
    """A key that is no text is refused, whatever is asked for."""
    with Results() as manager:
        cache = DuckDBCache[Any](manager, "results")
        for work in (cache.get, cache.delete, lambda key: cache.set(key, 1)):
            with pytest.raises(ValueError, match="A key is a text"):
                work(key)


def test_values_that_are_none() -> None:
    """What the codec does not know is refused before anything is written."""
    with Results() as manager:
        cache = DuckDBCache[Any](manager, "results")
        with pytest.raises(CodecError):
            cache.set("key", object())

        assert manager.fetch_all("SELECT * FROM results") == []
