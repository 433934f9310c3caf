from mysingle.core import create_service_config
from mysingle.core.http_client import (
    HttpClientConfig,
    ServiceHttpClient,
    ServiceHttpClientManager,
    create_service_http_client,
    http_client_lifespan,
    make_service_request,  # the quick way
)

MANAGER = ServiceHttpClientManager()
CONFIG = HttpClientConfig(timeout=5, retries=2)
config = create_service_config(service_name="corpus-service", lifespan=http_client_lifespan)


async def strategies() -> object:
    return await make_service_request("strategy-service", "GET", "/strategies")


async def bars(client: ServiceHttpClient) -> object:
    return await client.get("/bars")


async def both() -> None:
    async with create_service_http_client("market-data-service") as client:
        await client.post("/bars", json={})
