from mysingle.clients import BaseGrpcClient


# TODO(mysingle v2): set self.stub, and replace these HTTP calls. See docs/how-to/migrate-from-v1.md#http-clients
#   run: POST /backtests
class HybridBacktestClient(BaseGrpcClient):
    """HTTP when gRPC is away."""

    def __init__(self, user_id=None):
        super().__init__("backtest-service", 50055, user_id=user_id)
        self.stub = None  # TODO(mysingle v2): HybridBacktestServiceStub(self.channel)

    async def run(self, spec):
        return await self._request("POST", "/backtests", json=spec)
