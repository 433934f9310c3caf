import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import grpc
from mysingle._kernel import call_identity, rpc_metrics
from mysingle._kernel.errors import ErrorCode, MySingleError, NotFoundError
from mysingle.clients import BaseGrpcClient, get_pool, reset_pool
from mysingle.core.context import current_context
from mysingle.protos.indicator.v1 import indicator_pb2, indicator_pb2_grpc
from mysingle.protos.market_data.v1 import market_data_pb2, market_data_pb2_grpc
from mysingle.protos.notification.v1 import notification_pb2, notification_pb2_grpc

USER = "a11ce0000000000000000001"


@pytest.fixture(autouse=True)
async def _clean_rpc(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Give each test channels, counters and a name of its own."""
    monkeypatch.setenv("ENVIRONMENT", "testing")
    rpc_metrics.client_metrics.cache_clear()
    reset_pool()
    call_identity.forget_service()
    yield
    await get_pool().close()
    reset_pool()
    rpc_metrics.client_metrics.cache_clear()


class Market(market_data_pb2_grpc.MarketDataServiceServicer):
    """Does what the symbol says, and notes what it saw."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.metadata: list[tuple[tuple[str, Any], ...]] = []
        self.contexts: list[Any] = []
        self.ended = asyncio.Event()

    def note(self, what: str, context: Any) -> None:
        self.calls.append(what)
        self.metadata.append(tuple(context.invocation_metadata()))
        self.contexts.append(current_context())

    async def act(self, symbol: str, context: Any) -> None:
        word, _, argument = symbol.partition(":")
        if word == "abort":
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "aborted")
        if word == "raise":
            raise RuntimeError("the inside of the service")
        if word == "error":
            raise MySingleError("Told.", code=ErrorCode[argument], reason="TOLD")
        if word == "none":
            raise NotFoundError("No such symbol", reason="SYMBOL_NOT_FOUND")
        if word == "sleep":
            try:
                await asyncio.sleep(float(argument or 30))
            finally:
                self.ended.set()

    async def GetBars(self, request: Any, context: Any) -> Any:
        self.note(request.symbol, context)
        await self.act(request.symbol, context)
        return market_data_pb2.GetBarsResponse(symbol=current_context().user_id or "nobody")

    async def StreamBars(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.note(request.symbol, context)
        for index in range(3):
            yield market_data_pb2.StreamBarsResponse(bar=market_data_pb2.Bar(open=index))
            if index == 1:
                await self.act(request.symbol, context)

    def ListSymbols(self, request: Any, context: Any) -> Any:
        self.note("sync", context)
        if request.page.page_token == "abort":
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "aborted")
        return market_data_pb2.ListSymbolsResponse(symbols=[current_context().user_id or "nobody"])


class Notifications(notification_pb2_grpc.NotificationServiceServicer):
    """Takes messages; the template says what happens."""

    def __init__(self, market: Market) -> None:
        self.market = market

    async def Send(self, request: Any, context: Any) -> Any:
        self.market.note(request.template, context)
        await self.market.act(request.template, context)
        return notification_pb2.SendResponse(notification_id=str(len(self.market.calls)))

    async def SendMany(self, requests: Any, context: Any) -> Any:
        count = 0
        async for request in requests:
            self.market.note(request.template, context)
            await self.market.act(request.template, context)
            count += 1
        return notification_pb2.SendManyResponse(accepted=count)


class Indicators(indicator_pb2_grpc.IndicatorServiceServicer):
    """Computes nothing; the name says what happens."""

    def __init__(self, market: Market) -> None:
        self.market = market

    async def ComputeMany(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            self.market.note(request.name, context)
            await self.market.act(request.name, context)
            yield indicator_pb2.ComputeResponse()


class Client(BaseGrpcClient):
    """A client with a stub for each of the services."""

    def __init__(self, host: str, user_id: str | None = USER, **options: Any) -> None:
        super().__init__("test-service", 50051, host=host, user_id=user_id, **options)
        self.market = market_data_pb2_grpc.MarketDataServiceStub(self.channel)
        self.notifications = notification_pb2_grpc.NotificationServiceStub(self.channel)
        self.indicators = indicator_pb2_grpc.IndicatorServiceStub(self.channel)


class Rpc:
    """What the tests of this folder use."""

    Client = Client
    Market = Market
    USER = USER

    def __init__(self) -> None:
        self.market = Market()

    def register(self, server: Any) -> None:
        market_data_pb2_grpc.add_MarketDataServiceServicer_to_server(self.market, server)
        notification_pb2_grpc.add_NotificationServiceServicer_to_server(Notifications(self.market), server)
        indicator_pb2_grpc.add_IndicatorServiceServicer_to_server(Indicators(self.market), server)

    @staticmethod
    def bars(symbol: str) -> Any:
        return market_data_pb2.GetBarsRequest(symbol=symbol)

    def start(self, kind: str, client: Client, word: str, **options: Any) -> Any:
        """Begin a call of one kind; streams of requests stay open until the test ends them."""
        if kind == "unary_unary":
            return client.market.GetBars(market_data_pb2.GetBarsRequest(symbol=word), **options)
        if kind == "unary_stream":
            return client.market.StreamBars(market_data_pb2.StreamBarsRequest(symbol=word), **options)
        if kind == "stream_unary":
            return client.notifications.SendMany(_some(notification_pb2.SendRequest(template=word)), **options)
        return client.indicators.ComputeMany(_some(indicator_pb2.ComputeRequest(name=word)), **options)

    @staticmethod
    async def finish(kind: str, call: Any) -> Any:
        """Take everything a call gives."""
        if kind.endswith("unary"):
            return await call
        return [message async for message in call]


async def _some(request: Any) -> AsyncIterator[Any]:
    yield request


@pytest.fixture
def rpc() -> Rpc:
    """Give servicers and clients of all four kinds."""
    return Rpc()


@pytest.fixture
def spans() -> Iterator[Callable[[], list[Any]]]:
    """Record spans, and give a function that returns those that have ended."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before = trace._TRACER_PROVIDER
    trace._TRACER_PROVIDER = provider
    yield lambda: list(exporter.get_finished_spans())
    trace._TRACER_PROVIDER = before
