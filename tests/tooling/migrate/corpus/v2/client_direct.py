from mysingle.clients import BaseGrpcClient


async def ping(service: str) -> bool:
    async with BaseGrpcClient(service_name=service, default_port=50051) as client:
        return await client.check_health()


def make(**options) -> BaseGrpcClient:
    return BaseGrpcClient(**options)
