"""What a call carries, and what it finds at the other end."""

import asyncio
import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import grpc
from mysingle._kernel.context import RequestContext, use_context
from mysingle._kernel.errors import MySingleError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle.clients import BaseGrpcClient, DiscoveryError, get_pool
from mysingle.core.errors import InvalidArgumentError
from mysingle.protos.market_data.v1 import market_data_pb2, market_data_pb2_grpc
from mysingle.protos.notification.v1 import notification_pb2
from mysingle.testing import grpc_pair

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
OTHER = "b0b000000000000000000002"
TRACEPARENT = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.mark.parametrize("kind", KINDS)
async def test_all_kinds_carry(kind: str, rpc: Any) -> None:
    """Every kind of call brings user, correlation id, trace and deadline with it, with no code in the client."""
    context = RequestContext("c-1", "r-1", TRACEPARENT, "v=1", AuthenticatedUser(id=rpc.USER))
    async with grpc_pair(rpc.register) as pair:
        with use_context(context):
            async with rpc.Client(pair.host, user_id=None) as client:
                await rpc.finish(kind, rpc.start(kind, client, "x"))
    seen = rpc.market.contexts[0]

    assert (seen.user_id, seen.correlation_id, seen.request_id) == (rpc.USER, "c-1", "r-1")
    assert (seen.traceparent, seen.tracestate) == (TRACEPARENT, "v=1")
    assert seen.seconds_left() is not None
    assert seen.seconds_left() <= 10


async def test_sync_handler_sees_the_context(rpc: Any) -> None:
    """A synchronous handler runs in a thread with the context of its call, and may abort."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host) as client:
        answer = await client.market.ListSymbols(market_data_pb2.ListSymbolsRequest())
        request = market_data_pb2.ListSymbolsRequest()
        request.page.page_token = "abort"
        with pytest.raises(grpc.aio.AioRpcError, match="aborted"):
            await client.market.ListSymbols(request)

    assert list(answer.symbols) == [rpc.USER]


async def test_explicit_metadata_doubles_nothing(rpc: Any) -> None:
    """`metadata=self.metadata`, as older services write it, adds no key a second time; other keys are kept."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host) as client:
        await client.market.GetBars(rpc.bars("x"), metadata=(*client.metadata, ("own", "1")))
    names = [name for name, _ in rpc.market.metadata[0]]

    assert len(names) == len(set(names))
    assert {"user-id", "correlation-id", "own"} <= set(names)


@pytest.mark.parametrize("source", ["argument", "request", "context", "nobody"])
async def test_where_ids_come_from(source: str, rpc: Any) -> None:
    """Argument, then request, then running context; a correlation id is made when there is none, a user never."""
    request = SimpleNamespace(
        state=SimpleNamespace(user=AuthenticatedUser(id=rpc.USER)), headers={"Correlation-Id": "from-request"}
    )
    context = RequestContext("from-context", user=AuthenticatedUser(id=OTHER))
    arguments: dict[str, Any] = {
        "argument": {"user_id": rpc.USER.upper(), "correlation_id": "from-argument", "request": request},
        "request": {"user_id": None, "request": request},
        "context": {"user_id": None},
        "nobody": {"user_id": None},
    }[source]
    with use_context(RequestContext() if source == "nobody" else context):
        client = rpc.Client("h", **arguments)
    expected = {"argument": rpc.USER, "request": rpc.USER, "context": OTHER, "nobody": None}

    assert client.user_id == expected[source]
    assert client.correlation_id.startswith("from-" + source) or (
        source == "nobody" and len(client.correlation_id) == 36
    )


@pytest.mark.parametrize("user_id", ["x", "zz" * 12, "a" * 23, "é" * 24, ""])
def test_user_id_that_is_none(user_id: str, rpc: Any) -> None:
    """A text that is no user id is refused where it is written."""
    with pytest.raises(InvalidArgumentError, match="is no user id"):
        rpc.Client("h", user_id=user_id)


