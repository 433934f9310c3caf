"""The client of the strategy service."""

from typing import Any

from fastapi import Request

from mysingle.clients import BaseGrpcClient


# TODO(mysingle v2): set self.stub, and replace these HTTP calls. See docs/how-to/migrate-from-v1.md#http-clients
#   get_strategy: GET /strategies/{strategy_id}
#   create: POST /strategies
class StrategyServiceClient(BaseGrpcClient):
    """Talks to the strategy service."""

    def __init__(self, request: Request | None = None, auth_token: str | None = None):
        super().__init__(
            service_name="strategy-service",
            default_port=8003,
            request=request,
        )
        self.stub = None  # TODO(mysingle v2): StrategyServiceStub(self.channel)

    async def get_strategy(self, strategy_id: str) -> dict[str, Any]:
        return await self._request("GET", f"/strategies/{strategy_id}")

    async def create(self, data: dict[str, Any]) -> dict[str, Any]:
        # the answer has the id
        return await self._request(method="POST", path="/strategies", json=data)

    async def is_up(self) -> bool:
        return await self.check_health()
