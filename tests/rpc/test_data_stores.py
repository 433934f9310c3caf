"""The layers that count and remember, on the stores that HTTP uses too."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import grpc
from mysingle._kernel.errors import translate
from mysingle._kernel.settings import CommonSettings, reset_settings, set_settings
from mysingle.database import (
    BytesCodec,
    MemoryIdempotencyStore,
    RateLimiter,
    RedisIdempotencyStore,
    create_grpc_cache,
    get_redis_client,
    get_redis_manager,
    reset_redis_manager,
)
from mysingle.embedded import EmbeddedRedis
from mysingle.grpc import GrpcCache, grpc_cached
from mysingle.protos.market_data.v1 import market_data_pb2, market_data_pb2_grpc
from mysingle.protos.notification.v1 import notification_pb2
from mysingle.testing import grpc_pair

OTHER = "b0b000000000000000000002"


@pytest.fixture(scope="module")
def valkey() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
async def redis(valkey: EmbeddedRedis) -> Any:
    """Make an empty server the process's own."""
    set_settings(
        CommonSettings(_env_file=None, REDIS_HOST="127.0.0.1", REDIS_PORT=valkey.port, REDIS_TIMEOUT_SECONDS=5)
    )
    await (await get_redis_client(db=2)).flushall()
    yield valkey
    await get_redis_manager().close()
    reset_redis_manager()
    reset_settings()


@pytest.fixture(params=["memory", "valkey"])
def idempotency_store(request: pytest.FixtureRequest) -> Any:
    """Give each kind of store in turn."""
    if request.param == "memory":
        return MemoryIdempotencyStore()
    request.getfixturevalue("redis")
    return RedisIdempotencyStore()


def send(key: str, template: str = "x") -> Any:
    return notification_pb2.SendRequest(template=template), {"metadata": [("idempotency-key", key)]}


