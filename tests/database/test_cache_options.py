import asyncio
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

import pytest

from mysingle._kernel.metrics import process_metrics
from mysingle._kernel.settings import RedisSettings
from mysingle.database import (
    BaseRedisCache,
    CodecError,
    MemoryStore,
    RedisClientManager,
    RedisConfig,
    create_service_cache,
    get_redis_client,
)
from mysingle.embedded import EmbeddedRedis

pytestmark = pytest.mark.usefixtures("manager")


class Loader:
    """Counts its runs; fails when told to."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.runs = 0
        self.fails = False
        self._seconds = seconds

    async def __call__(self) -> int:
        self.runs += 1
        await asyncio.sleep(self._seconds)
        if self.fails:
            raise LookupError("the database is away")
        return self.runs


def make(**options: Any) -> BaseRedisCache[Any]:
    return BaseRedisCache(key_prefix="strategy", default_ttl=600, **options)


def counted(result: str) -> float:
    labels = {"cache": "strategy", "result": result}
    return process_metrics().registry.get_sample_value("mysingle_cache_requests_total", labels) or 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stale_seconds": -1}, "stale_seconds"),
        ({"ttl_jitter": 1.0}, "below one"),
        ({"early_refresh": 1.5}, "below one"),
        ({"local_entries": "many"}, "local_entries"),
        ({"lock_seconds": float("inf")}, "lock_seconds"),
    ],
)
def test_option_refused(options: dict[str, Any], message: str) -> None:
    """An option out of its bounds is refused by its name."""
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_options_through_factories() -> None:
    """The factories hand options on."""
    with pytest.raises(ValueError, match="negative_ttl"):
        create_service_cache("strategy", 8, negative_ttl=-1)


async def test_negative() -> None:
    """That there is nothing is remembered for a short time, and is no value."""
    cache, loader = make(negative_ttl=0.3), Loader()

    def nothing() -> None:
        loader.runs += 1

    for _ in range(3):
        assert await cache.get_or_set("a", nothing) is None
    assert loader.runs == 1
    assert await cache.get("a") is None
    assert await cache.exists("a") is False
    assert await cache.get_many(["a"]) == {}

    await asyncio.sleep(0.35)
    assert await cache.get_or_set("a", nothing) is None
    assert loader.runs == 2
    await cache.set("a", 5)
    assert await cache.get_or_set("a", nothing) == 5


async def test_stale_if_error() -> None:
    """A value that has expired stands in while the loader fails, is no hit for `get`, and is replaced in time."""
    cache, loader = make(stale_seconds=60, ttl_jitter=0), Loader()
    assert await cache.get_or_set("a", loader, ttl=1) == 1
    loader.fails = True
    assert await cache.get_or_set("a", loader, ttl=1) == 1
    assert loader.runs == 1
    await asyncio.sleep(1.05)
    before = counted("stale")

    assert await cache.get("a") is None
    assert await cache.get_many(["a"]) == {}
    assert not await cache.exists("a")
    assert [await cache.get_or_set("a", loader, ttl=1) for _ in range(2)] == [1, 1]
    assert counted("stale") == before + 2
    loader.fails = False
    assert await cache.get_or_set("a", loader, ttl=1) == 4


async def test_error_without_stale_value() -> None:
    """Without an older value the error of the loader reaches the caller."""
    loader = Loader()
    loader.fails = True
    with pytest.raises(LookupError, match="away"):
        await make(stale_seconds=60).get_or_set("a", loader)


async def test_early_refresh() -> None:
    """In the last share of its life a value is loaded anew in the background, once, and nobody waits for it."""
    cache, loader = make(early_refresh=0.5, ttl_jitter=0), Loader(0.6)
    await cache.get_or_set("a", loader, ttl=3)
    await asyncio.sleep(1.7)
    started = time.monotonic()
    found = await asyncio.gather(*(cache.get_or_set("a", loader, ttl=3) for _ in range(50)))

    assert found == [1] * 50
    assert time.monotonic() - started < 0.5
    await asyncio.sleep(0.8)
    assert loader.runs == 2
    assert await cache.get("a") == 2


async def test_early_refresh_that_fails(logged: list[Any]) -> None:
    """A refresh that fails leaves the value as it is, and the log says so."""
    cache, loader = make(early_refresh=0.9, ttl_jitter=0), Loader()
    await cache.get_or_set("a", loader, ttl=1)
    loader.fails = True
    await asyncio.sleep(0.3)

    assert await cache.get_or_set("a", loader, ttl=1) == 1
    await asyncio.sleep(0.05)
    assert await cache.get("a") == 1
    assert "cache.refresh_failed" in [entry["event"] for entry in logged]


async def test_one_process_loads(redis_server: EmbeddedRedis) -> None:
    """Caches that know nothing of each other load a key once."""
    loader = Loader(0.2)
    async with AsyncExitStack() as stack:
        caches = []
        for _ in range(4):
            # 200 connections at once may take a busy machine longer than a command may.
            manager = RedisClientManager(RedisConfig(port=redis_server.port, timeout_seconds=10))
            stack.push_async_callback(manager.close)
            caches.append(make(lock_seconds=5, manager=manager))
        found = await asyncio.gather(*(cache.get_or_set("a", loader) for cache in caches for _ in range(125)))

    assert found == [1] * 500
    assert loader.runs == 1
    assert await (await get_redis_client(8)).keys("strategy:lock:*") == []


async def test_lock_of_the_dead() -> None:
    """A lock whose holder died delays a load by its time at most."""
    cache = make(lock_seconds=0.4)
    await (await get_redis_client(8)).set("strategy:lock:a", "somebody", px=5000)
    started = time.monotonic()

    assert await cache.get_or_set("a", Loader()) == 1
    assert 0.1 < time.monotonic() - started < 1.5


async def test_lock_ends_with_an_error() -> None:
    """A loader that fails gives the lock back."""
    cache, loader = make(lock_seconds=5), Loader()
    loader.fails = True
    with pytest.raises(LookupError):
        await cache.get_or_set("a", loader)
    loader.fails = False

    assert await asyncio.wait_for(cache.get_or_set("a", loader), 1) == 2


async def test_tags() -> None:
    """An invalidated tag takes its values with it, whoever stored them, and no others."""
    cache, other = make(), make()
    await cache.set("a", 1, tags=["user:1", "list"])
    await cache.set("b", 2, tags=["user:2"])
    await cache.set("c", 3)
    assert await other.get_many(["a", "b", "c"]) == {"a": 1, "b": 2, "c": 3}
    assert await other.invalidate_tag("user:1")

    assert await cache.get("a") is None
    assert await cache.get_many(["a", "b", "c"]) == {"b": 2, "c": 3}
    assert await cache.get_or_set("a", lambda: 9, tags=["user:1"]) == 9
    assert await cache.get("a") == 9


async def test_tag_invalidated_while_loading() -> None:
    """What was loaded before an invalidation is not believed after it."""
    cache = make()
    begun = asyncio.Event()

    async def load() -> int:
        begun.set()
        await asyncio.sleep(0.1)
        return 1

    running = asyncio.create_task(cache.get_or_set("a", load, tags=["user:1"]))
    await begun.wait()
    await cache.invalidate_tag("user:1")

    assert await running == 1
    assert await cache.get("a") is None


@pytest.mark.parametrize("data", [b"MST1", b"MST1\xff\xff", b"MST1\x00\x01\x00\x09a", b"MST1\x00\x01\xff\xffa\x00\x00"])
async def test_damaged_tags_are_a_miss(data: bytes) -> None:
    """Bytes that begin as a value with tags and end too early are a miss."""
    cache = make()
    await (await get_redis_client(8)).set("strategy:a", data, ex=600)

    assert await cache.get("a") is None
    assert await cache.get_or_set("a", lambda: 4) == 4


async def test_large_value_is_refused(logged: list[Any]) -> None:
    """A value of 50 MB is refused with both numbers; `get_or_set` hands it out all the same."""
    cache, value = make(), "x" * 50_000_000
    with pytest.raises(CodecError, match=r"5000\d+ bytes is larger than 8388608"):
        await cache.set("a", value)

    assert await cache.get_or_set("a", lambda: value) is value
    assert not await cache.exists("a")
    assert [entry["event"] for entry in logged] == ["cache.unstorable"]


async def listening(cache: BaseRedisCache[Any]) -> None:
    """Wait until the cache hears what others change."""
    await cache.get("first")
    local = cache._local()
    assert local is not None
    async with asyncio.timeout(5):
        while not local.is_listening:
            await asyncio.sleep(0.01)


async def test_local_hit_asks_nobody() -> None:
    """A value that is in this process is read without the server."""
    cache = make(local_entries=10)
    await listening(cache)
    await cache.set("a", {"x": 1})
    await cache.get("a")
    client = await get_redis_client(8)
    await client.config_resetstat()
    before = counted("local")

    assert [await cache.get("a") for _ in range(5)] == [{"x": 1}] * 5
    assert await cache.get_or_set("a", Loader()) == {"x": 1}
    assert counted("local") == before + 6
    assert "cmdstat_get" not in await client.info("commandstats")


@pytest.mark.parametrize("change", ["set", "set_many", "delete", "clear_all", "expire", "invalidate_tag"])
async def test_local_hears_changes(redis_server: EmbeddedRedis, change: str) -> None:
    """What another process changes is gone from this one within a moment."""
    manager = RedisClientManager(RedisConfig(port=redis_server.port))
    cache, other = make(local_entries=10, local_ttl=60), make(local_entries=10, local_ttl=60, manager=manager)
    await listening(cache)
    await listening(other)
    await cache.set("a", 1, tags=["t"])
    assert await cache.get("a") == 1
    arguments: dict[str, Any] = {
        "set": ("a", 2),
        "set_many": ({"a": 2},),
        "delete": ("a",),
        "clear_all": (),
        "expire": ("a", 1),
        "invalidate_tag": ("t",),
    }
    await getattr(other, change)(*arguments[change])
    local = cache._local()
    assert local is not None
    async with asyncio.timeout(1):
        while len(local):
            await asyncio.sleep(0.005)

    expected = {"set": 2, "set_many": 2, "expire": 1}.get(change)
    assert await cache.get("a") == expected
    await manager.close()


async def test_local_is_bounded() -> None:
    """No more values are kept than were asked for, and none for longer."""
    cache = make(local_entries=3, local_ttl=0.2)
    await listening(cache)
    await cache.set_many({str(number): number for number in range(10)})
    for number in range(10):
        await cache.get(str(number))
    local = cache._local()
    assert local is not None

    assert len(local) == 3
    await (await get_redis_client(8)).unlink("strategy:9")
    assert await cache.get("9") == 9
    await asyncio.sleep(0.25)
    assert await cache.get("9") is None


async def test_local_in_an_outage(own_redis: EmbeddedRedis) -> None:
    """When the connection that hears changes is lost, nothing new is kept, and later it begins empty."""
    manager = RedisClientManager(RedisConfig(port=own_redis.port, timeout_seconds=0.3))
    cache = make(local_entries=10, local_ttl=60, manager=manager)
    await listening(cache)
    await cache.set("a", 1)
    await cache.get("a")
    own_redis.kill()
    await asyncio.sleep(0.2)

    assert await cache.get("a") == 1
    assert await cache.get("b") is None
    await asyncio.to_thread(own_redis.start)
    await listening(cache)
    assert await cache.get("a") is None
    await manager.close()


@pytest.mark.parametrize("message", [b"", b"x", b"12345678*", b"12345678\xff\xff\xff\xffa", b"12345678\x00\x00"])
async def test_strange_notice(message: bytes) -> None:
    """A message that makes no sense empties the copies and does no other harm."""
    cache = make(local_entries=10)
    await listening(cache)
    await cache.set("a", 1)
    await cache.get("a")
    local = cache._local()
    assert local is not None
    await (await get_redis_client(8)).publish(local.channel, message)
    await asyncio.sleep(0.05)

    assert await cache.get("a") == 1
    assert local.is_listening


async def test_memory_store() -> None:
    """A cache works without Redis on a store in memory."""
    cache = make(store=MemoryStore(), negative_ttl=5, stale_seconds=5, lock_seconds=1)
    await cache.set("a", {"x": 1}, tags=["t"])

    assert await cache.get("a") == {"x": 1}
    assert await cache.invalidate_tag("t")
    assert await cache.get_or_set("a", Loader()) == 1
    assert await cache.clear_all() >= 1
    assert await cache.health_check()


PROCESS = """
import asyncio, sys, time
from mysingle._kernel.settings import CommonSettings, set_settings
from mysingle.database import create_service_cache, get_redis_client, get_redis_manager

set_settings(CommonSettings(_env_file=None, REDIS_HOST="127.0.0.1", REDIS_PORT=int(sys.argv[1])))
cache = create_service_cache("strategy", 8, lock_seconds=5)

async def load():
    await (await get_redis_client(8)).incr("version:loads")
    await asyncio.sleep(0.3)
    return 7

async def main():
    while time.time() < float(sys.argv[2]):
        await asyncio.sleep(0.001)
    found = await asyncio.gather(*(cache.get_or_set("a", load) for _ in range(100)))
    assert found == [7] * 100, found
    await get_redis_manager().close()

asyncio.run(main())
"""


async def test_processes_load_once(redis_server: EmbeddedRedis, settings: RedisSettings) -> None:
    """Three real processes with a hundred callers each run the loader once."""
    start = str(time.time() + 2.5)
    command = [sys.executable, "-c", PROCESS, str(redis_server.port), start]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    for process in running:
        _, errors = await asyncio.to_thread(process.communicate, timeout=30)
        assert process.returncode == 0, errors.decode()

    assert await (await get_redis_client(8)).get("version:loads") == "1"
