"""A gRPC server in the process of a web service."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

import grpc
from mysingle.protos.market_data.v1 import market_data_pb2
from mysingle.testing import grpc_pair

APP = """
import asyncio, os
from fastapi import Request
from mysingle.clients import BaseGrpcClient
from mysingle.core import create_fastapi_app, create_service_config, get_settings
from mysingle.core.context import current_context
from mysingle.core.errors import NotFoundError
from mysingle.grpc import BaseGrpcServer, GrpcServerConfig
from mysingle.protos.market_data.v1 import market_data_pb2, market_data_pb2_grpc

class Market(market_data_pb2_grpc.MarketDataServiceServicer):
    async def GetBars(self, request, context):
        if request.symbol == "none":
            raise NotFoundError("No such symbol", reason="SYMBOL_NOT_FOUND")
        if request.symbol.startswith("sleep"):
            await asyncio.sleep(float(request.symbol[5:]))
        seen = current_context()
        return market_data_pb2.GetBarsResponse(symbol=f"{seen.user_id} {seen.correlation_id} {seen.seconds_left():.1f}")

class Server(BaseGrpcServer):
    def register_servicers(self, server):
        market_data_pb2_grpc.add_MarketDataServiceServicer_to_server(Market(), server)

class Client(BaseGrpcClient):
    def __init__(self):
        super().__init__("market-data-service", int(os.environ["GRPC_SERVER_PORT"]))
        self.stub = market_data_pb2_grpc.MarketDataServiceStub(self.channel)

server = Server(GrpcServerConfig.from_settings(get_settings(), "market-data-service", host="127.0.0.1"))
app = create_fastapi_app(create_service_config("market-data-service", enable_database=False, grpc_server=server))

