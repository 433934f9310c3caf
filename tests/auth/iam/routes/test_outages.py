"""B22: what still works while a server is away; nobody gets in by what a token says of itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from mysingle.core import create_fastapi_app, create_service_config
from mysingle.core._revocation import RedisRevocations
from mysingle.database import get_redis_manager
from mysingle.embedded import EmbeddedMongo, EmbeddedRedis


@pytest.fixture
def own_redis() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def own_mongo() -> Iterator[EmbeddedMongo]:
    with EmbeddedMongo() as server:
        yield server


@pytest.fixture
async def without_redis(start: Any, own_redis: EmbeddedRedis) -> AsyncIterator[Any]:
    """Give a service that has lost its Redis, and somebody who signed in before."""
    async with start(REDIS_PORT=own_redis.port, REDIS_TIMEOUT_SECONDS=0.3) as service:
        service.member_before = await service.member()
        await asyncio.to_thread(own_redis.stop)
        yield service


async def test_redis_is_away(without_redis: Any) -> None:
    """Without Redis everything goes on: reading, login, refresh, logout, and a session that ended is over."""
    service, member = without_redis, without_redis.member_before

    assert (await service.as_(member, "GET", "/users/me")).status_code == 200
    again = await service.sign_in(type(member)(member.email, member.password))
    refreshed = await service.post("/auth/refresh", {"refresh_token": again.tokens["refresh_token"]})
    assert refreshed.status_code == 200
    assert (await service.as_(member, "POST", "/auth/logout")).status_code == 204
    over = await service.as_(member, "GET", "/users/me")
    assert (over.status_code, over.json()["code"]) == (401, "SESSION_REVOKED")


async def test_limits_without_redis(without_redis: Any) -> None:
    """Without Redis guessing is slow all the same."""
    service = without_redis
    answers = [
        await service.post("/auth/login", {"email": "nobody@example.com", "password": f"wrong {number}"})
        for number in range(6)
    ]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429]


async def test_mongodb_is_away(start: Any, own_mongo: EmbeddedMongo) -> None:
    """Without MongoDB nobody gets in whom no cache knows, and every route says 503 and when to come back."""
    values = {"MONGODB_URL": own_mongo.url, "MONGODB_SERVER_SELECTION_TIMEOUT_MS": 300, "MONGODB_TIMEOUT_MS": 500}
    async with start(database="iam_outage", **values) as service:
        member = await service.member()
        await asyncio.to_thread(own_mongo.stop)
        for number in (0, 3):
            await (await get_redis_manager().client(number)).flushdb()
        service.iam.tools.cache._local.clear()
        calls = {
            "me": service.as_(member, "GET", "/users/me"),
            "login": service.login(member),
            "refresh": service.post("/auth/refresh", {"refresh_token": member.tokens["refresh_token"]}),
            "verify": service.post("/auth/verify", {"token": "A" * 43}),
            "register": service.post("/auth/register", {"email": "n@example.com", "password": "correct horse 9"}),
            "logout": service.as_(member, "POST", "/auth/logout"),
        }
        answers = {name: await call for name, call in calls.items()}
        keys = await service("GET", "/.well-known/jwks.json")
        forgot = await service.post("/auth/forgot-password", {"email": member.email})

        assert dict.fromkeys(calls, 503) == {name: answer.status_code for name, answer in answers.items()}
        assert all("retry-after" in answer.headers for answer in answers.values())
        assert [keys.status_code, forgot.status_code] == [200, 202]


async def test_revocation_reaches_other_services(start: Any, configure: Any) -> None:
    """A session that ends here is noted in Redis, where services that look for it find it at once."""
    async with start() as service:
        member = await service.member()
        sid = (await service.as_(member, "GET", "/auth/sessions")).json()["items"][0]["id"]
        revocations = RedisRevocations(service.iam.settings)
        before = await revocations.is_revoked(sid)
        await service.as_(member, "POST", "/auth/logout")

        assert (before, await revocations.is_revoked(sid)) == (False, True)


async def test_other_service_refuses_an_ended_session(start: Any, configure: Any, tmp_path: Any) -> None:
    """A service behind the gateway that looks for ended sessions refuses a token as soon as its session has ended."""
    async with start() as service:
        member, other = await service.member(), await service.member()
        keys = tmp_path / "keys.json"
        keys.write_text((await service("GET", "/.well-known/jwks.json")).text)
        settings = configure(GATEWAY_TRUST="jwt", IAM_PUBLIC_KEYS_FILE=keys, AUTH_REVOCATION_CHECK="redis")
        app = create_fastapi_app(create_service_config("orders-service"))
        app.add_api_route("/who", lambda: "somebody")
        assert settings.IAM_ISSUER == service.iam.settings.IAM_ISSUER
        async with app.router.lifespan_context(app), start.client(app) as http:
            before = [(await http.get("/who", headers=other.bearer)).status_code]
            await service.as_(member, "POST", "/auth/logout")
            ended = await http.get("/who", headers=member.bearer)
            after = [(await http.get("/who", headers=other.bearer)).status_code]

        assert before == after == [200]
        assert (ended.status_code, ended.json()["code"]) == (401, "SESSION_REVOKED")
