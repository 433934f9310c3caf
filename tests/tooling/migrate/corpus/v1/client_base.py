"""The client of the strategy service."""

from typing import Any

from fastapi import Request

from mysingle.clients import BaseServiceClient


class StrategyServiceClient(BaseServiceClient):
    """Talks to the strategy service."""

    def __init__(self, request: Request | None = None, auth_token: str | None = None):
        super().__init__(
            service_name="strategy-service",
            default_port=8003,
            base_url=None,
            request=request,
            auth_token=auth_token,
        )

    async def get_strategy(self, strategy_id: str) -> dict[str, Any]:
        return await self._request("GET", f"/strategies/{strategy_id}")

    async def create(self, data: dict[str, Any]) -> dict[str, Any]:
        # the answer has the id
        return await self._request(method="POST", path="/strategies", json=data)

    async def is_up(self) -> bool:
        return await self.health_check()
