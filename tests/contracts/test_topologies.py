"""Caches, clients and copies behave the same on one server, behind Sentinel, in a cluster and inside TLS."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from tests.contracts.conftest import inside_tls

from mysingle._kernel.errors import MySingleError, UnavailableError
from mysingle._kernel.settings import CommonSettings, reset_settings, set_settings
from mysingle.database import (
    BaseRedisCache,
    RedisClientManager,
    RedisConfig,
    audit_redis,
    get_redis_client,
    get_redis_manager,
    reset_redis_manager,
)


def configure(**values: Any) -> CommonSettings:
    chosen = CommonSettings(**{"_env_file": None, **values})
    set_settings(chosen)
    return chosen


@pytest.fixture(autouse=True)
async def _end() -> AsyncIterator[None]:
    yield
    await get_redis_manager().close()
    reset_redis_manager()
    reset_settings()


async def exercise(cache: BaseRedisCache[Any]) -> None:
    """Use everything that a cache has."""
    await cache.clear_all()
    assert await cache.set("a", {"x": 1}, tags=["t"])
    assert await cache.set_many({"b": 2, "c": 3})
    assert await cache.get_many(["a", "b", "c", "d"]) == {"a": {"x": 1}, "b": 2, "c": 3}
    assert await cache.get_or_set("d", lambda: 4) == 4
    assert await cache.get_or_set("n", lambda: None) is None
    assert await cache.invalidate_tag("t")
    assert await cache.get("a") is None
    assert await cache.expire("b", 700)
    assert await cache.delete("b") is True
    assert await cache.exists("c")
    assert await cache.health_check()
    assert await cache.clear_all() >= 4


OPTIONS: dict[str, Any] = {"negative_ttl": 5, "stale_seconds": 5, "lock_seconds": 2, "early_refresh": 0.1}


async def test_cluster(cluster: Any) -> None:
    """In a cluster everything works, and the keys of a database have its name before them and are on one node."""
    configure(REDIS_MODE="cluster", REDIS_NODES=tuple(f"127.0.0.1:{node.port}" for node in cluster))
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600, **OPTIONS)
    other: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", redis_db=5, default_ttl=600)
    await exercise(cache)
    await other.set("a", 1)
    await cache.set("a", 2)
    client: Any = await get_redis_client(8)
    space = get_redis_manager().namespace(8)

    assert (await other.get("a"), await cache.get("a"), space) == (1, 2, "{db8}:")
    assert await client.exists(f"{space}strategy:a") == 1
    assert await cache.clear_all() == 1
    assert await other.get("a") == 1


async def test_cluster_local_copies(cluster: Any) -> None:
    """Copies in a process hear of changes that others make through any node."""
    configure(REDIS_MODE="cluster", REDIS_NODES=tuple(f"127.0.0.1:{node.port}" for node in cluster))
    manager = RedisClientManager(replace(RedisConfig.from_settings(), nodes=(f"127.0.0.1:{cluster[2].port}",)))
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="version", default_ttl=600, local_entries=5, local_ttl=60)
    other: BaseRedisCache[Any] = BaseRedisCache(key_prefix="version", default_ttl=600, local_entries=5, manager=manager)
    for each in (cache, other):
        await each.get("a")
        local = each._local()
        assert local is not None
        async with asyncio.timeout(5):
            while not local.is_listening:
                await asyncio.sleep(0.01)
    await cache.set("a", 1)
    assert await cache.get("a") == 1
    await other.set("a", 2)
    async with asyncio.timeout(2):
        while await cache.get("a") != 2:
            await asyncio.sleep(0.01)
    await manager.close()


async def test_cluster_audit(cluster: Any) -> None:
    """The audit tells the databases of a cluster apart."""
    configure(REDIS_MODE="cluster", REDIS_NODES=tuple(f"127.0.0.1:{node.port}" for node in cluster))
    client: Any = await get_redis_client(8)
    await client.set("{db8}:market:a", 1, ex=600)
    report = await audit_redis()
    await client.unlink("{db8}:market:a")

    assert [line for line in report.violations() if "market" in line] == [
        "database 8 (Strategy Cache), 'market:': 1 keys with a prefix that does not belong here"
    ]


async def test_cluster_strict(cluster: Any) -> None:
    """With strict rules a key in a cluster must say whose it is."""
    nodes = tuple(f"127.0.0.1:{node.port}" for node in cluster)
    configure(REDIS_MODE="cluster", REDIS_NODES=nodes, REDIS_POLICY="strict")
    client: Any = await get_redis_client(8)
    with pytest.raises(ValueError, match="begins with its database"):
        await client.set("strategy:a", 1, ex=600)
    with pytest.raises(ValueError, match="belongs to Market Data"):
        await client.set("{db8}:market:a", 1, ex=600)


async def test_sentinel_failover(guarded: Any) -> None:
    """When the master dies, reads and writes go on at the one that Sentinel names, without a restart."""
    configure(REDIS_MODE="sentinel", REDIS_NODES=(f"127.0.0.1:{guarded.sentinel.port}",), REDIS_TIMEOUT_SECONDS=2)
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600, **OPTIONS)
    await exercise(cache)
    await asyncio.to_thread(guarded.master.kill)
    assert await cache.get_or_set("a", lambda: 5) == 5
    async with asyncio.timeout(30):
        while not await cache.set("a", 6):
            await asyncio.sleep(0.1)

    assert await cache.get("a") == 6
    client: Any = await get_redis_client(8)
    assert (await client.info("server"))["tcp_port"] == guarded.replica.port
    await exercise(cache)


async def test_sentinel_demotion(guarded: Any) -> None:
    """A master that lives on as a replica is left at the first write that it refuses."""
    configure(REDIS_MODE="sentinel", REDIS_NODES=(f"127.0.0.1:{guarded.sentinel.port}",))
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600)
    assert await cache.set("a", 1)
    sentinel = Redis(port=guarded.sentinel.port, decode_responses=True)
    async with asyncio.timeout(60):
        while (await sentinel.sentinel_get_master_addr_by_name("mymaster"))[1] != guarded.replica.port:
            with contextlib.suppress(ResponseError):  # it may be busy, or not know the replica well enough yet
                await sentinel.execute_command("SENTINEL", "FAILOVER", "mymaster")
            await asyncio.sleep(0.5)
        await sentinel.aclose()
        client: Any = await get_redis_client(8)
        while (await client.info("server"))["tcp_port"] != guarded.replica.port:
            await cache.set("a", 2)
            await asyncio.sleep(0.1)
        while not await cache.set("a", 2):
            await asyncio.sleep(0.1)

    assert await cache.set("a", 3)
    assert await cache.get("a") == 3


async def test_sentinel_away() -> None:
    """Sentinels that do not answer are an outage like any other: a miss, and a clear error."""
    configure(REDIS_MODE="sentinel", REDIS_NODES=("127.0.0.1:1",))
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600)

    assert await cache.get_or_set("a", lambda: 1) == 1
    with pytest.raises(UnavailableError, match="not reachable"):
        await get_redis_client(8)


async def test_cluster_away() -> None:
    """A cluster that does not answer is an outage like any other."""
    configure(REDIS_MODE="cluster", REDIS_NODES=("127.0.0.1:1",))
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600)

    assert await cache.get_or_set("a", lambda: 1) == 1
    assert await cache.clear_all() == 0
    with pytest.raises(UnavailableError, match="not reachable"):
        await get_redis_client(8)


async def test_tls(alone: Any, certificates: Any) -> None:
    """Inside TLS everything works, when the authority is believed and the name is right."""
    async with inside_tls(alone.port, certificates) as port:
        configure(REDIS_HOST="localhost", REDIS_PORT=port, REDIS_TLS=True, REDIS_TLS_CA=certificates.authority)
        cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600, **OPTIONS)
        await exercise(cache)


async def test_tls_not_believed(alone: Any, certificates: Any) -> None:
    """A server whose authority nobody knows is not spoken to."""
    async with inside_tls(alone.port, certificates) as port:
        configure(REDIS_HOST="localhost", REDIS_PORT=port, REDIS_TLS=True)
        cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600)

        assert await cache.set("a", 1) is False
        with pytest.raises(UnavailableError) as caught:
            await get_redis_client(8)
        assert "certificate verify failed" in caught.value.details["error"]


async def test_users(alone: Any) -> None:
    """A user may do what its rights say; a refusal is told apart from an outage, and the password is not shown."""
    admin = RedisClientManager(RedisConfig(port=alone.port))
    await admin.run(
        0,
        lambda redis: redis.execute_command(
            "ACL", "SETUSER", "strategist", "on", ">s3cret-word", "~strategy:*", "+@all", "-@dangerous", "+select"
        ),
    )
    base = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": alone.port, "REDIS_USERNAME": "strategist"}
    configure(**base, REDIS_PASSWORD=SecretStr("s3cret-word"))
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600)
    foreign: BaseRedisCache[Any] = BaseRedisCache(key_prefix="market", redis_db=8, default_ttl=600, on_error="raise")
    assert await cache.set("a", 1)
    assert await cache.get("a") == 1
    with pytest.raises(MySingleError, match="refused a command") as refused:
        await foreign.get("a")
    assert refused.value.reason == "REDIS_ERROR"
    assert not get_redis_manager().circuit.is_open
    await get_redis_manager().close()
    reset_redis_manager()
    configure(**base, REDIS_PASSWORD=SecretStr("wrong-word"))
    with pytest.raises(UnavailableError) as caught:
        await get_redis_client(8)

    assert "wrong-word" not in repr(caught.value.details)
    await admin.close()
