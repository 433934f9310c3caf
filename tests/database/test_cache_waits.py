"""How long a call of a cache waits, with whom it shares a reading, and that nobody else pays for it."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mysingle._kernel.context import RequestContext, use_context
from mysingle._kernel.errors import NotFoundError, UnavailableError
from mysingle.database import BaseRedisCache, RedisClientManager, RedisConfig, get_redis_client
from mysingle.embedded import EmbeddedRedis


class Wire:
    """A wire to a server: it counts what goes through, delays answers, and loses those that it is told to."""

    def __init__(self, port: int, delay: float = 0.0, lost: bytes = b"") -> None:
        self.sent: list[bytes] = []
        self.delay = delay
        self.lost = lost
        self.port = 0
        self._to = port

    @asynccontextmanager
    async def open(self) -> AsyncIterator[RedisConfig]:
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await self._carry(reader, writer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        try:
            yield RedisConfig(port=server.sockets[0].getsockname()[1], timeout_seconds=0.5)
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, onward = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            while data := await reader.read(65536):
                onward.write(data)
                answer = await answers.read(65536)
                if not any(word in data for word in (b"SELECT", b"CLIENT", b"HELLO")):
                    self.sent.append(data)
                    await asyncio.sleep(self.delay)
                    if self.lost and self.lost in data:
                        continue
                writer.write(answer)
        finally:
            onward.close()


@pytest.fixture
async def wire(redis_server: EmbeddedRedis, manager: RedisClientManager) -> AsyncIterator[Any]:
    """Give a function that lays a wire and makes a cache behind it."""
    async with AsyncWires(redis_server.port) as wires:
        yield wires.make


class AsyncWires:
    """The wires of one test and the managers behind them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: list[Any] = []

    async def __aenter__(self) -> "AsyncWires":
        return self

    async def __aexit__(self, *_: object) -> None:
        for end in reversed(self._ends):
            await end()

    async def make(self, options: dict[str, Any], **how: Any) -> tuple[BaseRedisCache[Any], Wire]:
        laid = Wire(self._port, **how)
        opened = laid.open()
        manager = RedisClientManager(await opened.__aenter__())
        self._ends.append(lambda: opened.__aexit__(None, None, None))
        self._ends.append(manager.close)
        return BaseRedisCache(key_prefix="strategy", default_ttl=600, manager=manager, **options), laid


def counting(result: object = 1) -> tuple[Callable[[], Any], list[int]]:
    """Return a loader and the list of its runs."""
    runs: list[int] = []

    async def load() -> object:
        runs.append(1)
        if isinstance(result, Exception):
            raise result
        return result

    return load, runs


async def test_one_patience_for_all_commands(wire: Any) -> None:
    """A miss with a lock is five commands; a server that is slow at each is left alone when twice the limit is over."""
    cache, laid = await wire({"lock_seconds": 5}, delay=0.4)
    load, runs = counting()

    assert await cache.get_or_set("a", load) == 1
    assert (len(runs), len(laid.sent) <= 3) == (1, True), laid.sent


async def test_loader_does_not_use_patience_up(wire: Any) -> None:
    """What a loader takes, in other caches too, is no time of the store: its value is kept."""
    cache, _ = await wire({"lock_seconds": 5}, delay=0.05)

    async def load() -> int:
        await asyncio.sleep(1.2)
        return 1 if await cache.set("inner", 1) else 0

    assert await cache.get_or_set("a", load) == 1
    assert await cache.get("a") == 1


async def test_lock_whose_answer_was_lost(wire: Any) -> None:
    """A lock that was taken although its answer never came is nobody's: the next caller does not wait for it."""
    cache, laid = await wire({"lock_seconds": 30}, lost=b"NX")
    assert await cache.get_or_set("a", lambda: 1) == 1
    laid.lost = b""

    assert await asyncio.wait_for(cache.get_or_set("a", lambda: 2), 5) == 2
    assert await (await get_redis_client(8)).keys("strategy:lock:*") == []


async def test_error_of_a_loader_with_lock(manager: RedisClientManager) -> None:
    """An error of our family that a loader raises is the loader's, and no reason to run it again."""
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600, lock_seconds=2)
    for error in (NotFoundError("no such strategy"), UnavailableError("the database is away")):
        load, runs = counting(error)
        with pytest.raises(type(error)):
            await cache.get_or_set("a", load)
        assert len(runs) == 1


async def test_server_lost_while_waiting_for_a_lock(own_manager: RedisClientManager, own_redis: EmbeddedRedis) -> None:
    """Whoever waits for another process when the server dies loads by himself, and never gets nothing."""
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600, lock_seconds=20)
    await (await get_redis_client(8)).set("strategy:lock:a", "somebody", px=60_000)
    waiting = [asyncio.create_task(cache.get_or_set("a", lambda: 7)) for _ in range(5)]
    await asyncio.sleep(0.3)
    own_redis.kill()

    assert await asyncio.wait_for(asyncio.gather(*waiting), 10) == [7] * 5


