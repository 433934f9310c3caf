try:
    pass
except ImportError:
    make_service_request = None


# TODO(mysingle v2): make_service_request was removed; services call each other over gRPC: subclass mysingle.clients.BaseGrpcClient. See docs/how-to/migrate-from-v1.md#http-clients
async def make_service_request(*args, **kwargs):
    raise NotImplementedError("make_service_request was removed in mysingle 2")

CALLS = make_service_request is not None
