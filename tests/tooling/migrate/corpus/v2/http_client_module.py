

# TODO(mysingle v2): make_service_request was removed; services call each other over gRPC: subclass mysingle.clients.BaseGrpcClient. See docs/how-to/migrate-from-v1.md#http-clients
async def make_service_request(*args, **kwargs):
    raise NotImplementedError("make_service_request was removed in mysingle 2")


async def a() -> object:
    return await make_service_request("strategy-service", "GET", "/")


async def b() -> object:
    return await make_service_request("strategy-service", "POST", "/")