@app.get("/bars/{symbol}")
@app.post("/bars/{symbol}")
async def bars(symbol: str):
    async with Client() as client:
        return (await client.stub.GetBars(market_data_pb2.GetBarsRequest(symbol=symbol))).symbol
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Service:
    """A running service: its addresses, its process, its log."""

    def __init__(self, folder: Path, **environment: str) -> None:
        (folder / "app.py").write_text(APP)
        self.http, self.rpc = free_port(), free_port()
        self.log = folder / "log"
        own = {"ENVIRONMENT": "testing", "GRPC_SERVER_PORT": str(self.rpc), "LOG_FILE": str(self.log)}
        command = [sys.executable, "-m", "mysingle", "run", "app:app", "--port", str(self.http)]
        self.process = subprocess.Popen(command, cwd=folder, env=os.environ | own | environment)
        self.url = f"http://127.0.0.1:{self.http}"

    def wait_until_ready(self) -> None:
        for _ in range(300):
            try:
                if httpx.get(f"{self.url}/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert self.process.poll() is None, self.log.read_text() if self.log.exists() else "no log"
            time.sleep(0.05)
        raise AssertionError("the service did not become ready")

    def told(self, *bodies: str) -> list[dict[str, Any]]:
        """Return the records of some events."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [record for record in map(json.loads, lines) if record["body"] in bodies]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Give a running service."""
    running = Service(tmp_path, DRAIN_DELAY_SECONDS="1")
    running.wait_until_ready()
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.wait()


async def test_http_to_rpc(service: Service, rpc: Any) -> None:
    """One user, one correlation id and one budget go from HTTP through gRPC; both sides are in one scrape and log."""
    headers = {"X-User-Id": rpc.USER, "Correlation-Id": "one-id"}
    async with httpx.AsyncClient(base_url=service.url, headers=headers) as http:
        answer = (await http.get("/bars/x")).json()
        missing = await http.get("/bars/none")
        metrics = (await http.get("/metrics")).text
    user, correlation_id, left = answer.split()

    assert (user, correlation_id) == (rpc.USER, "one-id")
    assert 0 < float(left) <= 10
    assert (missing.status_code, missing.json()["code"]) == (404, "SYMBOL_NOT_FOUND")
    assert missing.json()["correlation_id"] == "one-id"
    for side in ("server", "client"):
        assert f"rpc_{side}_call_duration_seconds_count" in metrics
    await asyncio.sleep(0.5)
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    calls = [line for line in lines if line["body"] == "rpc.call"]
    assert {line["correlation_id"] for line in calls} == {"one-id"}
    assert {line["user_id"] for line in calls} == {rpc.USER}
    assert [line["rpc.status_code"] for line in calls] == ["OK", "NOT_FOUND"]


@pytest.mark.parametrize(("flags", "is_sampled"), [("01", True), ("03", True), ("00", False), ("02", False)])
async def test_exemplars(flags: str, is_sampled: bool, service: Service, rpc: Any) -> None:
    """A scrape in OpenMetrics links the durations of HTTP and both sides of gRPC to the trace, when it is sampled."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"X-User-Id": rpc.USER, "traceparent": f"00-{trace}-00f067aa0ba902b7-{flags}"}
    async with httpx.AsyncClient(base_url=service.url) as http:
        assert (await http.get("/bars/x", headers=headers)).status_code == 200
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        families = list(parse_openmetrics((await http.get("/metrics", headers=accept)).text))  # type: ignore[no-untyped-call]  # untyped upstream
    found = {
        family.name: [sample.exemplar.labels for sample in family.samples if sample.exemplar] for family in families
    }
    durations = ("http_server_request", "rpc_server_call", "rpc_client_call")

    for name in durations:
        assert found[f"{name}_duration_seconds"] == ([{"trace_id": trace}] if is_sampled else []), name


@pytest.mark.parametrize(
    ("method", "ends"), [("GET", (499, "CANCELLED")), ("POST", (200, "OK"))], ids=["reads", "changes something"]
)
async def test_client_leaves(method: str, ends: tuple[int, str], service: Service, rpc: Any) -> None:
    """A client of HTTP that leaves stops the calls made for it, when it only reads; what it changes is finished."""
    async with httpx.AsyncClient(base_url=service.url, headers={"X-User-Id": rpc.USER}, timeout=0.5) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.request(method, "/bars/sleep2")
    async with asyncio.timeout(20):
        while len(told := service.told("http.request", "rpc.call")) < 2:
            await asyncio.sleep(0.05)
    by_body = {line["body"]: line for line in told}
    call = by_body["rpc.call"]

    assert (by_body["http.request"]["http.response.status_code"], call["rpc.status_code"]) == ends
    assert (call["duration_s"] < 2) == (method == "GET")


async def test_drain(service: Service, rpc: Any) -> None:
    """After SIGTERM both sides say that they are not ready and serve on; work in flight ends; the process exits."""
    request = market_data_pb2.GetBarsRequest(symbol="sleep2.0")
    plain = grpc.aio.insecure_channel(f"127.0.0.1:{service.rpc}")
    get_bars = plain.unary_unary(
        "/mysingle.market_data.v1.MarketDataService/GetBars",
        market_data_pb2.GetBarsRequest.SerializeToString,
        market_data_pb2.GetBarsResponse.FromString,
    )
    async with httpx.AsyncClient(base_url=service.url) as http, plain, rpc.Client(f"127.0.0.1:{service.rpc}") as client:
        slow = get_bars(request, metadata=[("user-id", rpc.USER)], timeout=10)
        await asyncio.sleep(0.2)
        assert await client.check_health()
        service.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        assert (await http.get("/ready")).status_code == 503
        assert await client.check_health() is False
        quick = await get_bars(market_data_pb2.GetBarsRequest(), metadata=[("user-id", rpc.USER)], timeout=5)
        assert quick.symbol
        assert (await slow).symbol
    assert await asyncio.to_thread(service.process.wait, 15) == 0


def test_production_needs_a_proof(tmp_path: Path) -> None:
    """In production a service with gRPC and without keys ends its start with what to set."""
    service = Service(tmp_path, ENVIRONMENT="production", GATEWAY_TRUST="network")

    assert service.process.wait(30) == 1
    assert "GRPC_SERVICE_KEYS" in service.log.read_text()


async def test_state_of_the_app_gates_calls(rpc: Any) -> None:
    """Before the app is ready, calls are refused and told when to come back."""
    from mysingle._kernel.health import HealthRegistry, ServiceState
    from mysingle._kernel.metrics import ServiceMetrics
    from mysingle.grpc import BaseGrpcServer, GrpcServerConfig, Trust

    class Server(BaseGrpcServer):
        def register_servicers(self, server: Any) -> None:
            rpc.register(server)

    health = HealthRegistry()
    server = Server(GrpcServerConfig(service_name="s", host="127.0.0.1", port=0, trust=Trust.RELAXED))
    server.join(health, ServiceMetrics("s", "1"))
    health.enter(ServiceState.STARTING)
    await server.open()
    try:
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{server.port}")
        async with channel:
            call = channel.unary_unary("/mysingle.market_data.v1.MarketDataService/GetBars")
            with pytest.raises(grpc.aio.AioRpcError, match="starting"):
                await call(b"", metadata=[("user-id", rpc.USER)])
            health.enter(ServiceState.READY)
            await call(b"", metadata=[("user-id", rpc.USER)])
    finally:
        await server.close()


async def test_metrics_belong_to_the_app(rpc: Any) -> None:
    """Two servers in one process do not share numbers."""
    async with grpc_pair(rpc.register) as one, grpc_pair(rpc.register) as two, rpc.Client(one.host) as client:
        await client.market.GetBars(rpc.bars("x"))

    assert (one.server.metrics.count(), two.server.metrics.count()) == (1, 0)
