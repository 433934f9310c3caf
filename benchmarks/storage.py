"""MongoDB documents beside the bare driver, and the async side of DuckDB beside the bare library, in one run."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from pymongo import AsyncMongoClient

from mysingle.core.base import BaseTimeDocWithUserId
from mysingle.core.config import CommonSettings
from mysingle.database import BaseDuckDBManager, UserRepository, init_mongo
from mysingle.embedded import EmbeddedMongo

OWNER = "a11ce0000000000000000001"
READS, ROUNDS = 150, 15
ROWS, SCANS = 1_000_000, 25
SCAN = "SELECT symbol, count(*), avg(close), max(high), stddev(close) FROM bars GROUP BY symbol ORDER BY symbol"


class Position(BaseTimeDocWithUserId):
    symbol: str
    quantity: float
    price: float
    tags: list[str]

    class Settings:
        require_owner = True


def measure_mongo() -> dict[str, float]:
    with EmbeddedMongo() as server:
        return asyncio.run(_measure_mongo(server.url))


async def _measure_mongo(url: str) -> dict[str, float]:
    settings = CommonSettings(_env_file=None, MONGODB_URL=url)
    database = await init_mongo([Position], database_name="benchmark", settings=settings)
    positions = UserRepository(Position, OWNER)
    stored = await positions.add(Position(user_id=OWNER, symbol="SPY", quantity=1.5, price=512.3, tags=["a", "b"]))
    bare: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(url, tz_aware=True)
    collection = bare["benchmark"]["Position"]
    query = {"_id": stored.id, "user_id": OWNER}
    measured = await _side_by_side(
        {"bare": lambda: collection.find_one(query), "ours": lambda: positions.get(stored.id)}, READS, ROUNDS
    )
    await bare.close()
    await database.client.close()
    return {
        "bare_find_one_us": measured["bare"] * 1e6,
        "find_one_us": measured["ours"] * 1e6,
        "ratio_find_one": measured["bare"] / measured["ours"],
    }


def measure_duckdb() -> dict[str, float]:
    with TemporaryDirectory() as folder:
        return asyncio.run(_measure_duckdb(Path(folder) / "bars.duckdb"))


async def _measure_duckdb(path: Path) -> dict[str, float]:
    """Scan a million rows, alternately on a bare cursor and through the manager, of the same open file."""
    async with BaseDuckDBManager(path) as bars:
        await bars.execute_async(
            "CREATE TABLE bars AS SELECT 'S' || (range % 500) AS symbol, random() AS close, random() + 1 AS high "
            f"FROM range({ROWS})"
        )
        cursor: duckdb.DuckDBPyConnection = bars.connection().cursor()

        async def bare() -> object:
            return cursor.execute(SCAN).fetchall()

        async def ours() -> object:
            return await bars.fetch_all_async(SCAN)

        measured = await _side_by_side({"bare": bare, "ours": ours}, 1, SCANS)
    return {
        "bare_scan_ms": measured["bare"] * 1e3,
        "scan_ms": measured["ours"] * 1e3,
        "ratio_scan": measured["bare"] / measured["ours"],
    }


async def _side_by_side(calls: dict[str, Callable[[], Awaitable[object]]], count: int, rounds: int) -> dict[str, float]:
    """Return seconds a call, the median of rounds in which each candidate runs once, first one and then the other."""
    for call in calls.values():
        await call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds):
        for name in sorted(calls, reverse=number % 2 == 1):
            started = time.perf_counter()
            for _ in range(count):
                await calls[name]()
            seconds[name].append((time.perf_counter() - started) / count)
    return {name: statistics.median(values) for name, values in seconds.items()}
