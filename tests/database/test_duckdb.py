import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mysingle.database import BaseDuckDBManager


class Prices(BaseDuckDBManager):
    schemas = 0

    def create_schema(self) -> None:
        self.schemas += 1
        self.execute("CREATE TABLE IF NOT EXISTS prices (symbol VARCHAR PRIMARY KEY, close DOUBLE)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "prices.duckdb"


def test_data_stay(path: Path) -> None:
    """What was written is there when the file is opened again; folders are made."""
    with Prices(path) as prices:
        prices.execute("INSERT INTO prices VALUES (?, ?)", ["AAPL", 1.5])
    with Prices(path) as prices:
        assert prices.fetch_all("SELECT * FROM prices") == [("AAPL", 1.5)]
        assert prices.fetch_one("SELECT close FROM prices WHERE symbol = $s", {"s": "AAPL"}) == (1.5,)
        assert prices.fetch_one("SELECT close FROM prices WHERE symbol = 'X'") is None


def test_open_and_close_twice() -> None:
    """Opening twice makes the schema once; closing twice is fine; a closed database says so."""
    prices = Prices().connect().connect()
    assert prices.schemas == 1
    prices.close()
    prices.close()

    with pytest.raises(RuntimeError, match="is not open"):
        prices.execute("SELECT 1")


def test_read_only(path: Path) -> None:
    """A reader neither makes the schema nor writes, and several read at once."""
    with Prices(path) as prices:
        prices.execute("INSERT INTO prices VALUES ('AAPL', 1.5)")
    with Prices(path, read_only=True) as first, Prices(path, read_only=True) as second:
        assert first.fetch_all("SELECT * FROM prices") == second.fetch_all("SELECT * FROM prices")
        assert first.schemas == 0
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            first.execute("DELETE FROM prices")


def test_schema_fails(path: Path) -> None:
    """When the schema cannot be made the file is closed again."""

    class Broken(BaseDuckDBManager):
        def create_schema(self) -> None:
            self.execute("CREATE NONSENSE")

    broken = Broken(path)
    with pytest.raises(duckdb.ParserException):
        broken.connect()

    with Prices(path) as prices:
        assert prices.schemas == 1


def test_cursor_for_each_thread() -> None:
    """Each thread has a cursor of its own, always the same one, and all see the same data."""
    with Prices() as prices, ThreadPoolExecutor(4) as pool:
        barrier = threading.Barrier(4)

        def work(number: int) -> tuple[int, bool]:
            barrier.wait()
            prices.execute("INSERT INTO prices VALUES (?, ?)", [str(number), number])
            return id(prices.connection()), prices.connection() is prices.connection()

        results = list(pool.map(work, range(4)))

        assert len({cursor for cursor, _ in results}) == 4
        assert all(same for _, same in results)
        assert prices.fetch_one("SELECT count(*) FROM prices") == (4,)


async def test_async_side() -> None:
    """The async methods do what their sync counterparts do."""
    async with Prices() as prices:
        await prices.execute_async("INSERT INTO prices VALUES (?, ?)", ["AAPL", 1.5])

        assert await prices.fetch_all_async("SELECT * FROM prices") == [("AAPL", 1.5)]
        assert await prices.fetch_one_async("SELECT symbol FROM prices") == ("AAPL",)


async def test_loop_is_not_blocked() -> None:
    """While queries run the event loop goes on."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - before)

    query = "SELECT sum(sqrt(a.range * b.range)) FROM range(12000) a, range(5000) b"
    async with BaseDuckDBManager() as manager:
        await manager.execute_async("SET threads = 1")
        watcher = asyncio.create_task(watch())
        started = time.monotonic()
        results: list[Any] = await asyncio.gather(*(manager.fetch_one_async(query) for _ in range(2)))
        seconds = time.monotonic() - started
        watcher.cancel()

    assert results[0] == results[1]
    assert longest < max(0.1, seconds / 2)
