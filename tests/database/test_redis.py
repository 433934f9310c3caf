import asyncio
import subprocess
import sys
import time
from typing import Any

import pytest
from redis.exceptions import ResponseError

from mysingle._kernel.allocation import RedisDB
from mysingle._kernel.errors import ErrorCode, ResourceExhaustedError, UnavailableError, translate
from mysingle._kernel.lifecycle import Resource
from mysingle._kernel.settings import RedisSettings, SettingsError
from mysingle.database import (
    RedisClientManager,
    RedisConfig,
    get_redis_client,
    get_redis_manager,
    reset_redis_manager,
)
from mysingle.embedded import EmbeddedRedis


@pytest.mark.parametrize("number", range(15))
async def test_number_on_server(manager: RedisClientManager, number: int) -> None:
    """A client writes into the database that was asked for, and into no other."""
    await (await get_redis_client(db=number)).set("where", number)

    found = [other for other in range(16) if await manager.lazy_client(other).exists("where")]

    assert [number] == found
    assert f"db={number} " in await (await get_redis_client(db=number)).execute_command("CLIENT", "INFO")


async def test_client_is_shared(manager: RedisClientManager) -> None:
    """The same database has one client, so its pool is bounded."""
    assert await get_redis_client(3) is await get_redis_client(RedisDB.SESSION)


async def test_script(manager: RedisClientManager) -> None:
    """The text of a program is sent once, then its hash; a server that has forgotten it gets it again. Bytes return."""
    redis, script = await get_redis_client(0), "return {KEYS[1], ARGV[1], ARGV[2]}"
    await redis.script_flush()
    await redis.config_resetstat()
    answers = [await manager.run_script(0, script, ["k"], ["text", number]) for number in range(5)]
    counted = await redis.info("commandstats")

    assert answers == [[b"k", b"text", b"%d" % number] for number in range(5)]
    assert (counted["cmdstat_evalsha"]["calls"], counted["cmdstat_eval"]["calls"]) == (5, 1)

    await redis.script_flush()
    assert await manager.run_script(0, script, ["k"], ["again", 5]) == [b"k", b"again", b"5"]


async def test_replies_are_text(manager: RedisClientManager) -> None:
    """Replies are text; bytes that are none do not fail."""
    client = await get_redis_client(8)
    await client.set("text", "héllo")
    await client.set("bytes", b"\xff")

    assert await client.get("text") == "héllo"
    assert (await client.get("bytes")).encode("utf-8", "surrogateescape") == b"\xff"


@pytest.mark.parametrize("wrong", [15, RedisDB.RESERVED, -1, 16, "8", 8.0, True, None], ids=repr)
async def test_number_refused(manager: RedisClientManager, wrong: Any) -> None:
    """A number that is none, out of range or reserved is refused before anything connects."""
    with pytest.raises(ValueError, match="Redis database"):
        await get_redis_client(wrong)


@pytest.mark.parametrize("node", ["redis", "redis:", ":6379", "redis:x", "redis:65536"])
def test_node_refused(configure: Any, node: str) -> None:
    """A node that is no address is refused with an example."""
    configure(REDIS_MODE="cluster", REDIS_NODES=(node,))
    with pytest.raises(SettingsError, match="host:port"):
        get_redis_manager()


def test_config_from_settings(configure: Any) -> None:
    """The settings decide, and the password is not shown."""
    settings = configure(REDIS_HOST="redis", REDIS_PASSWORD="hidden-word", REDIS_TLS=True, REDIS_MAX_CONNECTIONS=7)
    config = RedisConfig.from_settings(settings)

    assert (config.address, config.tls, config.max_connections) == ("redis:6379", True, 7)
    assert "hidden-word" not in repr(config)


async def test_singleton(manager: RedisClientManager) -> None:
    """There is one manager, also for older services that await it; a reset makes a new one."""
    assert manager is get_redis_manager()
    assert manager is await get_redis_manager()
    await manager.close()
    reset_redis_manager()

    assert manager is not get_redis_manager()


async def test_is_resource(manager: RedisClientManager) -> None:
    """The manager opens, answers and closes as a resource of a service, and is usable again after that."""
    await manager.open()
    await manager.ping()
    await manager.close()

    assert isinstance(manager, Resource)
    assert await (await manager.client(0)).ping()


