"""Calls: our client and our server with everything on, against bare grpc.aio, in pairs of short rounds."""

import asyncio
import contextlib
import gc
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

USER = "a11ce0000000000000000001"
SYMBOL = "SPY"
ROUNDS = 11
CALLS = 1_200
IN_FLIGHT = 16
MESSAGES = 100_000
STREAMED_AT_ONCE = 5_000

Call = Callable[[], Awaitable[Any]]


def measure() -> dict[str, float]:
    """Return throughput and p50 as ratios to the bare library; the median of pairs, because a machine has moods."""
    os.environ["ENVIRONMENT"] = "testing"
    return asyncio.run(_measure())


async def _measure() -> dict[str, float]:
    from mysingle.protos.market_data.v1 import market_data_pb2 as pb

    request = pb.GetBarsRequest(symbol=SYMBOL)
    gc.collect()
    gc.freeze()  # as a service does once it is ready; for both sides of each comparison
    async with _server("bare") as bare_port, _server("ours") as port, _clients(bare_port, port) as (bare, ours, make):

        async def for_each_request() -> Any:
            async with make() as client:
                return await client.stub.GetBars(request)

        pairs = {"unary": lambda: ours.GetBars(request), "per_request": for_each_request}
        figures: dict[str, float] = {}
        for name, call in pairs.items():
            figures |= await _compare(name, lambda: bare.GetBars(request), call)
        cached, uncached = pb.ListSymbolsRequest(), pb.GetBarsRequest(symbol="slow")
        hit = await _compare("cache", lambda: ours.GetBars(uncached), lambda: ours.ListSymbols(cached))
        figures["cached_hit_times_faster"] = hit["ratio_cache_requests_per_second"]
        figures |= await _compare_streams(bare, ours, pb)
    return figures


async def _compare(name: str, bare: Call, ours: Call) -> dict[str, float]:
    throughput, p50, rates = [], [], []
    for _ in range(ROUNDS):
        one, other = await _round(bare), await _round(ours)
        throughput.append(other[0] / one[0])
        p50.append(other[1] / one[1])
        rates.append(other[0])
    return {
        f"ratio_{name}_requests_per_second": statistics.median(throughput),
        f"ratio_{name}_p50": statistics.median(p50),
        f"best_{name}_requests_per_second": max(rates),
    }


async def _round(call: Call) -> tuple[float, float]:
    durations: list[float] = []

    async def some() -> None:
        for _ in range(CALLS // IN_FLIGHT):
            started = time.perf_counter()
            await call()
            durations.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(IN_FLIGHT)))
    return len(durations) / (time.perf_counter() - started), statistics.median(durations)


async def _compare_streams(bare: Any, ours: Any, pb: Any) -> dict[str, float]:
    ratios = []
    for _ in range(MESSAGES // STREAMED_AT_ONCE):
        one, other = await _stream(bare, pb), await _stream(ours, pb)
        ratios.append(other / one)
    return {"ratio_stream_messages_per_second": statistics.median(ratios)}


async def _stream(stub: Any, pb: Any) -> float:
    started, count = time.perf_counter(), 0
    async for _ in stub.StreamBars(pb.StreamBarsRequest(symbol=SYMBOL), timeout=60):
        count += 1
    return count / (time.perf_counter() - started)


@contextlib.asynccontextmanager
async def _clients(bare_port: int, port: int) -> AsyncIterator[tuple[Any, Any, Any]]:
    import grpc
    from mysingle._kernel.logging import setup_logging
    from mysingle.clients import BaseGrpcClient, get_pool
    from mysingle.protos.market_data.v1 import market_data_pb2_grpc as rpc

    setup_logging("benchmark", "WARNING", "production", log_file=Path(os.devnull))

    class Client(BaseGrpcClient):
        def __init__(self) -> None:
            super().__init__("market-data-service", port, host="127.0.0.1", user_id=USER)
            self.stub = rpc.MarketDataServiceStub(self.channel)

    async with grpc.aio.insecure_channel(f"127.0.0.1:{bare_port}") as channel:
        yield rpc.MarketDataServiceStub(channel), Client().stub, Client
    await get_pool().close()


@contextlib.asynccontextmanager
async def _server(kind: str) -> AsyncIterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.grpc", kind, str(port), f"{folder}/log"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield port
        finally:
            process.kill()
            process.communicate()


async def _serve(kind: str, port: int, log: Path) -> None:
    import grpc
    from mysingle._kernel.logging import setup_logging
    from mysingle.grpc import BaseGrpcServer, GrpcCache, GrpcServerConfig, MemoryCacheStore, Trust, grpc_cached
    from mysingle.protos.market_data.v1 import market_data_pb2 as pb
    from mysingle.protos.market_data.v1 import market_data_pb2_grpc as rpc

    class Market(rpc.MarketDataServiceServicer):
        async def GetBars(self, request: Any, context: Any) -> Any:
            if request.symbol != SYMBOL:
                await asyncio.sleep(0.05)  # what a service does: a query
            return pb.GetBarsResponse(symbol=request.symbol)

        async def StreamBars(self, request: Any, context: Any) -> AsyncIterator[Any]:
            message = pb.StreamBarsResponse(bar=pb.Bar(open=1, high=1, low=1, close=1))
            for _ in range(STREAMED_AT_ONCE):
                yield message

        @grpc_cached(ttl=600)
        async def ListSymbols(self, request: Any, context: Any) -> Any:
            await asyncio.sleep(0.05)
            return pb.ListSymbolsResponse(symbols=[SYMBOL])

    class Server(BaseGrpcServer):
        def register_servicers(self, server: Any) -> None:
            rpc.add_MarketDataServiceServicer_to_server(Market(), server)

    if kind == "bare":
        bare = grpc.aio.server()
        rpc.add_MarketDataServiceServicer_to_server(Market(), bare)
        bare.add_insecure_port(f"127.0.0.1:{port}")
        await bare.start()
        gc.collect()
        gc.freeze()
        print("up", flush=True)
        await bare.wait_for_termination()
    else:
        setup_logging("benchmark", "INFO", "production", log_file=log)
        cache = GrpcCache(MemoryCacheStore())
        config = GrpcServerConfig(
            service_name="market-data-service", host="127.0.0.1", port=port, trust=Trust.RELAXED, cache=cache
        )
        async with Server(config) as server:
            gc.collect()
            gc.freeze()
            print("up", flush=True)
            await server.wait_for_termination()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
    else:
        for name, value in measure().items():
            print(f"{name:<45} {value:.3f}")
