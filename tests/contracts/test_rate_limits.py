"""One contract for every place where calls are counted."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mysingle._kernel.errors import ResourceExhaustedError, UnavailableError
from mysingle._kernel.problems import to_problem
from mysingle.database import Limit, MemoryLimitStore, RateLimiter, RedisClientManager, RedisConfig, RedisLimitStore


@pytest.fixture(params=["memory", "valkey", "cluster"])
async def limits(request: Any) -> AsyncIterator[Any]:
    """Give each kind of store in turn, empty."""
    if request.param == "memory":
        yield MemoryLimitStore()
        return
    if request.param == "valkey":
        config = RedisConfig(port=request.getfixturevalue("alone").port, timeout_seconds=5)
    else:
        nodes = request.getfixturevalue("cluster")
        config = RedisConfig(mode="cluster", nodes=tuple(f"127.0.0.1:{node.port}" for node in nodes), timeout_seconds=5)
    manager = RedisClientManager(config)
    for name in ("ratelimit:u:GET/x", "ratelimit:u:GET/y", "quota:u"):
        await manager.exchange(2, [("UNLINK", config.namespace(2) + name.encode())])
    yield RedisLimitStore(manager)
    await manager.close()


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("100/minute", Limit(100, 60)),
        ("5 per 10 seconds", Limit(5, 10)),
        ("1/hour", Limit(1, 3600)),
        (" 2/second ", Limit(2, 1)),
    ],
)
def test_limit_text(text: str, limit: Limit) -> None:
    """A limit reads as people write it."""
    assert Limit.parse(text) == limit


@pytest.mark.parametrize("text", ["", "10", "0/minute", "10/day", "10/2 hours", "-1/second", "10/minute; drop"])
def test_limit_text_refused(text: str) -> None:
    """Another form, no calls at all and more than an hour are refused."""
    with pytest.raises(ValueError, match="limit is"):
        Limit.parse(text)


async def test_exactly_so_many(limits: Any) -> None:
    """Of two hundred calls at once exactly as many pass as the limit says."""
    limiter = RateLimiter("50/hour", store=limits)
    decisions = await asyncio.gather(*(limiter.check("u", "GET/x") for _ in range(200)))
    refused = next(decision.tightest for decision in decisions if not decision.is_allowed)

    assert sum(decision.is_allowed for decision in decisions) == 50
    assert refused is not None
    assert refused.remaining == 0
    assert 0 < refused.retry_after_seconds <= 72


async def test_earned_back(limits: Any) -> None:
    """Calls are earned back one by one; one endpoint does not use another's."""
    limiter = RateLimiter("5/second", store=limits)
    assert [(await limiter.check("u", "GET/x")).is_allowed for _ in range(5)] == [True] * 5
    assert (await limiter.check("u", "GET/y")).is_allowed
    await asyncio.sleep(0.45)
    again = [(await limiter.check("u", "GET/x")).is_allowed for _ in range(8)]

    assert 2 <= sum(again) <= 4


async def test_quota_over_endpoints(limits: Any) -> None:
    """A quota counts all endpoints; a call that the quota refuses takes nothing of the rate."""
    limiter = RateLimiter("10/hour", "6/hour", store=limits)
    passed = [(await limiter.check("u", f"GET/{'xy'[number % 2]}")).is_allowed for number in range(10)]
    rate_only = await RateLimiter("10/hour", store=limits).check("u", "GET/x")

    assert passed == [True] * 6 + [False] * 4
    assert rate_only.tightest is not None
    assert rate_only.tightest.remaining == 6


async def test_cost(limits: Any) -> None:
    """A call may cost more than one; one that costs too much takes nothing."""
    limiter = RateLimiter("10/hour", store=limits)

    assert (await limiter.check("u", "GET/x", cost=7)).is_allowed
    assert not (await limiter.check("u", "GET/x", cost=4)).is_allowed
    assert (await limiter.check("u", "GET/x", cost=3)).is_allowed


async def test_refusal(limits: Any) -> None:
    """A refusal is 429 with `Retry-After` and the limits' headers."""
    limiter = RateLimiter("1/minute", store=limits)
    await limiter.require("u", "GET/x")
    with pytest.raises(ResourceExhaustedError, match="try again later") as caught:
        await limiter.require("u", "GET/x")
    problem = to_problem(caught.value)

    assert (problem.status, problem.code) == (429, "RATE_LIMITED")
    assert 55 <= int(problem.headers["Retry-After"]) <= 60
    assert problem.headers["RateLimit-Policy"] == '"default";q=1;w=60'
    assert problem.headers["RateLimit"].startswith('"default";r=0;t=')


async def test_keys(alone: Any) -> None:
    """Keys are those of the allocation, live as long as it says, and hold no text that could be taken for another's."""
    manager = RedisClientManager(RedisConfig(port=alone.port))
    client = manager.lazy_client(2)
    await client.flushdb()
    limiter = RateLimiter("10/minute", "1000/hour", store=RedisLimitStore(manager))
    await limiter.check("65f0c0ffee65f0c0ffee65f0", "GET/items/{id}")
    await limiter.check("a:b", "x" * 1000)
    keys = {key: await client.pttl(key) for key in await client.keys("*")}

    assert "ratelimit:65f0c0ffee65f0c0ffee65f0:GET/items/{id}" in keys
    assert "quota:65f0c0ffee65f0c0ffee65f0" in keys
    assert all(len(key) < 120 and key.count(":") <= 2 for key in keys)
    assert all(50_000 < milliseconds <= 3_600_000 for milliseconds in keys.values())
    await manager.close()


async def test_damaged_counter(alone: Any) -> None:
    """A counter that holds nonsense, or a moment far in the future, refuses for one window at most."""
    manager = RedisClientManager(RedisConfig(port=alone.port))
    limiter = RateLimiter("10/minute", store=RedisLimitStore(manager))
    client = manager.lazy_client(2)
    await client.set("ratelimit:odd:GET/x", "nonsense", ex=60)
    assert (await limiter.check("odd", "GET/x")).is_allowed
    await client.set("ratelimit:odd:GET/x", "99999999999999", ex=60)
    decision = await limiter.check("odd", "GET/x")

    assert not decision.is_allowed
    assert decision.tightest is not None
    assert decision.tightest.retry_after_seconds <= 60
    await manager.close()


@pytest.mark.parametrize(("mode", "passed"), [("local", 3), ("allow", 10)])
async def test_store_away(mode: Any, passed: int) -> None:
    """Without Redis a process counts alone, or lets everything through, as it was told."""
    manager = RedisClientManager(RedisConfig(port=1))
    limiter = RateLimiter("3/minute", on_error=mode, store=RedisLimitStore(manager))

    assert sum([(await limiter.check("u", "GET/x")).is_allowed for _ in range(10)]) == passed
    await manager.close()


async def test_store_away_raises() -> None:
    """Whoever asked for errors gets them."""
    manager = RedisClientManager(RedisConfig(port=1))
    with pytest.raises(UnavailableError, match="not reachable"):
        await RateLimiter("3/minute", on_error="raise", store=RedisLimitStore(manager)).check("u", "x")
    await manager.close()


def test_needs_a_limit() -> None:
    """A limiter without limits is a mistake."""
    with pytest.raises(ValueError, match="needs a rate or a quota"):
        RateLimiter()
