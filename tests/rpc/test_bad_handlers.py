"""Handlers and requests that are wrong: the caller gets a status that leaks nothing, and it is reported once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import grpc
from mysingle.grpc import error_of_call
from mysingle.protos.indicator.v1 import indicator_pb2_grpc
from mysingle.protos.market_data.v1 import market_data_pb2_grpc
from mysingle.protos.notification.v1 import notification_pb2_grpc
from mysingle.testing import grpc_pair

KINDS = {
    "unary_unary": "/mysingle.market_data.v1.MarketDataService/GetBars",
    "unary_stream": "/mysingle.market_data.v1.MarketDataService/StreamBars",
    "stream_unary": "/mysingle.notification.v1.NotificationService/SendMany",
    "stream_stream": "/mysingle.indicator.v1.IndicatorService/ComputeMany",
}
SECRET = "the inside of the service"  # what must not be told


class Wrong(
    market_data_pb2_grpc.MarketDataServiceServicer,
    notification_pb2_grpc.NotificationServiceServicer,
    indicator_pb2_grpc.IndicatorServiceServicer,
):
    """Each method does one wrong thing."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    async def _fail(self, requests: Any = None) -> Any:
        if requests is not None:
            async for _ in requests:
                pass
        if self.fault == "cancels itself":
            inner = asyncio.ensure_future(asyncio.sleep(30))
            inner.cancel()
            await inner
        if self.fault == "exits":
            raise SystemExit(SECRET)
        return SECRET if self.fault == "other type" else None

    async def GetBars(self, request: Any, context: Any) -> Any:
        return await self._fail()

    async def StreamBars(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield await self._fail()

    async def SendMany(self, requests: Any, context: Any) -> Any:
        return await self._fail(requests)

    async def ComputeMany(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        yield await self._fail(requests)


def register(fault: str) -> Any:
    def add(server: Any) -> None:
        servicer = Wrong(fault)
        market_data_pb2_grpc.add_MarketDataServiceServicer_to_server(servicer, server)
        notification_pb2_grpc.add_NotificationServiceServicer_to_server(servicer, server)
        indicator_pb2_grpc.add_IndicatorServiceServicer_to_server(servicer, server)

    return add


async def outcome(pair: Any, kind: str, rpc: Any, request: bytes) -> tuple[grpc.aio.AioRpcError, list[str]]:
    """Make one call with a stock client; return how it ended, and the codes that the server has reported."""
    async with grpc.aio.insecure_channel(pair.host) as channel:
        method = getattr(channel, kind)(KINDS[kind])
        call = method([request] if kind.startswith("stream") else request, metadata=[("user-id", rpc.USER)], timeout=20)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.finish(kind, call)
    async with asyncio.timeout(10):
        while pair.server.running:
            await asyncio.sleep(0.01)
    durations = pair.server.metrics.render(is_openmetrics=False).decode().splitlines()
    counted = [line for line in durations if line.startswith("rpc_server_call_duration_seconds_count")]
    return caught.value, [line.split('rpc_status_code="')[1].split('"')[0] for line in counted]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["other type", "nothing", "exits", "cancels itself"])
async def test_faulty_handler(fault: str, kind: str, rpc: Any) -> None:
    """Whatever a handler does wrong is INTERNAL at once, in every kind of call, for the caller and in the metrics."""
    async with grpc_pair(register(fault)) as pair:
        error, reported = await outcome(pair, kind, rpc, b"")

    assert (error.code(), reported) == (grpc.StatusCode.INTERNAL, ["INTERNAL"])
    assert "Internal error" in error.details()
    assert SECRET not in f"{error.details()} {error.trailing_metadata()}"


@pytest.mark.parametrize("kind", KINDS)
async def test_unreadable_request(kind: str, rpc: Any) -> None:
    """Bytes that are no message are the caller's fault, in every kind of call, for the caller and in the metrics."""
    async with grpc_pair(register("nothing")) as pair:
        error, reported = await outcome(pair, kind, rpc, b"\xff\xff\xff")

    assert (error.code(), reported) == (grpc.StatusCode.INVALID_ARGUMENT, ["INVALID_ARGUMENT"])
    assert (error_of_call(error).reason, error.details()) == ("REQUEST_UNREADABLE", "The request cannot be read.")
