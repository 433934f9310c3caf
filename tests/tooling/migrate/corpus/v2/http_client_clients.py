from mysingle.clients import BaseGrpcClient
from contextlib import asynccontextmanager


# TODO(mysingle v2): http_client_lifespan was removed; the app factory closes the channels of clients. See docs/how-to/migrate-from-v1.md#http-clients
@asynccontextmanager
async def http_client_lifespan(*args, **kwargs):
    yield


async def quotes(symbol: str) -> object:
    client = BaseGrpcClient("market-data-service", default_port=50051)
    return await client.get(f"/quotes/{symbol}")


async def whole(app) -> None:
    async with http_client_lifespan(app):
        await quotes("SPY")
