from mysingle.clients.base_client import BaseServiceClient


async def ping(service: str) -> bool:
    async with BaseServiceClient(service_name=service, base_url="http://localhost") as client:
        return await client.health_check()


def make(**options) -> BaseServiceClient:
    return BaseServiceClient(**options)
