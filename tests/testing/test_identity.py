from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from mysingle.auth.signing import identity_headers, proof_headers, sign_identity
from mysingle.testing import ALICE, BOB, BearerToken, GatewayIdentity, as_user, make_user, running

KEY = "a-gateway-key-of-this-test-suite-only"
FULL: dict[str, Any] = {
    "email": "u@x.com",
    "is_superuser": True,
    "roles": ["user", "trader"],
    "session_id": "s1",
}


async def test_as_user(make_app: Any) -> None:
    """Under testing rules the headers alone make the caller, for a whole client or for one call."""
    async with running(make_app(), auth=as_user()) as client:
        assert (await client.get("/me")).json()["id"] == ALICE
        assert (await client.get("/me", auth=as_user(BOB))).json()["id"] == BOB
        assert (await client.get("/me", auth=None)).status_code == 401


async def test_every_field(make_app: Any) -> None:
    """What a caller is arrives as it was said."""
    async with running(make_app()) as client:
        seen = (await client.get("/me", auth=as_user(**FULL))).json()

    assert seen == {
        "id": ALICE,
        "email": "u@x.com",
        "is_superuser": True,
        "roles": ["trader", "user"],
        "session": "s1",
        "proof": "none",
    }


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"is_active": False}, "USER_INACTIVE"), ({"is_verified": False}, "EMAIL_NOT_VERIFIED")],
)
async def test_lesser_callers(make_app: Any, fields: dict[str, bool], code: str) -> None:
    """A caller can be inactive or unverified."""
    async with running(make_app()) as client:
        answer = await client.get("/me", auth=as_user(**fields))

    assert (answer.status_code, answer.json()["code"]) == (403, code)


async def test_signed(make_proven_app: Any) -> None:
    """Where the settings hold a gateway key, each request is signed for the service, and counts once."""
    app = make_proven_app(SERVICE_NAME="my-service")
    async with running(app, auth=as_user()) as client:
        answers = [await client.get("/me"), await client.get("/me"), await client.post("/me")]

    assert [(answer.status_code, answer.json()["proof"]) for answer in answers] == [(200, "hmac")] * 3


async def test_signed_for_another_service(make_proven_app: Any) -> None:
    """A signature is for the service that it names."""
    async with running(make_proven_app()) as client:
        right = await client.get("/me", auth=as_user(service_name="my-service"))
        wrong = await client.get("/me", auth=as_user(service_name="other-service"))

    assert right.status_code == 200
    assert (wrong.status_code, wrong.json()["code"]) == (401, "GATEWAY_PROOF_INVALID")


def test_signed_for_nobody(make_proven_app: Any) -> None:
    """With a key and without the name of a service there is nothing to sign."""
    make_proven_app()

    with pytest.raises(ValueError, match="service_name"):
        as_user()


async def test_explicit_key(make_proven_app: Any) -> None:
    """The gateway can be played with any key, whatever the settings say."""
    async with running(make_proven_app()) as client:
        stranger = GatewayIdentity(make_user(), service_name="my-service", key=b"x" * 32)
        answer = await client.get("/me", auth=stranger)

    assert answer.json()["code"] == "GATEWAY_PROOF_INVALID"


def test_sync_client(make_app: Any) -> None:
    """A synchronous client carries a caller in the same way."""
    make_app()
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(answer), auth=as_user(roles=["a"])) as client:
        client.get("http://service/me")
        client.get("http://service/me", auth=BearerToken("t"))

    assert (seen[0]["X-User-Id"], seen[0]["X-User-Roles"]) == (ALICE, "a")
    assert (seen[1]["Authorization"], "X-User-Id" in seen[1]) == ("Bearer t", False)


def test_published_vector() -> None:
    """The signature of the documentation comes out."""
    user = make_user("507f1f77bcf86cd799439011", **{**FULL, "is_superuser": False})
    key, nonce = b"test-gateway-key-0123456789abcdef", "ab" * 16
    headers = sign_identity(user, key=key, service_name="strategy-service", at=1795391029, nonce=nonce)
    roles_as_sent = {**identity_headers(user), "X-User-Roles": "user,trader"}
    identity = {name: value.encode() for name, value in roles_as_sent.items()}
    proof = proof_headers(identity, key=key, service_name="strategy-service", timestamp="1795391029", nonce=nonce)

    assert headers["X-User-Roles"] == "trader,user"
    assert proof["X-Gateway-Signature"] == "v1=8b769869b2887413527c03bcb04df3a70ce2ae65e59f53d3b58fef69f8fc0052"


def test_absent_fields() -> None:
    """What is not known about a caller is no header."""
    assert set(identity_headers(make_user())) == {
        "X-User-Id",
        "X-User-Verified",
        "X-User-Active",
        "X-User-Superuser",
    }


async def test_errors_are_answers(make_app: Any) -> None:
    """A handler that fails is a 500 for the client, as it is for callers."""
    async with running(make_app(), auth=as_user()) as client:
        answer = await client.get("/fails")

    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")


async def test_lifespan_runs(make_app: Any) -> None:
    """The service is ready inside the block, and has stopped behind it."""
    app: FastAPI = make_app()
    async with running(app) as client:
        inside = (await client.get("/ready")).status_code
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        behind = (await client.get("/ready")).status_code

    assert (inside, behind) == (200, 503)
