"""What the market data service knows, over gRPC."""

from mysingle.clients import BaseGrpcClient
from mysingle.protos.market_data.v1 import market_data_pb2 as pb
from mysingle.protos.market_data.v1 import market_data_pb2_grpc as rpc


class MarketDataClient(BaseGrpcClient):
    """Made for each request; user, correlation id and the time that is left come from the request."""

    def __init__(self) -> None:
        super().__init__("market-data-service", 50051)
        self.stub = rpc.MarketDataServiceStub(self.channel)

    async def closes(self, symbol: str, limit: int) -> list[float]:
        """Return the newest closes, oldest first."""
        answer = await self.stub.GetBars(pb.GetBarsRequest(symbol=symbol, limit=limit))
        return [bar.close for bar in answer.bars]
