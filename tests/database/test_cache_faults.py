"""valkey dies under load, again and again; callers of cached reads do not notice more than a slower answer."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mysingle._kernel.settings import CommonSettings, set_settings
from mysingle.database import BaseRedisCache, JsonCodec, MemoryStore, MsgpackCodec, RedisClientManager, RedisConfig
from mysingle.embedded import EmbeddedRedis

RATE = 200
TIMEOUT = 0.3
ROUNDS = int(os.environ.get("MYSINGLE_FAULT_ROUNDS", "3"))
ROUND_SECONDS = float(os.environ.get("MYSINGLE_FAULT_SECONDS", "4"))


class Load:
    """Reads through a cache at a steady rate and remembers how it went."""

    def __init__(self, cache: BaseRedisCache[Any]) -> None:
        self._cache = cache
        self.latencies: list[float] = []
        self.errors: list[BaseException] = []
        self.wrong = 0

    async def run(self, seconds: float) -> None:
        started, number, running = time.monotonic(), 0, set()
        while time.monotonic() - started < seconds:
            running.add(task := asyncio.create_task(self._read(number % 50)))
            task.add_done_callback(running.discard)
            number += 1
            await asyncio.sleep(max(0.0, started + number / RATE - time.monotonic()))
        await asyncio.gather(*running)

    async def _read(self, number: int) -> None:
        async def load() -> int:
            await asyncio.sleep(0.002)
            return number

        started = time.monotonic()
        try:
            self.wrong += await self._cache.get_or_set(str(number), load) != number
        except Exception as error:  # whatever it is, it is one too many
            self.errors.append(error)
        self.latencies.append(time.monotonic() - started)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def seconds_until_healed(cache: BaseRedisCache[Any]) -> float:
    started = time.monotonic()
    while not await cache.set("healed", 1):
        assert time.monotonic() - started < 10
        await asyncio.sleep(0.02)
    return time.monotonic() - started


@pytest.mark.parametrize(
    "options", [{}, {"lock_seconds": 1, "stale_seconds": 30, "local_entries": 20}], ids=["plain", "all"]
)
async def test_killed_under_load(own_redis: EmbeddedRedis, options: dict[str, Any]) -> None:
    """No call fails, none takes more than twice the time limit, it heals within two seconds, and leaks nothing."""
    manager = RedisClientManager(
        RedisConfig(port=own_redis.port, timeout_seconds=TIMEOUT, connect_timeout_seconds=TIMEOUT)
    )
    cache: BaseRedisCache[int] = BaseRedisCache(key_prefix="strategy", default_ttl=600, manager=manager, **options)
    load, healed = Load(cache), []
    await load.run(0.5)
    before = open_files()
    for _ in range(ROUNDS):
        running = asyncio.create_task(load.run(ROUND_SECONDS))
        await asyncio.sleep(ROUND_SECONDS / 4)
        own_redis.kill()
        await asyncio.sleep(ROUND_SECONDS / 4)
        await asyncio.to_thread(own_redis.start)
        healed.append(await seconds_until_healed(cache))
        await running
    load.latencies.sort()
    figures = {
        "calls": len(load.latencies),
        "p50": load.latencies[len(load.latencies) // 2],
        "p99": load.latencies[int(len(load.latencies) * 0.99)],
        "max": load.latencies[-1],
        "healed": max(healed),
        "files": (before, open_files()),
    }
    print(figures)

    assert (load.errors, load.wrong) == ([], 0)
    assert load.latencies[-1] <= 2 * TIMEOUT + 0.4, figures  # the machine is busy as well
    assert max(healed) < 2.0, figures
    await manager.close()
    await asyncio.sleep(0.1)
    assert open_files() <= before, figures


@pytest.mark.parametrize("codec", [JsonCodec(), MsgpackCodec()], ids=["json", "msgpack"])
@settings(max_examples=200)
@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.builds(
            bytes.__add__,
            st.sampled_from([b"MSJ1", b"MSM1", b"MSN1", b"MST1", b"MSB1", b"MSJ9", b"\x80\x04", b"MST1\x00\x00MSJ1"]),
            st.binary(max_size=300),
        ),
    )
)
def test_any_bytes(codec: Any, data: bytes) -> None:
    """Whatever bytes stand in a cache, reading never raises, and a loader's value can replace them."""
    set_settings(CommonSettings(_env_file=None))

    async def read() -> None:
        store = MemoryStore()
        cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600, codec=codec, store=store)
        for options in ({}, {"stale_seconds": 5, "early_refresh": 0.1}):
            await store.set(b"strategy:a", data, 60_000)
            cache = BaseRedisCache(key_prefix="strategy", default_ttl=600, codec=codec, store=store, **options)
            await cache.get("a")
            await cache.get_many(["a"])
            await cache.get_or_set("a", lambda: 1)

    asyncio.run(read())


async def test_clock_jumps(own_redis: EmbeddedRedis) -> None:
    """Only the server's clock and this process's monotonic one decide, so a jump of the wall clock changes nothing."""
    import mysingle.database as package

    folder = Path(str(package.__file__)).parent
    names = (
        "_cache",
        "_cache_core",
        "_circuit",
        "_local",
        "_memory",
        "_pool",
        "_rate_limit",
        "_redis",
        "_shared_flight",
    )
    texts = [(folder / f"{name}.py").read_text(encoding="utf-8") for name in names]

    assert not any(word in text for text in texts for word in ("time.time(", "datetime.now(", "utcnow("))
