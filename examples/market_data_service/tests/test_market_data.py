"""The service on real sockets, with real bars."""

import datetime
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import grpc

sys.path.insert(0, str(Path(__file__).parents[1]))

from market_data.bars import Bars
from market_data.client import MarketDataClient
from market_data.servicer import MarketData

from mysingle._kernel.errors import translate
from mysingle.clients import get_pool, reset_pool
from mysingle.grpc import GrpcCache, MemoryCacheStore
from mysingle.protos.market_data.v1 import market_data_pb2 as pb
from mysingle.protos.market_data.v1 import market_data_pb2_grpc as rpc
from mysingle.testing import grpc_pair

ALICE = "a11ce0000000000000000001"


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MarketDataClient]:
    monkeypatch.setenv("ENVIRONMENT", "testing")
    reset_pool()
    with Bars() as store:

        def register(server: object) -> None:
            rpc.add_MarketDataServiceServicer_to_server(MarketData(store), server)

        cache = GrpcCache(MemoryCacheStore())
        async with grpc_pair(register, service_name="market-data-service", cache=cache) as pair:
            async with MarketDataClient(user_id=ALICE, host=pair.host) as made:
                yield made
            await get_pool().close()


async def test_bars(client: MarketDataClient) -> None:
    """The closes are those of the file, oldest first, in one answer and as a stream."""
    closes = await client.closes("SPX")
    streamed = [bar.close async for bar in client.stream("SPX")]

    assert len(closes) == 5_000
    assert streamed == closes
    assert (await client.closes("SPX", limit=2)) == closes[-2:]


async def test_range(client: MarketDataClient) -> None:
    """A range holds its start, and not its end."""
    request = pb.GetBarsRequest(symbol="SPX")
    request.range.start_time.FromDatetime(datetime.datetime(1999, 1, 4))
    request.range.end_time.FromDatetime(datetime.datetime(1999, 1, 6))
    bars = (await client.stub.GetBars(request)).bars

    assert [bar.open_time.ToDatetime().day for bar in bars] == [4, 5]
    assert bars[0].close == pytest.approx(1228.099976)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.GetBarsRequest(symbol="NONE"), "SYMBOL_NOT_FOUND"),
        (pb.GetBarsRequest(symbol="SPX", limit=-1), "LIMIT_INVALID"),
        (pb.GetBarsRequest(symbol="'; DROP TABLE bars"), "SYMBOL_NOT_FOUND"),
    ],
    ids=["unknown symbol", "limit", "injection"],
)
async def test_refusals(client: MarketDataClient, request_: pb.GetBarsRequest, reason: str) -> None:
    """What cannot be answered says why."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.stub.GetBars(request_)
    told = translate(caught.value)

    assert told is not None
    assert told.reason == reason


async def test_symbols(client: MarketDataClient) -> None:
    """There is one symbol."""
    assert list((await client.stub.ListSymbols(pb.ListSymbolsRequest())).symbols) == ["SPX"]
