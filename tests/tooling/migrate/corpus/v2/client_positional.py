from mysingle.clients import BaseGrpcClient as Base


# TODO(mysingle v2): set self.stub. See docs/how-to/migrate-from-v1.md#http-clients
class MarketClient(Base):
    def __init__(self, token, request=None):
        super().__init__("market-data-service", 8001, request=request)
        self.stub = None  # TODO(mysingle v2): MarketServiceStub(self.channel)


# TODO(mysingle v2): set self.stub. See docs/how-to/migrate-from-v1.md#http-clients
class Plain(Base):
    pass


async def bars() -> object:
    client = Plain("market-data-service", 8001)
    try:
        return await client._request("GET", "/bars")
    finally:
        await client.close()
