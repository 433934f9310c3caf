"""What another service uses to read bars."""

from collections.abc import AsyncIterator
from typing import Any

from mysingle.clients import BaseGrpcClient
from mysingle.protos.market_data.v1 import market_data_pb2 as pb
from mysingle.protos.market_data.v1 import market_data_pb2_grpc as rpc


class MarketDataClient(BaseGrpcClient):
    def __init__(self, user_id: str | None = None, correlation_id: str | None = None, **options: Any) -> None:
        super().__init__("market-data-service", 50051, user_id=user_id, correlation_id=correlation_id, **options)
        self.stub = rpc.MarketDataServiceStub(self.channel)

    async def closes(self, symbol: str, limit: int = 0) -> list[float]:
        answer = await self.stub.GetBars(pb.GetBarsRequest(symbol=symbol, limit=limit))
        return [bar.close for bar in answer.bars]

    async def stream(self, symbol: str) -> AsyncIterator[pb.Bar]:
        async for answer in self.stub.StreamBars(pb.StreamBarsRequest(symbol=symbol)):
            yield answer.bar
