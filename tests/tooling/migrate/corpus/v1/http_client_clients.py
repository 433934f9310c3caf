from mysingle.clients.http_client import get_service_http_client, http_client_lifespan


async def quotes(symbol: str) -> object:
    client = await get_service_http_client("market-data-service")
    return await client.get(f"/quotes/{symbol}")


async def whole(app) -> None:
    async with http_client_lifespan(app):
        await quotes("SPY")
