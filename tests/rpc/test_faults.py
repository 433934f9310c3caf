"""Backends that die, restart, lie or vanish: servers in processes of their own."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import grpc
from mysingle._kernel.errors import translate
from mysingle.clients import ClientPolicy
from mysingle.protos.market_data.v1 import market_data_pb2

SERVER = """
import asyncio, os, sys
from mysingle.grpc import BaseGrpcServer, GrpcServerConfig, Trust
from mysingle.protos.market_data.v1 import market_data_pb2, market_data_pb2_grpc

class Market(market_data_pb2_grpc.MarketDataServiceServicer):
    async def GetBars(self, request, context):
        await asyncio.sleep(float(request.symbol or 0))
        return market_data_pb2.GetBarsResponse(symbol=str(os.getpid()))
    async def StreamBars(self, request, context):
        for index in range(1000):
            yield market_data_pb2.StreamBarsResponse()
            await asyncio.sleep(0.01)

class Server(BaseGrpcServer):
    def register_servicers(self, server):
        market_data_pb2_grpc.add_MarketDataServiceServicer_to_server(Market(), server)
    async def after_start(self):
        print("up", flush=True)

config = GrpcServerConfig(service_name="test-service", host="127.0.0.1", port=int(sys.argv[1]), trust=Trust.RELAXED,
    drain_delay_seconds=float(sys.argv[2]), shutdown_grace_seconds=5, enable_logging=False)
asyncio.run(Server(config).serve())
"""

Start = Callable[..., subprocess.Popen[str]]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Give a function that starts a server on a port, and returns when it listens."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    processes: list[subprocess.Popen[str]] = []

    def run(port: int, drain: float = 0.0) -> subprocess.Popen[str]:
        command = [sys.executable, str(script), str(port), str(drain)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        while "up" not in (line := process.stdout.readline()):
            assert line, "the server did not start"
        return process

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def test_killed_in_a_call(start: Start, rpc: Any) -> None:
    """When a backend is killed in the middle of calls, idempotent ones go on at the other one: nobody notices."""
    ports = [free_port(), free_port()]
    first, _ = start(ports[0]), start(ports[1])
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    async with rpc.Client(hosts) as client:
        await asyncio.gather(*(client.market.GetBars(rpc.bars("0.01")) for _ in range(20)))
        calls = [client.market.GetBars(rpc.bars("0.3")) for _ in range(20)]
        await asyncio.sleep(0.1)
        first.kill()
        answers = await asyncio.gather(*(rpc.finish("unary_unary", call) for call in calls))

    assert first.pid not in {int(answer.symbol) for answer in answers[-1:]} or len({a.symbol for a in answers}) == 2
    assert len(answers) == 20


async def test_killed_in_a_stream(start: Start, rpc: Any) -> None:
    """A stream that had begun ends with an error, once, and the next call works again when a server is back."""
    port = free_port()
    process = start(port)
    async with rpc.Client(f"127.0.0.1:{port}") as client:
        count = 0

        async def read() -> None:
            nonlocal count
            async for _ in client.market.StreamBars(market_data_pb2.StreamBarsRequest()):
                count += 1
                if count == 3:
                    process.kill()

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read()
        process.wait()
        start(port)
        answer = await client.market.GetBars(rpc.bars("0"), wait_for_ready=True, timeout=20)
    told = translate(caught.value)

    assert count >= 3
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert told is not None
    assert "127.0.0.1" not in told.message
    assert answer.symbol


async def test_rolling_restarts(start: Start, rpc: Any) -> None:
    """Ten restarts of two backends, one after the other, while calls come: none of them fails."""
    ports = [free_port(), free_port()]
    running = {port: start(port, 0.3) for port in ports}
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    failures: list[BaseException] = []
    count = 0
    is_over = False

    async def ask(client: Any) -> None:
        nonlocal count
        while not is_over:
            count += 1
            try:
                await client.market.GetBars(rpc.bars("0.005"))
            except grpc.aio.AioRpcError as error:
                failures.append(error)
            await asyncio.sleep(0.04)

    policy = ClientPolicy(max_reconnect_delay=0.2)
    async with rpc.Client(hosts, policy=policy) as client:
        asking = [asyncio.ensure_future(ask(client)) for _ in range(10)]
        for turn in range(10):
            port = ports[turn % 2]
            running[port].send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(running[port].wait, 20) == 0
            running[port] = await asyncio.to_thread(start, port, 0.3)
            await asyncio.sleep(0.5)
        is_over = True
        await asyncio.gather(*asking)

    assert failures == []
    assert count > 500


async def test_one_of_two_is_not_serving(start: Start, rpc: Any) -> None:
    """A backend that drains gets no new calls, although it would still serve them."""
    ports = [free_port(), free_port()]
    draining, other = start(ports[0], 5.0), start(ports[1])
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    async with rpc.Client(hosts) as client:
        await asyncio.gather(*(client.market.GetBars(rpc.bars("0")) for _ in range(10)))
        draining.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.5)
        answers = [await client.market.GetBars(rpc.bars("0")) for _ in range(50)]

    assert {int(answer.symbol) for answer in answers} == {other.pid}


NOWHERE = {
    "nobody listens": "127.0.0.1:1",
    "no such name": "no-such-host.invalid:50051",
    "unix socket gone": "unix:/nowhere/s",
}


@pytest.mark.parametrize("host", NOWHERE.values(), ids=list(NOWHERE))
async def test_nowhere(host: str, rpc: Any) -> None:
    """A wrong address is UNAVAILABLE within the time of the call, and the error names no address to callers."""
    async with rpc.Client(host, timeout=3.0) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.market.GetBars(rpc.bars("x"))
    told = translate(caught.value)

    assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert told is not None
    assert "127.0.0.1" not in told.message
    assert "invalid" not in told.message


async def test_wrong_protocol(rpc: Any) -> None:
    """A port where something else than gRPC listens is UNAVAILABLE."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with rpc.Client(f"127.0.0.1:{port}", timeout=3.0) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.market.GetBars(rpc.bars("x"))
    server.close()

    assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


FORKED = """
import asyncio, os, sys
from mysingle.clients import BaseGrpcClient
from mysingle.protos.market_data.v1 import market_data_pb2 as pb, market_data_pb2_grpc as rpc

async def call():
    client = BaseGrpcClient("x", 1, host="127.0.0.1", user_id="a" * 24, timeout=1)
    await rpc.MarketDataServiceStub(client.channel).GetBars(pb.GetBarsRequest())

def attempt():
    try:
        asyncio.run(call())
    except Exception as error:
        return str(error)

attempt()
if os.fork() == 0:
    print(attempt(), flush=True)
    os._exit(0)
os.wait()
os._exit(0)
"""


def test_fork() -> None:
    """A process that was forked after the first call gets a clear error instead of a hang."""
    environment = os.environ | {"ENVIRONMENT": "testing", "GRPC_VERBOSITY": "NONE"}
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60, env=environment)

    assert "was forked" in done.stdout
