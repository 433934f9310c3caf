"""The strategy service, over HTTP."""

from fastapi import Request

from mysingle.clients import BaseServiceClient


class StrategyServiceClient(BaseServiceClient):
    def __init__(self, request: Request):
        super().__init__("strategy-service", 8003, request=request)

    async def get(self, strategy_id: str):
        return await self._request("GET", f"/strategies/{strategy_id}")
