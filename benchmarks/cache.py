"""Caches beside the raw driver and beside other libraries, on the same work in one run."""

import asyncio
import statistics
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiocache import RedisCache
from aiocache.serializers import JsonSerializer
from cashews import Cache
from redis.asyncio import Redis

from mysingle._kernel.settings import CommonSettings, reset_settings, set_settings
from mysingle.database import BaseRedisCache, get_redis_manager, reset_redis_manager
from mysingle.database._local import LocalCache
from mysingle.embedded import EmbeddedRedis

VALUE = {"symbol": "SPY", "bars": [{"o": 1.5, "h": 2.5, "l": 0.5, "c": 1.75, "v": 1000 + n} for n in range(23)]}
ROUNDS, CALLS, MANY = 15, 300, 100

BESIDE = [(name, call) for name in ("cashews", "aiocache") for call in ("get", "set")]

Work = Callable[[], Awaitable[Any]]


def measure() -> dict[str, float]:
    with EmbeddedRedis() as server:
        set_settings(CommonSettings(_env_file=None, REDIS_HOST="127.0.0.1", REDIS_PORT=server.port))
        try:
            measured = asyncio.run(_measure(server.port))
        finally:
            reset_redis_manager()
            reset_settings()
    return measured | _measure_memory()


async def _measure(port: int) -> dict[str, float]:
    raw = Redis(host="127.0.0.1", port=port)
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="market", redis_db=5)
    local: BaseRedisCache[Any] = BaseRedisCache(key_prefix="market", redis_db=5, local_entries=1000, local_ttl=600)
    keys = [f"many:{number}" for number in range(MANY)]
    data = orjson.dumps(VALUE)
    await cache.set("one", VALUE)
    await cache.set_many(dict.fromkeys(keys, VALUE))
    await raw.set("one", data)
    await raw.mset(dict.fromkeys(keys, data))
    await _fill(local)

    async def raw_get() -> Any:
        return orjson.loads(await raw.get("one"))

    async def raw_set() -> None:
        await raw.set("one", orjson.dumps(VALUE), px=300_000)

    async def raw_get_many() -> Any:
        return [orjson.loads(item) for item in await raw.mget(keys)]

    results = await _side_by_side(
        {
            "raw_get": raw_get,
            "get": lambda: cache.get("one"),
            "raw_set": raw_set,
            "set": lambda: cache.set("one", VALUE, ttl=300),
            "raw_get_many": raw_get_many,
            "get_many": lambda: cache.get_many(keys),
            "local_get": lambda: local.get("one"),
            **await _others(port),
        }
    )
    await raw.aclose()
    await get_redis_manager().close()
    micros = {f"{name}_us": seconds * 1e6 for name, seconds in results.items()}
    ratios = {f"ratio_{name}": results[f"raw_{name}"] / results[name] for name in ("get", "set", "get_many")}
    others = {f"ratio_{call}_to_{name}": results[f"{name}_{call}"] / results[call] for name, call in BESIDE}
    return micros | ratios | others | {"ratio_local_to_redis": results["get"] / results["local_get"]}


async def _fill(cache: BaseRedisCache[Any]) -> None:
    """Wait until the copy in the process is there."""
    for _ in range(500):
        await cache.get("one")
        copies = cache._local()
        if copies is not None and len(copies):
            return
        await asyncio.sleep(0.01)


async def _others(port: int) -> dict[str, Work]:
    """Return the same work of other libraries, each with JSON as its serializer."""
    cashews = Cache()
    cashews.setup(f"redis://127.0.0.1:{port}/1", pickle_type="json", enable=True)
    aiocache = RedisCache(endpoint="127.0.0.1", port=port, db=2, serializer=JsonSerializer())
    return {
        "cashews_set": lambda: cashews.set("one", VALUE, expire=300),
        "cashews_get": lambda: cashews.get("one"),
        "aiocache_set": lambda: aiocache.set("one", VALUE, ttl=300),
        "aiocache_get": lambda: aiocache.get("one"),
    }


async def _side_by_side(works: dict[str, Work]) -> dict[str, float]:
    """Return the median time of one call of each; rounds alternate, so that a busy moment meets all."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            calls = CALLS // 10 if name.endswith("many") else CALLS
            started = time.perf_counter()
            for _ in range(calls):
                await work()
            times[name].append((time.perf_counter() - started) / calls)
    return {name: statistics.median(each) for name, each in times.items()}


def _measure_memory() -> dict[str, float]:
    """Return the memory of 100,000 copies in a process without their values, and with values of 1 KB."""
    keys = [f"AAPL:{number}" for number in range(100_000)]
    measured = {}
    for name, make in (("keys_only", lambda _: None), ("of_1_kb", lambda number: bytes(1000) + str(number).encode())):
        tracemalloc.start()
        copies: LocalCache[Any] = LocalCache(b"benchmark", 100_000, 600)
        copies.listen(is_listening=True)
        for number, key in enumerate(keys):
            copies.put(key, make(number), copies.changes)
        measured[f"local_100k_{name}_mb"] = tracemalloc.get_traced_memory()[0] / 1e6
        tracemalloc.stop()
    return measured
