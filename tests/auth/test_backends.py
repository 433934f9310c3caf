import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mysingle._kernel.errors import (
    InvalidArgumentError,
    MySingleError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnavailableError,
)
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.logging import flush_logs, setup_logging
from mysingle.auth import AuthEvidence
from mysingle.auth._revocation import RevokedSessions

ID = "507f1f77bcf86cd799439011"
ALICE = AuthenticatedUser(id=ID, is_verified=True, auth_method="token", session_id="s1")
KEY = "a-gateway-key-of-this-test-suite-only"
PRODUCTION: dict[str, Any] = {"ENVIRONMENT": "production"}


class Backend:
    """An IAM service's own credentials: one cookie that Alice has."""

    def __init__(self, user: AuthenticatedUser = ALICE, error: Exception | None = None) -> None:
        self.user = user
        self.error = error
        self.asked: list[dict[bytes, bytes]] = []

    async def identify(self, scope: Any, headers: Mapping[bytes, bytes]) -> AuthenticatedUser | None:
        self.asked.append(dict(headers))
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.user if headers.get(b"cookie") == b"access=alice" else None


def iam(make_service: Any, backend: Backend, **values: Any) -> Any:
    options = {"is_gateway_downstream": False, "backend": backend, "public_paths": ["/open"]}
    return make_service(options=options, **{**PRODUCTION, **values})


COOKIE = [("Cookie", "access=alice")]


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_backend(kind: str, make_service: Any) -> None:
    """The backend's answer is the caller, for the handlers and for the context."""
    answer = await iam(make_service, Backend()).call(COOKIE, kind=kind)

    assert answer.user is ALICE
    assert answer.context_user is ALICE
    assert answer.evidence == AuthEvidence("token")


ANSWERS: list[tuple[str, list[tuple[str, str]], str]] = [
    ("B01 nothing", [], "AUTH_REQUIRED"),
    ("B01 gateway headers", [("X-User-Id", ID), ("X-User-Superuser", "true")], "AUTH_REQUIRED"),
    ("two tokens", [*COOKIE, ("Authorization", "Bearer a"), ("Authorization", "Bearer b")], "TOKEN_INVALID"),
    ("cookie", COOKIE, ""),
    ("cookie beside gateway headers", [*COOKIE, ("X-User-Id", "f" * 24)], ""),
]


