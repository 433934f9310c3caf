"""One budget of time over every hop."""

import asyncio
import time
from typing import Any

import pytest

import grpc
from mysingle._kernel.context import RequestContext, use_context
from mysingle._kernel.errors import translate
from mysingle._kernel.rpc_metrics import client_metrics
from mysingle.protos.market_data.v1 import market_data_pb2, market_data_pb2_grpc
from mysingle.testing import grpc_pair

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


def budget(seconds: float) -> RequestContext:
    return RequestContext("c-1", deadline=time.monotonic() + seconds)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.01])
async def test_exhausted(kind: str, seconds: float, rpc: Any) -> None:
    """With too little time left a call fails here, in the words of a call, and the network hears nothing."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host) as client:
        with use_context(budget(seconds)), pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.finish(kind, rpc.start(kind, client, "x"))
    told = translate(caught.value)

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert told is not None
    assert told.reason == "BUDGET_EXHAUSTED"
    assert rpc.market.calls == []
    assert (client_metrics().exhausted.total(), client_metrics().count()) == (1, 1)


async def test_explicit_zero(rpc: Any) -> None:
    """A timeout of zero is no time at all."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host) as client:
        with pytest.raises(grpc.aio.AioRpcError, match="Too little time"):
            await client.market.GetBars(rpc.bars("x"), timeout=0)


@pytest.mark.parametrize(("own", "left", "at_most"), [(10.0, 1.0, 1.0), (0.5, 60.0, 0.5), (10.0, None, 10.0)])
async def test_the_shorter_time_wins(own: float, left: float | None, at_most: float, rpc: Any) -> None:
    """The server hears of the client's timeout or of the budget, whichever ends first; never of no deadline."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host, timeout=own) as client:
        with use_context(RequestContext() if left is None else budget(left)):
            await client.market.GetBars(rpc.bars("x"))
    seen = rpc.market.contexts[0].deadline

    assert seen is not None
    assert seen - time.monotonic() <= at_most


async def test_three_hops(rpc: Any) -> None:
    """All hops share one budget, and all of them stop with it."""
    async with grpc_pair(rpc.register) as last:
        left_in_middle: list[float | None] = []

        class Middle(market_data_pb2_grpc.MarketDataServiceServicer):
            async def GetBars(self, request: Any, context: Any) -> Any:
                await asyncio.sleep(0.1)
                left_in_middle.append(context.time_remaining())
                async with rpc.Client(last.host) as client:
                    return await client.market.GetBars(request)

        def register(server: Any) -> None:
            market_data_pb2_grpc.add_MarketDataServiceServicer_to_server(Middle(), server)

        async with grpc_pair(register) as first, rpc.Client(first.host) as client:
            with use_context(budget(0.5)), pytest.raises(grpc.aio.AioRpcError) as caught:
                await client.market.GetBars(rpc.bars("sleep:30"))
            await asyncio.wait_for(rpc.market.ended.wait(), 5)
    context = rpc.market.contexts[0]

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert left_in_middle[0] is not None
    assert left_in_middle[0] <= 0.4
    assert context.deadline is not None


@pytest.mark.parametrize("kind", KINDS)
async def test_cancelling_stops_the_handler(kind: str, rpc: Any) -> None:
    """When the caller's work is cancelled, so is what was started for it, two hops away."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host) as client:
        task = asyncio.ensure_future(rpc.finish(kind, rpc.start(kind, client, "sleep:30")))
        while not rpc.market.calls:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        task.cancel()

        await asyncio.wait_for(rpc.market.ended.wait(), 5)


async def test_abandoned_stream(rpc: Any) -> None:
    """A stream that nobody reads any more ends at once, not at its deadline; one that is read goes on."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host) as client:
        request = market_data_pb2.StreamBarsRequest(symbol="sleep:30")
        async for _ in client.market.StreamBars(request):
            break
        await asyncio.wait_for(rpc.market.ended.wait(), 5)
