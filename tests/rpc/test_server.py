"""What stands around a handler."""

import asyncio
import contextlib
import inspect
from typing import Any

import pytest

import grpc
from mysingle._kernel.errors import translate
from mysingle._kernel.health import HealthRegistry, ServiceState
from mysingle._kernel.rpc_metrics import client_metrics
from mysingle.core.config import CommonSettings
from mysingle.core.errors import InvalidArgumentError
from mysingle.grpc import (
    BaseGrpcServer,
    GrpcCache,
    GrpcConfigError,
    GrpcServerConfig,
    MemoryCacheStore,
    grpc_cached,
)
from mysingle.grpc._server import SERVER
from mysingle.protos.market_data.v1 import market_data_pb2, market_data_pb2_grpc
from mysingle.protos.notification.v1 import notification_pb2, notification_pb2_grpc
from mysingle.testing import grpc_pair

OTHER = "b0b000000000000000000002"
ORDER = ["context", "observe", "errors", "gate", "auth", "rate_limit", "idempotency", "cache"]


def reason_of(error: BaseException) -> str:
    told = translate(error)
    assert told is not None
    return told.reason


def test_order() -> None:
    """The layers stand in the order of the architecture, outermost first."""
    assert [make.__name__.lstrip("_") for make in SERVER] == ORDER


