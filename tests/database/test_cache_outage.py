import asyncio
import os
import signal
import time
from typing import Any

import pytest

from mysingle._kernel.errors import UnavailableError
from mysingle._kernel.metrics import process_metrics
from mysingle.database import BaseRedisCache, RedisClientManager
from mysingle.embedded import EmbeddedRedis


@pytest.fixture
def cache(own_manager: RedisClientManager) -> BaseRedisCache[Any]:
    return BaseRedisCache(key_prefix="strategy", default_ttl=600)


async def until_healed(cache: BaseRedisCache[Any], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if await cache.set("healed", 1):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_killed_server_is_a_miss(cache: BaseRedisCache[Any], own_redis: EmbeddedRedis) -> None:
    """Every call answers as if nothing were stored, and the loader's value is returned."""
    await cache.set("a", 1)
    own_redis.kill()

    assert await cache.get("a") is None
    assert await cache.set("a", 1) is False
    assert await cache.delete("a") is False
    assert await cache.exists("a") is False
    assert await cache.expire("a", 600) is False
    assert await cache.get_many(["a"]) == {}
    assert await cache.set_many({"a": 1}) is False
    assert await cache.add("a", 1) is False
    assert await cache.delete_if("a", 1) is False
    assert await cache.clear_all() == 0
    assert await cache.health_check() is False
    assert await cache.get_or_set("a", lambda: 2) == 2


async def test_heals_by_itself(cache: BaseRedisCache[Any], own_redis: EmbeddedRedis, logged: list[Any]) -> None:
    """When the server is back the cache works again within two seconds, and says so."""
    await cache.set("a", 1)
    own_redis.kill()
    for _ in range(20):
        await cache.get("a")
    await asyncio.to_thread(own_redis.start)

    assert await until_healed(cache, 2.0)
    assert await cache.get("healed") == 1
    assert "redis.recovered" in [entry["event"] for entry in logged]


async def test_restart_between_calls(cache: BaseRedisCache[Any], own_redis: EmbeddedRedis) -> None:
    """A server that was away between two calls costs nothing: stale connections are replaced."""
    await cache.set("a", 1)
    own_redis.kill()
    await asyncio.to_thread(own_redis.start)

    assert await cache.set("a", 2) is True
    assert await cache.get("a") == 2


async def test_fast_while_away(cache: BaseRedisCache[Any], own_redis: EmbeddedRedis, logged: list[Any]) -> None:
    """While the server is away a call costs next to nothing, and the log says so at most once a second."""
    own_redis.kill()
    started = time.monotonic()
    for _ in range(2000):
        await cache.get("a")
    seconds = time.monotonic() - started

    assert seconds < 1.0
    assert 1 <= len([entry for entry in logged if entry["event"] == "redis.fault"]) <= 2


async def test_hung_server_is_skipped(
    cache: BaseRedisCache[Any], own_redis: EmbeddedRedis, own_manager: RedisClientManager
) -> None:
    """A server that accepts and never answers slows down the first calls only, and heals when it goes on."""
    await cache.set("a", 1)
    os.kill(own_redis.pid, signal.SIGSTOP)
    try:
        for _ in range(3):
            assert await cache.get("a") is None
        started = time.monotonic()
        for _ in range(100):
            assert await cache.get_or_set("a", lambda: 5) == 5
        assert time.monotonic() - started < 0.5
        assert own_manager.circuit.is_open
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)

    assert await until_healed(cache, 3.0)
    assert await cache.get("a") == 1


async def test_hung_server_with_many_callers(cache: BaseRedisCache[Any], own_redis: EmbeddedRedis) -> None:
    """Five hundred callers at the moment of the hang all have an answer soon: fifty connections do not take turns."""
    os.kill(own_redis.pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        found = await asyncio.gather(*(cache.get(str(number)) for number in range(500)))
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)

    assert found == [None] * 500
    assert time.monotonic() - started < 6


async def test_one_probe(cache: BaseRedisCache[Any], own_redis: EmbeddedRedis) -> None:
    """After the pause one caller asks the server, not all of them."""
    own_redis.kill()
    for _ in range(3):
        await cache.get("a")
    await asyncio.sleep(1.05)
    await asyncio.to_thread(own_redis.start)
    client = cache._manager.lazy_client(8)
    await asyncio.gather(*(cache.get("a") for _ in range(20)))

    assert (await client.info("commandstats"))["cmdstat_get"]["calls"] == 1


async def test_faults_are_counted(cache: BaseRedisCache[Any], own_redis: EmbeddedRedis) -> None:
    """A fault is counted as an error, also while the server is skipped."""
    labels = {"cache": "strategy", "result": "error"}
    registry = process_metrics().registry
    before = registry.get_sample_value("mysingle_cache_requests_total", labels) or 0.0
    own_redis.kill()
    for _ in range(10):
        await cache.get("a")

    assert registry.get_sample_value("mysingle_cache_requests_total", labels) == before + 10


async def test_raise_when_asked(own_manager: RedisClientManager, own_redis: EmbeddedRedis) -> None:
    """A cache that was made to raise raises one error of our family, whatever the state of the circuit."""
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600, on_error="raise")
    own_redis.kill()
    for _ in range(5):
        with pytest.raises(UnavailableError, match="not reachable") as caught:
            await cache.get("a")
        assert caught.value.reason == "REDIS_UNAVAILABLE"
    with pytest.raises(UnavailableError, match="not reachable"):
        await cache.get_or_set("a", lambda: 1)


async def test_single_flight_in_an_outage(cache: BaseRedisCache[Any], own_redis: EmbeddedRedis) -> None:
    """Without Redis the loader still runs once for callers of the same moment."""
    own_redis.kill()
    runs = 0

    async def load() -> int:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0.5)
        return 7

    results = await asyncio.gather(*(cache.get_or_set("a", load) for _ in range(200)))

    assert results == [7] * 200
    assert runs == 1
