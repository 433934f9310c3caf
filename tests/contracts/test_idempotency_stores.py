"""One contract for every place that remembers requests."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mysingle._kernel.errors import UnavailableError
from mysingle.database import MemoryIdempotencyStore, RedisClientManager, RedisConfig, RedisIdempotencyStore
from mysingle.embedded import EmbeddedRedis


@pytest.fixture
def lease() -> float:
    """Give the seconds of a lease."""
    return 0.3


@pytest.fixture(params=["memory", "valkey", "cluster"])
async def records(request: Any, lease: float) -> AsyncIterator[Any]:
    """Give each kind of store in turn, empty."""
    if request.param == "memory":
        yield MemoryIdempotencyStore(lease_seconds=lease)
        return
    if request.param == "valkey":
        config = RedisConfig(port=request.getfixturevalue("alone").port, timeout_seconds=5)
    else:
        nodes = request.getfixturevalue("cluster")
        config = RedisConfig(mode="cluster", nodes=tuple(f"127.0.0.1:{node.port}" for node in nodes), timeout_seconds=5)
    manager = RedisClientManager(config)
    await manager.exchange(2, [("UNLINK", config.namespace(2) + b"idem:a")])
    yield RedisIdempotencyStore(manager, lease_seconds=lease)
    await manager.close()


@pytest.mark.parametrize("lease", [60])
async def test_first_and_others(records: Any) -> None:
    """Of two hundred who come at once one runs; afterwards all hear what it came to."""
    claims = await asyncio.gather(*(records.claim("a", b"print") for _ in range(200)))
    mine = [claim for claim in claims if claim.state == "mine"]
    assert (len(mine), {claim.state for claim in claims}) == (1, {"mine", "running"})
    assert await records.finish("a", mine[0].token, b"\x00reply\xff")

    done = await records.claim("a", b"print")
    assert (done.state, done.reply) == ("done", b"\x00reply\xff")
    assert (await records.claim("a", b"other")).state == "other"


async def test_lease(records: Any) -> None:
    """A request whose process is not heard any more is lost; one that is heard goes on running."""
    claim = await records.claim("a", b"print")
    for _ in range(3):
        await asyncio.sleep(0.2)
        assert await records.renew("a", claim.token)
    assert (await records.claim("a", b"print")).state == "running"
    await asyncio.sleep(0.4)

    assert (await records.claim("a", b"print")).state == "lost"
    assert await records.finish("a", claim.token, b"late")
    assert (await records.claim("a", b"print")).state == "done"


async def test_release(records: Any) -> None:
    """A request that had no effect may come again; nobody else can end it."""
    claim = await records.claim("a", b"print")
    assert not await records.release("a", b"wrong")
    assert not await records.renew("a", b"wrong")
    assert not await records.finish("a", b"wrong", b"x")
    assert await records.release("a", claim.token)
    again = await records.claim("a", b"another print")

    assert again.state == "mine"
    assert await records.finish("a", again.token, b"x")
    assert not await records.release("a", again.token)
    assert not await records.renew("a", again.token)


async def test_claim_without_an_answer() -> None:
    """A claim whose answer never came is given back as soon as the server goes on: nothing ran, so the key is free."""
    with EmbeddedRedis() as server:
        manager = RedisClientManager(RedisConfig(port=server.port, timeout_seconds=0.3))
        store = RedisIdempotencyStore(manager)
        await store.claim("warm", b"print")
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(UnavailableError):
            await store.claim("a", b"print")
        os.kill(server.pid, signal.SIGCONT)
        await asyncio.sleep(2)  # the server reads what it was sent, and the circuit closes
        again = await store.claim("a", b"print")
        await manager.close()

    assert again.state == "mine"