@pytest.mark.parametrize("timeout", [float("inf"), 1e300, 10**10, 5, True])
async def test_long_timeouts(timeout: float, rpc: Any) -> None:
    """A time limit beyond what gRPC can count is a long one, not one that has passed."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host, timeout=timeout) as client:
        assert (await client.market.GetBars(rpc.bars("x"))).symbol
        assert (await client.market.GetBars(rpc.bars("x"), timeout=timeout)).symbol
    left = rpc.market.contexts[0].seconds_left()

    assert left is None or left > 0


@pytest.mark.parametrize("timeout", [float("nan"), "5", [1]])
async def test_timeout_that_is_none(timeout: Any, rpc: Any) -> None:
    """A time limit that is no number is refused where it is written."""
    with pytest.raises(InvalidArgumentError, match="is no number of seconds"):
        rpc.Client("h", timeout=timeout)
    with pytest.raises(InvalidArgumentError, match="is no number of seconds"):
        rpc.Client("h").market.GetBars(rpc.bars("x"), timeout=timeout)


@pytest.mark.parametrize("metadata", [{"user-id": "x"}, [("x",)], "abc", 5], ids=str)
async def test_metadata_that_are_no_pairs(metadata: Any, rpc: Any) -> None:
    """Metadata of another shape are refused with what they should be."""
    with pytest.raises(InvalidArgumentError, match="pairs of a name and a value"):
        rpc.Client("h").market.GetBars(rpc.bars("x"), metadata=metadata)


async def failing() -> Any:
    yield notification_pb2.SendRequest()
    raise ValueError("the source failed")


@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream", "stream_unary", "stream_stream", "write"])
async def test_no_message(kind: str, rpc: Any) -> None:
    """What is no message raises, and is not sent as an empty one."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host, timeout=5) as client:

        async def call() -> None:
            if kind == "unary_unary":
                await client.market.GetBars(None)
            elif kind == "unary_stream":
                await rpc.finish(kind, client.market.StreamBars("x"))
            elif kind == "stream_unary":
                await client.notifications.SendMany(["x"])
            elif kind == "stream_stream":
                await rpc.finish(kind, client.indicators.ComputeMany(iter([5])))
            else:
                writing = client.notifications.SendMany()
                await writing.write("x")

        with pytest.raises(TypeError, match="takes a message, not a"):
            await call()

    assert not [what for what in rpc.market.calls if what]


@pytest.mark.parametrize("requests", [failing, lambda: 5], ids=["fails", "no iterator"])
@pytest.mark.parametrize("kind", ["stream_unary", "stream_stream", "read"])
async def test_source_of_requests_fails(kind: str, requests: Any, rpc: Any) -> None:
    """When the source of a stream fails, the caller hears why, and not that somebody has cancelled the call."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host, timeout=5) as client:

        async def call() -> None:
            if kind == "stream_unary":
                await client.notifications.SendMany(requests())
            elif kind == "stream_stream":
                await rpc.finish(kind, client.indicators.ComputeMany(requests()))
            else:
                reading = client.indicators.ComputeMany(requests())
                while await reading.read() is not grpc.aio.EOF:
                    pass

        with pytest.raises((ValueError, TypeError), match=r"the source failed|come from an iterator"):
            await call()


ADDRESSES = [
    ({}, None, "dns:///localhost:50051"),
    ({"ENVIRONMENT": "production"}, None, "dns:///my-service:50051"),
    ({"MY_SERVICE_GRPC_HOST": "a"}, None, "dns:///a:50051"),
    ({"MY_SERVICE_GRPC_HOST": "a", "MY_SERVICE_GRPC_PORT": "7"}, None, "dns:///a:7"),
    ({"MY_SERVICE_GRPC_HOST": "a:8"}, None, "dns:///a:8"),
    ({"MY_GRPC_HOST": "short"}, None, "dns:///short:50051"),
    ({"MY_SERVICE_HOST": "legacy"}, None, "dns:///legacy:50051"),
    ({"MY_SERVICE_GRPC_HOST": "env"}, "argument", "dns:///argument:50051"),
    ({}, "10.0.0.1:1,10.0.0.2", "ipv4:10.0.0.1:1,10.0.0.2:50051"),
    ({}, "dns:///x:1", "dns:///x:1"),
    ({}, "unix:/tmp/s", "unix:/tmp/s"),
    ({}, "ipv4:10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2"),
    ({}, "ipv6:[::1]:1,[fe80::1%25eth0]:2", "ipv6:[::1]:1,[fe80::1%25eth0]:2"),
    ({}, "dns://8.8.8.8/x.y:1", "dns://8.8.8.8/x.y:1"),
    ({}, "dns:50051", "dns:///dns:50051"),
    ({}, "::1", "dns:///[::1]:50051"),
    ({}, "[::1]:9", "dns:///[::1]:9"),
]


@pytest.mark.parametrize(("environment", "host", "target"), ADDRESSES, ids=lambda value: str(value)[:40])
def test_address(environment: dict[str, str], host: str | None, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument wins, then `<SERVICE>_GRPC_HOST`, then older names, then the environment's convention."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert BaseGrpcClient("my-service", 50051, host).channel.endpoint.address.target == target


HOSTS = ["a b", "a:x", "a:0", "a:70000", "http://a", "a,b", "[::1", "-a", "a/b", "a:\u0661", ","]
TARGETS = ["dns:///", 'dns:///a"b:1', "dns:///a:x", "ipv4:300.1.1.1:5", "ipv4:", "ipv6:::1:5", "unix:", "xds:"]


@pytest.mark.parametrize(
    "host", ["a b", "a:x", "a:0", "a:70000", "http://a", "a,b", "[::1", "-a", "a/b", "a:\u0661", ",", *TARGETS]
)
def test_wrong_address(host: str) -> None:
    """An address that cannot be is refused where it is written, with the forms that there are."""
    with pytest.raises(DiscoveryError, match="is no address"):
        BaseGrpcClient("my-service", 50051, host)


async def test_the_guides_client(rpc: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guide's snippet runs as it is written."""
    async with grpc_pair(rpc.register, service_name="my-service", host="127.0.0.1", port=0) as pair:
        monkeypatch.setenv("MY_SERVICE_GRPC_HOST", pair.host)

        class MyServiceClient(BaseGrpcClient):
            def __init__(self, user_id: Any = None, correlation_id: Any = None) -> None:
                super().__init__("my-service", 50051, user_id=user_id, correlation_id=correlation_id)
                self.stub = market_data_pb2_grpc.MarketDataServiceStub(self.channel)

            async def method(self) -> Any:
                return await self.stub.GetBars(market_data_pb2.GetBarsRequest())

        async with MyServiceClient(user_id=rpc.USER) as client:
            result = await client.method()

    assert result.symbol == rpc.USER


