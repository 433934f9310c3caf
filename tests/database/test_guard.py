from typing import Any

import pytest

from mysingle.database import get_redis_client, get_redis_manager, reset_redis_manager
from mysingle.database._guard import check_command
from mysingle.embedded import EmbeddedRedis


@pytest.fixture
def strict(redis_server: EmbeddedRedis, configure: Any) -> None:
    configure(REDIS_HOST="127.0.0.1", REDIS_PORT=redis_server.port, REDIS_POLICY="strict")


REFUSED = [
    (("SET", "market:1", "x", "EX", 600), "belongs to Market Data Cache"),
    (("SET", "orders:1", "x", "EX", 600), "not allocated"),
    (("SET", "plain", "x", "EX", 600), "not allocated"),
    (("SET", b"strategy:1", "x"), "needs a TTL"),
    (("SET", "strategy:1", "x", "NX"), "needs a TTL"),
    (("SET", "strategy:1", "x", "PX", 3_600_001), "at most 3600 s"),
    (("SETEX", "strategy:1", 4000, "x"), "at most 3600 s"),
    (("PSETEX", "strategy:1", 4_000_000, "x"), "at most 3600 s"),
    (("EXPIRE", "strategy:1", 0), "at most 3600 s"),
    (("SETNX", "strategy:1", "x"), "needs a TTL"),
    (("MSET", "strategy:1", "x", "market:1", "y"), "needs a TTL"),
    (("PERSIST", "strategy:1"), "needs a TTL"),
    (("HSET", "user:1", "a", "b"), "belongs to User Authentication"),
    (("LPUSH", "user:1", "a"), "belongs to User Authentication"),
    (("set", "strategy:1", "x"), "needs a TTL"),
    ((b"SET", "strategy:1", "x"), "needs a TTL"),
    (("SET strategy:1 x",), "needs a TTL"),
    (("RENAME", "strategy:1", "user:1"), "belongs to User Authentication"),
    (("COPY", "strategy:1", "plain"), "not allocated"),
    (("SUNIONSTORE", "user:1", "strategy:1"), "belongs to User Authentication"),
    (("GETEX", "strategy:1", "PERSIST"), "needs a TTL"),
    (("EVAL", "return redis.call('SET', KEYS[1], 1, 'EX', 600)", 1, "user:1"), "belongs to User Authentication"),
]


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize(("command", "message"), REFUSED, ids=lambda value: str(value)[:40])
async def test_refused(command: tuple[Any, ...], message: str) -> None:
    """With strict rules a command that breaks the allocation is not sent, alone or in a pipeline."""
    client = await get_redis_client(8)
    with pytest.raises(ValueError, match=message):
        await client.execute_command(*command)
    with pytest.raises(ValueError, match=message):
        client.pipeline().execute_command(*command)
    await get_redis_manager().close()


@pytest.mark.usefixtures("strict")
async def test_allowed() -> None:
    """What keeps the allocation, what only reads, and what Celery manages is sent."""
    client = await get_redis_client(8)
    await client.set("strategy:1", "x", ex=600)
    await client.set("strategy:1", "y", keepttl=True)
    await client.expire("version:1", 600)
    await client.hset("strategy:2", "a", "b")
    await client.get("anything")
    await client.rename("strategy:2", "strategy:3")
    await client.getex("strategy:3x", ex=600)
    await client.eval("return 1", 1, "strategy:3")
    await client.eval("return 1", 0)
    async with client.pipeline() as pipeline:
        pipeline.set("version:1", 1, px=1000).get("plain")
        await pipeline.execute()
    await (await get_redis_client(10)).lpush("celery", "job")
    dsl = await get_redis_client(4)
    await dsl.set("dsl:lock:1", 1, ex=5)
    with pytest.raises(ValueError, match="at most 5 s"):
        await dsl.set("dsl:lock:1", 1, ex=6)

    await client.flushall()
    await get_redis_manager().close()


async def test_warned_once(redis_server: EmbeddedRedis, configure: Any, logged: list[Any]) -> None:
    """Otherwise each prefix is one warning, which names the prefix and nothing behind it."""
    configure(REDIS_HOST="127.0.0.1", REDIS_PORT=redis_server.port)
    client = await get_redis_client(8)
    for number in range(3):
        await client.set(f"warned-once:user-{number}", 1, ex=600)
    await client.flushall()
    await get_redis_manager().close()
    reset_redis_manager()
    warnings = [entry for entry in logged if entry["event"] == "redis.policy"]

    assert [entry["prefix"] for entry in warnings] == ["warned-once:"]


def test_strange_commands_are_the_servers_matter() -> None:
    """A command that makes no sense passes: the server says what is wrong."""
    seen = []

    def rule(key: str, *, lives_forever: bool, ttl_seconds: float | None) -> None:
        seen.append((key, lives_forever, ttl_seconds))

    for command in (("SET",), ("SETEX", "k"), ("SET", "k", "v", "EX"), ("SET", "k", "v", "EX", "x"), ("PING",)):
        check_command(rule, command)

    assert seen == [("k", False, None)] * 3
