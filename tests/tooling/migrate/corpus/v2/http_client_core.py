from mysingle.core import create_service_config
from mysingle.clients import (
    BaseGrpcClient,  # the quick way
)


# TODO(mysingle v2): HttpClientConfig was removed; timeouts and retries are options of BaseGrpcClient. See docs/how-to/migrate-from-v1.md#http-clients
class HttpClientConfig:
    def __init__(self, *args, **kwargs):
        pass

    def __getattr__(self, name):
        raise NotImplementedError("HttpClientConfig was removed in mysingle 2")


# TODO(mysingle v2): ServiceHttpClientManager was removed; channels of BaseGrpcClient are pooled by themselves. See docs/how-to/migrate-from-v1.md#http-clients
class ServiceHttpClientManager:
    def __init__(self, *args, **kwargs):
        pass

    def __getattr__(self, name):
        raise NotImplementedError("ServiceHttpClientManager was removed in mysingle 2")


# TODO(mysingle v2): make_service_request was removed; services call each other over gRPC: subclass mysingle.clients.BaseGrpcClient. See docs/how-to/migrate-from-v1.md#http-clients
async def make_service_request(*args, **kwargs):
    raise NotImplementedError("make_service_request was removed in mysingle 2")

MANAGER = ServiceHttpClientManager()
CONFIG = HttpClientConfig(timeout=5, retries=2)
config = create_service_config(service_name="corpus-service")


async def strategies() -> object:
    return await make_service_request("strategy-service", "GET", "/strategies")


async def bars(client: BaseGrpcClient) -> object:
    return await client.get("/bars")


async def both() -> None:
    async with BaseGrpcClient("market-data-service", default_port=50051) as client:
        await client.post("/bars", json={})
