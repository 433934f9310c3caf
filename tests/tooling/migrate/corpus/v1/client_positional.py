from mysingle.clients import BaseServiceClient as Base


class MarketClient(Base):
    def __init__(self, token, request=None):
        super().__init__("market-data-service", 8001, "http://market:8001", request, token, None)
        self.set_auth_token(token)


class Plain(Base):
    pass


async def bars() -> object:
    client = Plain("market-data-service", 8001, auth_token="t")
    client.set_auth_token("t")
    try:
        return await client._request("GET", "/bars")
    finally:
        await client.close()
