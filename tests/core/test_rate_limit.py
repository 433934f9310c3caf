from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, Depends

from mysingle._kernel.settings import CommonSettings, set_settings
from mysingle.core import create_fastapi_app, create_service_config
from mysingle.core.rate_limit import rate_limited
from mysingle.database import MemoryLimitStore, RateLimiter

ALICE, BOB = {"X-User-Id": "a11ce0000000000000000001"}, {"X-User-Id": "b0b000000000000000000002"}


async def read_nothing() -> None:
    pass


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of a service with a limit of two calls a minute."""
    set_settings(CommonSettings(_env_file=None, ENVIRONMENT="testing"))
    limiter = RateLimiter("2/minute", store=MemoryLimitStore())
    app = create_fastapi_app(create_service_config("limited-service", public_paths=["/open"]))

    @app.get("/items/{item}", dependencies=[Depends(rate_limited(limiter=limiter))])
    async def read(item: str) -> str:
        return item

    for prefix in ("/bars", "/trades"):
        router = APIRouter(prefix=prefix, dependencies=[Depends(rate_limited(limiter=limiter))])
        router.add_api_route("/{symbol}", read_nothing)
        app.include_router(router)

    @app.get("/open", dependencies=[Depends(rate_limited(limiter=limiter))])
    async def public() -> str:
        return "ok"

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as made:
        yield made


async def test_too_many(client: httpx.AsyncClient) -> None:
    """The third call of a user to one route is 429, whatever the ids in the path; others are not concerned."""
    answers = [await client.get(f"/items/{number}", headers=ALICE) for number in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit"].startswith('"default";r=1;')
    assert answers[2].json()["code"] == "RATE_LIMITED"
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
    assert answers[2].headers["RateLimit"].startswith('"default";r=0;')
    assert (await client.get("/items/1", headers=BOB)).status_code == 200


async def test_routers(client: httpx.AsyncClient) -> None:
    """Routes of two routers that are spelled alike have an allowance each."""
    paths = ["/bars/SPY", "/bars/SPY", "/trades/SPY", "/bars/SPY"]
    assert [(await client.get(path, headers=ALICE)).status_code for path in paths] == [200, 200, 200, 429]


async def test_public_path(client: httpx.AsyncClient) -> None:
    """Without a user the client's address is counted."""
    assert [(await client.get("/open")).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(
    ("addresses", "statuses"),
    [
        (["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"], [200, 200, 429]),
        (["2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1"], [200, 200, 200]),
        (["::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1"], [200, 200, 429]),
        (["10.0.0.1", "10.0.0.2", "10.0.0.3"], [200, 200, 200]),
    ],
)
async def test_addresses(client: httpx.AsyncClient, addresses: list[str], statuses: list[int]) -> None:
    """Whoever has a whole network of IPv6 has one allowance; headers of the caller do not make him somebody else."""
    app = client._transport.app  # type: ignore[attr-defined]  # the transport of ASGI apps
    answers = []
    for number, address in enumerate(addresses):
        headers = {"X-Forwarded-For": f"10.9.9.{number}", "X-Real-IP": f"10.8.8.{number}", "Forwarded": f"for={number}"}
        transport = httpx.ASGITransport(app, client=(address, 1000 + number))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as other:
            answers.append((await other.get("/open")).status_code)

    assert answers == statuses


def test_one_or_the_other() -> None:
    """A limiter and limits together are a mistake."""
    with pytest.raises(ValueError, match="not both"):
        rate_limited("1/minute", limiter=RateLimiter("1/minute"))