async def test_cold_crowd_reads_once(manager: RedisClientManager) -> None:
    """Five hundred who want one key in a cold process ask once, over a few connections, and each has his own copy."""
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600)
    redis = await get_redis_client(8)
    await cache.set("a", {"x": [1]})
    await redis.config_resetstat()
    pool = manager.lazy_client(8).connection_pool
    found = await asyncio.gather(*(cache.get_or_set("a", lambda: None) for _ in range(500)))
    found[0]["x"].append(2)

    assert found[1:] == [{"x": [1]}] * 499
    assert (await redis.info("commandstats"))["cmdstat_get"]["calls"] == 1
    assert len(pool._available_connections) <= 3


@pytest.mark.parametrize("options", [{}, {"stale_seconds": 30}, {"local_entries": 5}], ids=["plain", "aged", "local"])
async def test_cold_crowd_of_a_miss(manager: RedisClientManager, options: dict[str, Any]) -> None:
    """The same for a key that is not there: the loader runs once."""
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600, **options)
    load, runs = counting(7)

    assert await asyncio.gather(*(cache.get_or_set("a", load) for _ in range(500))) == [7] * 500
    assert len(runs) == 1


async def test_leader_of_a_reading_cancelled(wire: Any) -> None:
    """Who reads for all may leave: the others get the value."""
    cache, _ = await wire({}, delay=0.1)
    await cache.set("a", 1)
    tasks = [asyncio.create_task(cache.get_or_set("a", lambda: 2)) for _ in range(20)]
    await asyncio.sleep(0.05)
    tasks[0].cancel()
    tasks[5].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)

    assert [each for each in found if each == 1] == [1] * 18


@pytest.mark.parametrize("change", ["set", "delete", "clear_all"])
async def test_own_change_is_seen(wire: Any, change: str) -> None:
    """Who has changed a value never gets the older one of a reading that began before."""
    cache, laid = await wire({})
    await cache.set("a", "old")
    laid.delay = 0.4
    laid.sent.clear()
    first = asyncio.create_task(cache.get_or_set("a", lambda: "new"))
    while not laid.sent:
        await asyncio.sleep(0.005)
    laid.delay = 0.0
    await getattr(cache, change)(*{"set": ("a", "new"), "delete": ("a",), "clear_all": ()}[change])
    assert not first.done()

    assert await cache.get_or_set("a", lambda: "new") == "new"
    assert await first == "old"


async def test_copy_read_during_a_change(manager: RedisClientManager) -> None:
    """A value that was read while it was being changed is not kept in the process once the change is done."""
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600, local_entries=5, local_ttl=60)
    await cache.get("first")
    local = cache._local()
    assert local is not None
    while not local.is_listening:
        await asyncio.sleep(0.01)
    await cache.set("a", "old")
    await (await get_redis_client(0)).execute_command("CLIENT", "PAUSE", 300, "WRITE")
    writing = asyncio.create_task(cache.set("a", "new"))
    await asyncio.sleep(0.1)
    assert await cache.get("a") == "old"

    assert await writing
    assert await cache.get("a") == "new"


async def test_callers_without_time(own_manager: RedisClientManager, own_redis: EmbeddedRedis) -> None:
    """Callers whose own deadline is too short say nothing about the server: nobody else is cut off from it."""
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600)
    await cache.set("a", 1)
    os.kill(own_redis.pid, signal.SIGSTOP)
    for _ in range(10):
        with use_context(RequestContext(deadline=time.monotonic() + 0.01)):
            assert await cache.get("a") is None
    os.kill(own_redis.pid, signal.SIGCONT)

    assert not own_manager.circuit.is_open
    assert await cache.get("a") == 1


async def test_queue_for_a_connection_ends_with_the_request(redis_server: EmbeddedRedis, configure: Any) -> None:
    """A request with little time left does not wait longer for a free connection than it has."""
    manager = RedisClientManager(RedisConfig(port=redis_server.port, max_connections=1, timeout_seconds=30))
    configure(REDIS_HOST="127.0.0.1", REDIS_PORT=redis_server.port)
    pool = manager.lazy_client(8).connection_pool
    held = await pool.get_connection()
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600, manager=manager)
    with use_context(RequestContext(deadline=time.monotonic() + 0.1)):
        assert await asyncio.wait_for(cache.get("a"), 5) is None
    await pool.release(held)
    assert not manager.circuit.is_open
    await manager.close()


async def test_unknown_script_is_no_fault(manager: RedisClientManager, logged: list[Any]) -> None:
    """A server that does not know a program yet gets it; nobody has to hear of it."""
    await (await get_redis_client(2)).script_flush()

    assert await manager.run_script(2, "return ARGV[1]", [], [b"\xff"]) == b"\xff"
    assert logged == []