async def test_too_many_calls(rpc: Any) -> None:
    """Beyond its maximum a server refuses at once, and says when to come back; health is still told."""
    async with grpc_pair(rpc.register, maximum_concurrent_rpcs=2) as pair, rpc.Client(pair.host) as client:
        running = [
            asyncio.ensure_future(rpc.finish("unary_unary", client.market.GetBars(rpc.bars("sleep:30")))) for _ in "ab"
        ]
        while len(rpc.market.calls) < 2:
            await asyncio.sleep(0.01)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.market.GetBars(rpc.bars("x"))
        assert await client.check_health()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    assert (caught.value.code(), reason_of(caught.value)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")
    assert pair.server.metrics.shed.total() == 1


async def test_sheds_when_the_loop_is_late(rpc: Any) -> None:
    """While the event loop is late, calls are refused before they cost anything."""
    async with grpc_pair(rpc.register, max_loop_lag_seconds=0.001) as pair, rpc.Client(pair.host) as client:
        pair.server.lag.stop()
        pair.server.lag.seconds = 1.0
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.notifications.Send(notification_pb2.SendRequest())

    assert reason_of(caught.value) == "OVERLOADED"
    assert rpc.market.calls == []


async def test_lag_is_measured(rpc: Any) -> None:
    """A blocked loop is seen."""
    async with grpc_pair(rpc.register) as pair:
        await asyncio.sleep(0.1)
        __import__("time").sleep(0.3)
        await asyncio.sleep(0.01)
        assert pair.server.lag.seconds > 0.1


async def test_health_follows_the_state(rpc: Any) -> None:
    """The standard health service says what the state says, for the server and for each service; Watch pushes."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    async with grpc_pair(rpc.register) as pair, grpc.aio.insecure_channel(pair.host) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        first = await watch.read()
        one = await stub.Check(health_pb2.HealthCheckRequest(service="mysingle.market_data.v1.MarketDataService"))
        pair.server.health.enter(ServiceState.DRAINING)
        second = await watch.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(health_pb2.HealthCheckRequest(service="nobody"))
        plain = market_data_pb2_grpc.MarketDataServiceStub(channel)
        await plain.GetBars(rpc.bars("x"), metadata=[("user-id", rpc.USER)])  # who comes all the same is served
        watch.cancel()

    assert (first.status, one.status, second.status) == (1, 1, 2)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_drain_lets_work_end(rpc: Any) -> None:
    """Work in flight ends well during the grace period, and new work is refused."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host) as client:
        call = client.market.GetBars(rpc.bars("sleep:0.3"))
        while not rpc.market.calls:
            await asyncio.sleep(0.01)
        await pair.server.stop(5)

        assert (await call).symbol == rpc.USER


async def test_cut_work_is_not_retryable(rpc: Any) -> None:
    """What is cut ends as CANCELLED: nobody repeats by themselves what may have been done."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host) as client:
        call = client.market.GetBars(rpc.bars("sleep:30"))
        while not rpc.market.calls:
            await asyncio.sleep(0.01)
        await pair.server.stop(0.05)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call

    assert (caught.value.code(), reason_of(caught.value)) == (grpc.StatusCode.CANCELLED, "SERVER_STOPPED")
    assert len(rpc.market.calls) == 1


async def test_work_that_ignores_the_cut(rpc: Any) -> None:
    """A handler that goes on when it is cut is answered for, in the same way, and counted as what was answered."""
    may_end = asyncio.Event()

    class Stubborn(notification_pb2_grpc.NotificationServiceServicer):
        async def Send(self, request: Any, context: Any) -> Any:
            rpc.market.calls.append("begun")
            while not may_end.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await may_end.wait()
            return notification_pb2.SendResponse()

    def register(server: Any) -> None:
        notification_pb2_grpc.add_NotificationServiceServicer_to_server(Stubborn(), server)

    async with grpc_pair(register) as pair, rpc.Client(pair.host, timeout=30) as client:
        call = client.notifications.Send(notification_pb2.SendRequest())
        while not rpc.market.calls:
            await asyncio.sleep(0.01)
        stopping = asyncio.ensure_future(pair.server.stop(0.05))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        may_end.set()
        await stopping
        async with asyncio.timeout(10):
            while not pair.server.metrics.count():  # the handler ends by itself, after the server
                await asyncio.sleep(0.01)
        measured = pair.server.metrics.render(is_openmetrics=False).decode()

    assert (caught.value.code(), reason_of(caught.value)) == (grpc.StatusCode.CANCELLED, "SERVER_STOPPED")
    assert len(rpc.market.calls) == 1
    assert pair.server.metrics.count() == 1
    assert 'rpc_status_code="CANCELLED"' in measured


async def test_hooks() -> None:
    """The hooks run in their order."""
    seen: list[str] = []

    class Server(BaseGrpcServer):
        def register_servicers(self, server: Any) -> None:
            seen.append("register")

        async def before_start(self) -> None:
            seen.append("before_start")

        async def after_start(self) -> None:
            seen.append("after_start")

        async def before_stop(self) -> None:
            seen.append("before_stop")

        async def after_stop(self) -> None:
            seen.append("after_stop")

    async with Server(GrpcServerConfig(service_name="s", host="127.0.0.1", port=0)) as server:
        assert server.port > 0
        await server.ping()
    assert seen == ["before_start", "register", "after_start", "before_stop", "after_stop"]


WRONG = [
    ({"service_name": ""}, "service_name"),
    ({"port": 70_000}, "port"),
    ({"use_tls": True}, "cert_file"),
    ({"require_client_cert": True}, "ca_file"),
    ({"trust": "signed"}, "keys"),
    ({"no_such_field": 1}, "no_such_field"),
]


@pytest.mark.parametrize(("values", "field"), WRONG, ids=[row[1] for row in WRONG])
def test_wrong_configuration(values: dict[str, Any], field: str) -> None:
    """A configuration that cannot work is refused when it is made, by the name of the field."""
    from mysingle.grpc import Trust

    values = {key: Trust(value) if key == "trust" else value for key, value in values.items()}
    name = values.pop("service_name", "s")
    with pytest.raises(GrpcConfigError, match=field):
        GrpcServerConfig.from_settings(CommonSettings(_env_file=None), name, values.pop("port", 0), **values)


async def test_port_in_use(rpc: Any) -> None:
    """An address that somebody else has is one clear error."""
    async with grpc_pair(rpc.register, host="127.0.0.1", port=0) as pair:
        with pytest.raises(Exception, match="cannot listen"):
            async with grpc_pair(rpc.register, host="127.0.0.1", port=pair.server.port):
                pass


async def test_message_over_the_limit(rpc: Any) -> None:
    """A message over the limit is refused on the way in, and the server lives on."""
    async with grpc_pair(rpc.register, max_message_bytes=1024) as pair, rpc.Client(pair.host) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.market.GetBars(rpc.bars("x" * 5000))
        await client.market.GetBars(rpc.bars("x"))

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_unreadable_request(rpc: Any) -> None:
    """Bytes that are no message are the caller's mistake."""
    path = "/mysingle.market_data.v1.MarketDataService/GetBars"
    async with grpc_pair(rpc.register) as pair, grpc.aio.insecure_channel(pair.host) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(path)(b"\xff\xff", metadata=[("user-id", rpc.USER)])
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await channel.unary_unary("/no.Such/Method")(b"")

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED


ILL = ["a b", "x" * 200, "'; drop", "", "{}"]


@pytest.mark.parametrize("value", ILL, ids=range(len(ILL)))
async def test_ill_formed_correlation_id(value: str, rpc: Any) -> None:
    """An ill-formed correlation id is replaced, and never reaches the log."""
    async with grpc_pair(rpc.register) as pair, grpc.aio.insecure_channel(pair.host) as channel:
        stub = market_data_pb2_grpc.MarketDataServiceStub(channel)
        pairs = [("user-id", rpc.USER), ("correlation-id", value)]
        await stub.GetBars(rpc.bars("x"), metadata=pairs)

    assert rpc.market.contexts[0].correlation_id != value
    assert len(rpc.market.contexts[0].correlation_id) == 36


@pytest.mark.parametrize(
    "pair", [("own", "é"), ("own", "a\tb"), ("Own Name", "x"), ("own", b"x"), ("own", 1)], ids=repr
)
async def test_metadata_that_cannot_be_sent(pair: Any, rpc: Any) -> None:
    """What HTTP/2 cannot carry is refused where it is written, not deep inside of the library."""
    async with grpc_pair(rpc.register) as running, rpc.Client(running.host) as client:
        with pytest.raises(InvalidArgumentError, match="cannot be sent"):
            client.market.GetBars(rpc.bars("x"), metadata=[pair])

    assert client_metrics().count() == 0
    assert client_metrics().active.total() == 0


class Cached(market_data_pb2_grpc.MarketDataServiceServicer):
    """Answers differ at every run."""

    def __init__(self) -> None:
        self.runs = 0

    @grpc_cached(ttl=60)
    async def GetBars(self, request: Any, context: Any) -> Any:
        self.runs += 1
        await asyncio.sleep(0.02)
        if request.symbol == "none":
            await context.abort(grpc.StatusCode.NOT_FOUND, "none")
        return market_data_pb2.GetBarsResponse(symbol=str(self.runs))

    @grpc_cached(ttl=60, public=True)
    async def ListSymbols(self, request: Any, context: Any) -> Any:
        self.runs += 1
        return market_data_pb2.ListSymbolsResponse(symbols=[str(self.runs)])


async def test_cache(rpc: Any) -> None:
    """A response is kept by method, request and user; a public one is shared; errors are never kept."""
    servicer, store = Cached(), MemoryCacheStore()

    def register(server: Any) -> None:
        market_data_pb2_grpc.add_MarketDataServiceServicer_to_server(servicer, server)

    cache = GrpcCache(store)
    async with grpc_pair(register, cache=cache) as pair, rpc.Client(pair.host) as mine:
        async with rpc.Client(pair.host, user_id=OTHER) as other:
            crowd = await asyncio.gather(*(mine.market.GetBars(rpc.bars("x")) for _ in range(50)))
            assert {reply.symbol for reply in crowd} == {"1"}
            assert (await other.market.GetBars(rpc.bars("x"))).symbol == "2"
            assert (await mine.market.GetBars(rpc.bars("y"))).symbol == "3"
            listing = market_data_pb2.ListSymbolsRequest()
            assert list((await mine.market.ListSymbols(listing)).symbols) == ["4"]
            assert list((await other.market.ListSymbols(listing)).symbols) == ["4"]
            for _ in range(2):
                with pytest.raises(grpc.aio.AioRpcError):
                    await mine.market.GetBars(rpc.bars("none"))
            assert servicer.runs == 6
            await cache.invalidate("mysingle.market_data.v1.MarketDataService/GetBars")
            assert (await mine.market.GetBars(rpc.bars("x"))).symbol == "7"
            assert list((await mine.market.ListSymbols(listing)).symbols) == ["4"]


@pytest.mark.parametrize("ttl", [0, -5, "60", 1.5])
def test_time_that_cannot_be_kept(ttl: Any) -> None:
    """A time that would keep nothing, or that a store refuses, is told where it is written."""
    with pytest.raises(ValueError, match="use whole seconds"):
        grpc_cached(ttl)
    with pytest.raises(ValueError, match="use whole seconds"):
        GrpcCache(MemoryCacheStore(), ttl=ttl)


def test_stream_cannot_be_kept(rpc: Any) -> None:
    """A method that streams is not marked as if its responses were kept."""
    with pytest.raises(TypeError, match="StreamBars streams"):
        grpc_cached(60)(rpc.Market.StreamBars)


def test_servers_methods_are_those_of_the_contract() -> None:
    """The names of the server are pinned."""
    names = {name for name, _ in inspect.getmembers(BaseGrpcServer, inspect.isfunction) if not name.startswith("_")}
    contract = "register_servicers before_start after_start before_stop after_stop start stop wait_for_termination"

    assert set(contract.split()) <= names
    assert "grace_period" in inspect.signature(BaseGrpcServer.stop).parameters
    assert isinstance(BaseGrpcServer(GrpcServerConfig(service_name="s")).health, HealthRegistry)