async def test_pool_is_bounded(redis_server: EmbeddedRedis, settings: RedisSettings) -> None:
    """More callers than connections wait for each other; who waits too long gets an error, not a hang."""
    config = RedisConfig(port=redis_server.port, max_connections=2, timeout_seconds=0.5)
    manager = RedisClientManager(config)
    client = await manager.client(0)
    await asyncio.gather(*(client.get("a") for _ in range(50)))
    held = [await client.connection_pool.get_connection() for _ in range(2)]
    started = time.monotonic()
    for _ in range(2):
        with pytest.raises(ResourceExhaustedError, match="Too many calls") as caught:
            await manager.run(0, lambda redis: redis.get("a"))
    with pytest.raises(ResourceExhaustedError, match="Too many calls"):
        await manager.exchange(0, [("GET", "a")])

    assert time.monotonic() - started < 2.5
    assert caught.value.reason == "REDIS_POOL_EXHAUSTED"
    assert "REDIS_MAX_CONNECTIONS" in caught.value.details["error"]
    assert not manager.circuit.is_open
    for connection in held:
        await client.connection_pool.release(connection)
    await manager.close()


async def test_absent_server(configure: Any) -> None:
    """An absent server is one clear error, fast; opening the resource only warns."""
    configure(REDIS_HOST="127.0.0.1", REDIS_PORT=1)
    started = time.monotonic()
    with pytest.raises(UnavailableError, match="Redis is not reachable") as caught:
        await get_redis_client(db=0)
    await get_redis_manager().open()

    assert caught.value.details["server"] == "127.0.0.1:1"
    assert "127.0.0.1:1" in caught.value.__notes__[0]
    assert caught.value.reason == "REDIS_UNAVAILABLE"
    assert time.monotonic() - started < 1.0


async def test_client_after_restart(own_manager: RedisClientManager, own_redis: EmbeddedRedis) -> None:
    """A client that failed is checked again before it is handed out, and heals when the server is back."""
    client = await get_redis_client(0)
    own_redis.kill()
    with pytest.raises(UnavailableError):
        await own_manager.run(0, lambda redis: redis.get("a"))
    with pytest.raises(UnavailableError):
        await get_redis_client(0)
    await asyncio.to_thread(own_redis.start)

    assert client is await get_redis_client(0)
    assert await client.set("a", 1)


async def test_translated(manager: RedisClientManager) -> None:
    """The driver's errors read as ours: a refused command is our fault, everything else is an outage."""
    client = await get_redis_client(0)
    await client.lpush("list", 1)
    with pytest.raises(ResponseError) as refused:
        await client.get("list")
    refused_error, outage = translate(refused.value), translate(ConnectionResetError())

    assert refused_error is not None
    assert (refused_error.code, refused_error.reason) == (ErrorCode.INTERNAL, "REDIS_ERROR")
    assert outage is None


def test_several_loops(settings: RedisSettings) -> None:
    """One manager serves several event loops, one after the other, each with its own connections."""

    async def use() -> str:
        client = await get_redis_client(8)
        await client.set("a", "1")
        await get_redis_manager().close()
        return "ok"

    assert [asyncio.run(use()), asyncio.run(use())] == ["ok", "ok"]


def test_reset_outside_loop(settings: RedisSettings) -> None:
    """A reset closes the connections of a loop that is not running."""
    loop = asyncio.new_event_loop()
    client = loop.run_until_complete(get_redis_client(8))
    pool = client.connection_pool
    reset_redis_manager()

    assert not any(connection.is_connected for connection in pool._available_connections)
    loop.close()


async def test_reset_inside_loop(settings: RedisSettings) -> None:
    """A reset in a running loop closes the connections as soon as the loop turns."""
    pool = (await get_redis_client(8)).connection_pool
    reset_redis_manager()
    await asyncio.sleep(0.05)

    assert not any(connection.is_connected for connection in pool._available_connections)


FORK = """
import asyncio, os, sys
from mysingle._kernel.settings import CommonSettings, set_settings
from mysingle.database import create_service_cache, get_redis_client, get_redis_manager

set_settings(CommonSettings(_env_file=None, REDIS_HOST="127.0.0.1", REDIS_PORT=int(sys.argv[1])))
cache = create_service_cache("strategy", 8)

async def client_id():
    assert await cache.set("a", 1)
    return await (await get_redis_client(8)).client_id()

loop = asyncio.new_event_loop()
before = loop.run_until_complete(client_id())
if os.fork() == 0:
    child = asyncio.new_event_loop().run_until_complete(client_id())
    os._exit(0 if child != before else 1)
_, status = os.wait()
after = loop.run_until_complete(client_id())
loop.run_until_complete(get_redis_manager().close())
sys.exit(status or before != after)
"""


def test_fork(redis_server: EmbeddedRedis) -> None:
    """A child process uses connections of its own and leaves its parent's alone."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORK, str(redis_server.port)],
        capture_output=True,
        timeout=20,
        check=False,
    )

    assert result.returncode == 0, result.stderr.decode()
