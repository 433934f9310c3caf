"""Stand-ins that are made from a proto."""

from typing import Any

import pytest

import grpc
from mysingle._kernel.errors import translate
from mysingle.core.errors import NotFoundError
from mysingle.protos.market_data.v1 import market_data_pb2 as pb
from mysingle.protos.notification.v1 import notification_pb2
from mysingle.testing import FakeService, grpc_pair

MARKET = pb.DESCRIPTOR.services_by_name["MarketDataService"]
NOTIFICATION = notification_pb2.DESCRIPTOR.services_by_name["NotificationService"]


async def test_answers(rpc: Any) -> None:
    """A fake answers with messages, functions, streams and errors, and notes what it was asked."""
    market = FakeService(
        MARKET,
        GetBars=lambda request: pb.GetBarsResponse(symbol=request.symbol * 2),
        StreamBars=[pb.StreamBarsResponse(bar=pb.Bar(close=close)) for close in (1.0, 2.0)],
        ListSymbols=NotFoundError("None", reason="NO_SYMBOLS"),
    )
    async with grpc_pair(market.register) as pair, rpc.Client(pair.host) as client:
        answer = await client.market.GetBars(pb.GetBarsRequest(symbol="ab"))
        streamed = [item.bar.close async for item in client.market.StreamBars(pb.StreamBarsRequest(symbol="x"))]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.market.ListSymbols(pb.ListSymbolsRequest())
        market.answers["ListSymbols"] = pb.ListSymbolsResponse(symbols=["SPY"])
        symbols = list((await client.market.ListSymbols(pb.ListSymbolsRequest())).symbols)
    told = translate(caught.value)

    assert (answer.symbol, streamed, symbols) == ("abab", [1.0, 2.0], ["SPY"])
    assert told is not None
    assert told.reason == "NO_SYMBOLS"
    assert [request.symbol for request in market.calls["GetBars"]] == ["ab"]


async def test_without_answers(rpc: Any) -> None:
    """Methods that nobody spoke of answer with nothing; streamed requests arrive as a list."""
    fake = FakeService(NOTIFICATION)
    async with grpc_pair(fake.register) as pair, rpc.Client(pair.host) as client:
        requests = [notification_pb2.SendRequest(template=template) for template in "ab"]
        answer = await client.notifications.SendMany(iter(requests))

    assert answer == notification_pb2.SendManyResponse()
    assert [[request.template for request in heard] for heard in fake.calls["SendMany"]] == [["a", "b"]]


def test_unknown_method() -> None:
    """An answer for a method that does not exist is a mistake of the test."""
    with pytest.raises(TypeError, match="MarketDataService has no method GetBar"):
        FakeService(MARKET, GetBar=None)