async def test_thousand_clients_share_one_channel(rpc: Any) -> None:
    """Client objects are cheap: a thousand of them open one channel, and share what is known of its methods."""
    async with grpc_pair(rpc.register) as pair:
        for _ in range(1000):
            async with rpc.Client(pair.host) as client:
                await client.market.GetBars(rpc.bars("x"))

        assert len(get_pool()) == 1
        assert client.channel.pooled("mysingle.market_data.v1.MarketDataService").method_count == 1


async def test_thousand_users_without_cross_talk(rpc: Any) -> None:
    """A thousand users at the same time each hear of themselves."""
    users = [f"{number:024x}" for number in range(1, 1001)]

    async def ask(user: str, host: str) -> str:
        async with rpc.Client(host, user_id=user) as client:
            unary, stream = await asyncio.gather(
                client.market.GetBars(rpc.bars("sleep:0.01")),
                client.market.ListSymbols(market_data_pb2.ListSymbolsRequest()),
            )
            assert list(stream.symbols) == [user]
            return str(unary.symbol)

    async with grpc_pair(rpc.register, maximum_concurrent_rpcs=5_000, max_loop_lag_seconds=60) as pair:
        assert await asyncio.gather(*(ask(user, pair.host) for user in users)) == users


async def test_read_write_api(rpc: Any) -> None:
    """The read and write calls of a stub work as with any channel."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host) as client:
        from mysingle.protos.indicator.v1 import indicator_pb2

        call = client.indicators.ComputeMany()
        await call.write(indicator_pb2.ComputeRequest(name="x"))
        first = await call.read()
        await call.done_writing()

        assert first is not grpc.aio.EOF
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK


async def test_health(rpc: Any) -> None:
    """A client sees whether the service serves, and False when nobody is there."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host) as client:
        assert await client.check_health() is True
    async with rpc.Client("127.0.0.1:1") as client:
        assert await client.check_health() is False


async def test_stock_client_and_reflection(rpc: Any) -> None:
    """A client that no one here wrote finds the services by reflection, and calls one."""
    buf = Path(__import__("sys").executable).with_name("buf")
    async with grpc_pair(rpc.register, host="127.0.0.1", port=0, enable_reflection=True) as pair:
        url = f"http://{pair.host}/mysingle.market_data.v1.MarketDataService/GetBars"
        options = ["--protocol", "grpc", "--reflect", "--http2-prior-knowledge", "-H", f"user-id: {rpc.USER}"]
        process = await asyncio.create_subprocess_exec(
            buf, "curl", *options, "-d", "{}", url, cwd="/", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()

    assert process.returncode == 0
    assert rpc.USER in out.decode()


async def test_stock_server(rpc: Any) -> None:
    """A server of grpcio, without anything of ours, answers our client."""
    server = grpc.aio.server()
    market_data_pb2_grpc.add_MarketDataServiceServicer_to_server(rpc.market, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with rpc.Client(f"127.0.0.1:{port}") as client:
            assert (await client.market.GetBars(rpc.bars("x"))).symbol == "nobody"
    finally:
        await server.stop(None)

    assert ("user-id", rpc.USER) in rpc.market.metadata[0]


async def test_second_event_loop(rpc: Any) -> None:
    """Another loop in the same process gets a clear error, and the first one goes on."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host) as client:
        await client.market.GetBars(rpc.bars("x"))

        async def elsewhere() -> None:
            await client.market.GetBars(rpc.bars("x"))

        with pytest.raises(MySingleError, match="another event loop"):
            await asyncio.to_thread(asyncio.run, elsewhere())
        await client.market.GetBars(rpc.bars("x"))


def test_signature() -> None:
    """The parameters of the client are those of the contract, in its order."""
    names = list(inspect.signature(BaseGrpcClient.__init__).parameters)[1:]
    contract = "service_name default_port host user_id correlation_id request timeout use_tls options"

    assert names == contract.split()