async def refusal(call: Any) -> Any:
    """Return what a refused call was told."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return translate(caught.value)


async def test_duplicates_run_once(rpc: Any, idempotency_store: Any) -> None:
    """Two hundred calls with one key, on two servers, run the handler once, and all get its reply."""
    request, options = send("k-1", "sleep:0.1")
    async with (
        grpc_pair(rpc.register, idempotency_store=idempotency_store) as one,
        grpc_pair(rpc.register, idempotency_store=idempotency_store) as two,
        rpc.Client(one.host) as first,
        rpc.Client(two.host) as second,
    ):
        calls = (client.notifications.Send(request, **options) for _ in range(100) for client in (first, second))
        replies = await asyncio.gather(*calls)
        again = await second.notifications.Send(request, **options)

    assert {reply.notification_id for reply in (*replies, again)} == {"1"}
    assert len(rpc.market.calls) == 1


async def test_key_reused(rpc: Any, idempotency_store: Any) -> None:
    """The same key with another request is refused; the key of another user is another key."""
    async with grpc_pair(rpc.register, idempotency_store=idempotency_store) as pair, rpc.Client(pair.host) as client:
        request, options = send("k-1")
        await client.notifications.Send(request, **options)
        other, _ = send("k-1", "y")
        told = await refusal(client.notifications.Send(other, **options))
        async with rpc.Client(pair.host, user_id=OTHER) as somebody:
            await somebody.notifications.Send(other, **options)

    assert (told.code, told.reason) == ("INVALID_ARGUMENT", "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize(
    ("template", "runs", "code"),
    [
        ("none", 1, "NOT_FOUND"),
        ("raise", 1, "INTERNAL"),
        ("abort", 1, "FAILED_PRECONDITION"),
        ("error:UNAVAILABLE", 2, "UNAVAILABLE"),
        ("error:RESOURCE_EXHAUSTED", 2, "RESOURCE_EXHAUSTED"),
    ],
)
async def test_errors(rpc: Any, idempotency_store: Any, template: str, runs: int, code: str) -> None:
    """An error is the end of a key, unless it says that trying again makes sense; both are told the same."""
    request, options = send("k-1", template)
    async with grpc_pair(rpc.register, idempotency_store=idempotency_store) as pair, rpc.Client(pair.host) as client:
        told = [await refusal(client.notifications.Send(request, **options)) for _ in range(2)]

    assert (len(rpc.market.calls), [each.code for each in told]) == (runs, [code, code])
    assert told[0].reason == told[1].reason


async def test_cut_off(rpc: Any) -> None:
    """A call that was cancelled in the middle never runs again: nobody knows how far it came."""
    store = MemoryIdempotencyStore(lease_seconds=0.1)
    request, options = send("k-1", "sleep:30")
    async with grpc_pair(rpc.register, idempotency_store=store) as pair, rpc.Client(pair.host) as client:
        running = asyncio.ensure_future(rpc.finish("unary_unary", client.notifications.Send(request, **options)))
        while not rpc.market.calls:
            await asyncio.sleep(0.01)
        running.cancel()
        await rpc.market.ended.wait()
        await asyncio.sleep(0.2)
        told = await refusal(client.notifications.Send(request, **options))

    assert (told.reason, len(rpc.market.calls)) == ("IDEMPOTENCY_OUTCOME_UNKNOWN", 1)


async def test_without_its_store(rpc: Any, redis: EmbeddedRedis) -> None:
    """While Redis is away a call with a key does not run, and one without a key does."""
    async with (
        grpc_pair(rpc.register, idempotency_store=RedisIdempotencyStore()) as pair,
        rpc.Client(pair.host) as client,
    ):
        redis.kill()
        try:
            request, options = send("k-1")
            told = await refusal(client.notifications.Send(request, **options, timeout=10))
            assert (told.reason, rpc.market.calls) == ("IDEMPOTENCY_UNAVAILABLE", [])
            await client.notifications.Send(request)
        finally:
            redis.start()


async def test_one_allowance(rpc: Any, redis: EmbeddedRedis) -> None:
    """A limiter that a route has used counts the calls too; a refusal says when to come back, also as pushback."""
    limiter = RateLimiter(quota="3/minute")
    async with grpc_pair(rpc.register, rate_limiter=limiter) as pair, rpc.Client(pair.host) as client:
        await limiter.require(client.user_id, "/bars")
        for _ in range(2):
            await client.market.GetBars(rpc.bars("x"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.market.GetBars(rpc.bars("x"))
        async with rpc.Client(pair.host, user_id=OTHER) as somebody:
            await somebody.market.GetBars(rpc.bars("x"))
    told = translate(caught.value)

    assert told is not None
    assert told.retry_after_seconds is not None
    assert (told.reason, 0 < told.retry_after_seconds <= 60) == ("RATE_LIMITED", True)
    assert int(dict(caught.value.trailing_metadata())["grpc-retry-pushback-ms"]) > 0


class Counting(market_data_pb2_grpc.MarketDataServiceServicer):
    """Says how often it ran."""

    def __init__(self) -> None:
        self.runs = 0

    @grpc_cached(ttl=60)
    async def GetBars(self, request: Any, context: Any) -> Any:
        self.runs += 1
        return market_data_pb2.GetBarsResponse(symbol=str(self.runs))


async def test_cache_of_two_servers(rpc: Any, redis: EmbeddedRedis) -> None:
    """Servers with one Redis share their responses, in DB 1, and answer without it."""
    servicer = Counting()

    def register(server: Any) -> None:
        market_data_pb2_grpc.add_MarketDataServiceServicer_to_server(servicer, server)

    caches = [GrpcCache(create_grpc_cache("market-data", codec=BytesCodec())) for _ in range(2)]
    async with (
        grpc_pair(register, cache=caches[0]) as one,
        grpc_pair(register, cache=caches[1]) as two,
        rpc.Client(one.host) as first,
        rpc.Client(two.host) as second,
    ):
        answers = [(await client.market.GetBars(rpc.bars("x"))).symbol for client in (first, second)]
        stored = await (await get_redis_client(db=1)).keys("*")
        redis.kill()
        try:
            alone = (await second.market.GetBars(rpc.bars("y"), timeout=10)).symbol
        finally:
            redis.start()

    assert (answers, alone) == (["1", "1"], "2")
    assert stored
    assert all(key.startswith("grpc:market-data:") for key in stored)
