from mysingle.core import http_client
import mysingle.core.http_client as hc


async def a() -> object:
    return await http_client.make_service_request("strategy-service", "GET", "/")


async def b() -> object:
    return await hc.make_service_request("strategy-service", "POST", "/")
