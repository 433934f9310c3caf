from mysingle.clients import BaseGrpcClient, BaseServiceClient


class HybridBacktestClient(BaseServiceClient, BaseGrpcClient):
    """HTTP when gRPC is away."""

    def __init__(self, user_id=None):
        super().__init__("backtest-service", 50055, user_id=user_id)

    async def run(self, spec):
        return await self._request("POST", "/backtests", json=spec)
