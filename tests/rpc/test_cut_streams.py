"""Streams of requests that break off, and handlers that ask whether anybody still waits."""

import asyncio
import contextlib
import threading
import time
from typing import Any

import pytest

import grpc
from mysingle.protos.market_data.v1 import market_data_pb2, market_data_pb2_grpc
from mysingle.protos.notification.v1 import notification_pb2, notification_pb2_grpc
from mysingle.testing import grpc_pair


class Asynchronous(notification_pb2_grpc.NotificationServiceServicer):
    """Takes a batch when its end has come."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    async def SendMany(self, requests: Any, context: Any) -> Any:
        self.batches.append(len([request async for request in requests]))
        return notification_pb2.SendManyResponse(accepted=self.batches[-1])


class Synchronous(Asynchronous):
    """The same in a thread."""

    def SendMany(self, requests: Any, context: Any) -> Any:
        self.batches.append(len(list(requests)))
        return notification_pb2.SendManyResponse(accepted=self.batches[-1])


@pytest.mark.parametrize("end", ["cancelled", "out of time"])
@pytest.mark.parametrize("kind", [Asynchronous, Synchronous])
async def test_half_a_batch(kind: type[Asynchronous], end: str, rpc: Any) -> None:
    """A stream that breaks off is not taken for a whole one, neither by a coroutine nor by a thread."""
    servicer = kind()

    def register(server: Any) -> None:
        notification_pb2_grpc.add_NotificationServiceServicer_to_server(servicer, server)

    async with grpc_pair(register, worker_threads=2) as pair, rpc.Client(pair.host) as client:
        for _ in range(5):
            call = client.notifications.SendMany(timeout=0.2 if end == "out of time" else 20)
            await call.write(notification_pb2.SendRequest())
            if end == "cancelled":
                await asyncio.sleep(0.05)
                call.cancel()
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.CancelledError):
                await call
        assert (await client.notifications.SendMany([notification_pb2.SendRequest()] * 3)).accepted == 3

    assert servicer.batches == [3]


async def test_nobody_waits_any_more(rpc: Any) -> None:
    """A synchronous handler that asks learns that its caller has gone."""
    begun, told = threading.Event(), threading.Event()

    class Long(market_data_pb2_grpc.MarketDataServiceServicer):
        def GetBars(self, request: Any, context: Any) -> Any:
            begun.set()
            ends = time.monotonic() + 20
            while context.is_active() and time.monotonic() < ends:
                time.sleep(0.01)
            if not context.is_active():
                told.set()
            return market_data_pb2.GetBarsResponse()

    def register(server: Any) -> None:
        market_data_pb2_grpc.add_MarketDataServiceServicer_to_server(Long(), server)

    async with grpc_pair(register) as pair, rpc.Client(pair.host) as client:
        call = client.market.GetBars(rpc.bars("x"))
        assert await asyncio.to_thread(begun.wait, 10)
        call.cancel()
        assert await asyncio.to_thread(told.wait, 10)