@pytest.mark.parametrize(("headers", "code"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
async def test_backend_answers(headers: Any, code: str, make_service: Any) -> None:
    """IAM believes its own credentials alone."""
    answer = await iam(make_service, Backend()).call(headers)

    assert code == answer.code
    assert code or answer.user is ALICE


async def test_b01_with_proof(make_service: Any, gateway: Any, clock: Any) -> None:
    """B01: gateway headers are nobody's at IAM even with a valid proof, and the backend never sees them."""
    backend = Backend()
    service = iam(make_service, backend, GATEWAY_HMAC_KEYS=KEY)
    answer = await service.call(gateway.sign({"X-User-Id": ID}))
    opened = await service.call([("X-User-Id", ID), *COOKIE], "/open")

    assert answer.code == "AUTH_REQUIRED"
    assert opened.user is ALICE
    assert set(opened.seen_headers) == {b"cookie"}
    assert all(b"x-user-id" not in headers for headers in backend.asked)


ERRORS: list[tuple[str, Exception, int, str]] = [
    ("401", UnauthenticatedError("no", reason="TOKEN_EXPIRED"), 401, "TOKEN_EXPIRED"),
    ("403", PermissionDeniedError("no", reason="USER_INACTIVE"), 403, "USER_INACTIVE"),
    ("400", InvalidArgumentError("no", reason="X"), 400, "X"),
    ("503", UnavailableError("no", reason="MONGODB_UNAVAILABLE"), 503, "MONGODB_UNAVAILABLE"),
    ("internal", MySingleError("hunter2"), 503, "AUTH_TEMPORARILY_UNAVAILABLE"),
    ("unknown", RuntimeError("hunter2"), 503, "AUTH_TEMPORARILY_UNAVAILABLE"),
    ("timeout", TimeoutError(), 503, "AUTH_TEMPORARILY_UNAVAILABLE"),
]


@pytest.mark.parametrize(("error", "status", "code"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS])
async def test_backend_fails(error: Exception, status: int, code: str, make_service: Any) -> None:
    """Whatever fails while the caller is identified, nobody gets in, and a public path stays open to nobody."""
    service = iam(make_service, Backend(error=error))
    answer = await service.call(COOKIE)
    opened = await service.call(COOKIE, "/open")

    assert (status, code) == (answer.status, answer.code)
    assert answer.scope is None
    assert "hunter2" not in str(answer.problem)
    assert (opened.status, opened.user) == (200, None)


async def test_inactive(make_service: Any) -> None:
    """An account that is not active is refused, whatever the backend thinks of it."""
    answer = await iam(make_service, Backend(AuthenticatedUser(id=ID, is_active=False))).call(COOKIE)

    assert (answer.status, answer.code) == (403, "USER_INACTIVE")


async def test_bypass_after_backend(make_service: Any) -> None:
    """With the bypass real credentials win; only a request that says nothing is the test user."""
    service = iam(make_service, Backend(), ENVIRONMENT="development", MYSINGLE_AUTH_BYPASS=True)
    real, nobody = await service.call(COOKIE), await service.call()
    headers, public = await service.call([("X-User-Id", ID)]), await service.call(path="/open")

    assert real.user is ALICE
    assert (nobody.user.auth_method, nobody.evidence) == ("bypass", AuthEvidence("bypass"))
    assert headers.code == "AUTH_REQUIRED"
    assert public.user is None


async def test_iam_without_backend(make_service: Any) -> None:
    """An IAM service without a backend knows nobody."""
    answer = await make_service(options={"is_gateway_downstream": False}, **PRODUCTION).call(COOKIE)

    assert answer.code == "AUTH_REQUIRED"


async def test_backend_is_iam_alone(make_service: Any) -> None:
    """Behind the gateway a backend is not asked."""
    backend = Backend()
    answer = await make_service(options={"backend": backend}, **PRODUCTION).call(COOKIE)

    assert answer.code == "AUTH_REQUIRED"
    assert backend.asked == []


class Ended:
    """A store of ended sessions."""

    def __init__(self, *sessions: str, error: Exception | None = None, delay_seconds: float = 0.0) -> None:
        self.sessions = set(sessions)
        self.error = error
        self.delay_seconds = delay_seconds
        self.asked = 0

    async def is_revoked(self, session_id: str) -> bool:
        self.asked += 1
        await asyncio.sleep(self.delay_seconds)
        if self.error is not None:
            raise self.error
        return session_id in self.sessions


def checked(make_service: Any, store: Ended | None, **values: Any) -> Any:
    values = {**PRODUCTION, "GATEWAY_TRUST": "network", "AUTH_REVOCATION_CHECK": "redis", **values}
    return make_service(options={"revocation": store, "public_paths": ["/open"]}, **values)


def caller(session: str | None = "s1") -> list[tuple[str, str]]:
    return [("X-User-Id", ID), *([("X-Session-Id", session)] if session else [])]


async def test_ended_session(make_service: Any) -> None:
    """B20 behind the gateway: an ended session is refused at once, and stays refused while the store is away."""
    store = Ended("s1")
    service = checked(make_service, store)
    first = await service.call(caller())
    store.error = ConnectionError("hunter2")
    second = await service.call(caller())
    opened = await service.call(caller(), "/open")

    assert (first.status, first.code, second.code) == (401, "SESSION_REVOKED", "SESSION_REVOKED")
    assert 'error="invalid_token"' in first.headers["www-authenticate"]
    assert (opened.user, opened.seen_headers) == (None, {})
    assert store.asked == 1


async def test_session_that_goes_on(make_service: Any) -> None:
    """Other sessions go on, asked about once a second; a caller without a session is not asked about."""
    store = Ended("another")
    service = checked(make_service, store)
    answers = [await service.call(caller(session)) for session in ("s1", "s1", None)]

    assert [answer.code for answer in answers] == ["", "", ""]
    assert store.asked == 1


@pytest.mark.parametrize("error", [ConnectionError("hunter2"), RuntimeError("hunter2")], ids=repr)
async def test_store_is_away(error: Exception, make_service: Any, tmp_path: Path) -> None:
    """While the store does not answer a session ends with its token, and no request waits for the store."""
    setup_logging("my-service", log_format="json", log_file=tmp_path / "lines.log")
    store = Ended(error=error)
    service = checked(make_service, store)
    answers = [await service.call(caller(f"s{number}")) for number in range(5)]
    flush_logs()
    lines = (tmp_path / "lines.log").read_text()

    assert {answer.code for answer in answers} == {""}
    assert store.asked == lines.count('"body":"auth.revocation.unavailable"') == 1
    assert "hunter2" not in lines


async def test_ended_session_of_a_token(issuer: Any, clock: Any, make_service: Any) -> None:
    """A token whose session has ended is refused, when it is new and when it is known."""
    store = Ended("s1")
    options = {"clock": clock, "revocation": store}
    service = make_service(options=options, **issuer.settings(), AUTH_REVOCATION_CHECK="redis")
    headers = [("Authorization", f"Bearer {issuer.token()}")]
    good = [("Authorization", f"Bearer {issuer.token(sid='s2')}")]
    answers = [await service.call(given) for given in (headers, headers, good, good)]

    assert [answer.code for answer in answers] == ["SESSION_REVOKED", "SESSION_REVOKED", "", ""]


async def test_check_is_off(make_service: Any) -> None:
    """Without the setting nobody asks the store; without a store the setting is told to be without effect."""
    store = Ended("s1")
    off = await checked(make_service, store, AUTH_REVOCATION_CHECK="off").call(caller())
    without = await checked(make_service, None).call(caller())

    assert (off.code, without.code, store.asked) == ("", "", 0)


async def test_slow_store() -> None:
    """A store that does not answer is given up after a second, and asked again after five."""
    now = 0.0
    store = Ended("s1", delay_seconds=5)
    revoked = RevokedSessions(store, clock=lambda: now)
    first = await revoked.is_revoked("s1")
    store.delay_seconds = 0
    resting = await revoked.is_revoked("s1")
    now = 5.0
    later = await revoked.is_revoked("s1")

    assert (first, resting, later, store.asked) == (False, False, True, 2)


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of sessions is bounded; whatever is forgotten is asked for again."""
    monkeypatch.setattr("mysingle.auth._revocation._MAX_SESSIONS", 2)
    store = Ended("s0", "s1", "s2")
    revoked = RevokedSessions(store, clock=lambda: 0.0)
    for number in range(3):
        await revoked.is_revoked(f"s{number}")

    assert [revoked.recall(f"s{number}") for number in range(3)] == [None, True, True]
    assert await revoked.is_revoked("s0")
