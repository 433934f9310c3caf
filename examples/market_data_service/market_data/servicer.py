"""The gRPC side: GetBars, StreamBars, ListSymbols."""

import datetime
from collections.abc import AsyncIterator
from typing import Any

from market_data import bars
from mysingle.core.errors import FieldViolation, InvalidArgumentError
from mysingle.grpc import BaseGrpcServer, GrpcServerConfig, grpc_cached
from mysingle.protos.market_data.v1 import market_data_pb2 as pb
from mysingle.protos.market_data.v1 import market_data_pb2_grpc as rpc


class MarketData(rpc.MarketDataServiceServicer):
    def __init__(self, store: bars.Bars) -> None:
        self._store = store

    @grpc_cached(ttl=3600, public=True)
    async def GetBars(self, request: pb.GetBarsRequest, context: Any) -> pb.GetBarsResponse:
        found = await self._store.read(request.symbol, *_days(request), _limit(request.limit))
        return pb.GetBarsResponse(symbol=request.symbol, bars=[_message(bar) for bar in found])

    async def StreamBars(self, request: pb.StreamBarsRequest, context: Any) -> AsyncIterator[pb.StreamBarsResponse]:
        for bar in await self._store.read(request.symbol, *_days(request), bars.MAX_BARS):
            yield pb.StreamBarsResponse(bar=_message(bar))

    async def ListSymbols(self, request: pb.ListSymbolsRequest, context: Any) -> pb.ListSymbolsResponse:
        return pb.ListSymbolsResponse(symbols=await self._store.symbols())


class Server(BaseGrpcServer):
    """Serves the bars of one store, which is open while the server runs."""

    def __init__(self, config: GrpcServerConfig, store: bars.Bars) -> None:
        super().__init__(config)
        self._store = store

    async def before_start(self) -> None:
        self._store.connect()

    def register_servicers(self, server: Any) -> None:
        rpc.add_MarketDataServiceServicer_to_server(MarketData(self._store), server)

    async def after_stop(self) -> None:
        self._store.close()


def _days(request: Any) -> tuple[datetime.date | None, datetime.date | None]:
    start, end = (
        getattr(request.range, name).ToDatetime().date() if request.range.HasField(name) else None
        for name in ("start_time", "end_time")
    )
    if start is not None and end is not None and start >= end:
        violation = FieldViolation(field="range.start_time", message="must be before the end", code="order")
        raise InvalidArgumentError("The range is empty.", reason="RANGE_EMPTY", violations=(violation,))
    return start, end


def _limit(wanted: int) -> int:
    if not 0 <= wanted <= bars.MAX_BARS:
        violation = FieldViolation(field="limit", message=f"must be 0 to {bars.MAX_BARS}", code="range")
        raise InvalidArgumentError("The limit cannot be used.", reason="LIMIT_INVALID", violations=(violation,))
    return wanted or bars.MAX_BARS


def _message(bar: bars.Bar) -> pb.Bar:
    message = pb.Bar(open=bar.open, high=bar.high, low=bar.low, close=bar.close, volume=bar.volume)
    message.open_time.FromDatetime(datetime.datetime.combine(bar.day, datetime.time()))
    return message
