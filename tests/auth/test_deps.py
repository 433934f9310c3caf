from typing import Any

import pytest
from starlette.requests import HTTPConnection

from mysingle import auth
from mysingle._kernel.context import RequestContext, use_context
from mysingle._kernel.errors import MySingleError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle.auth import AuthEvidence

ID = "0" * 24
PLAIN = AuthenticatedUser(id=ID, is_verified=True)
USERS = {
    "nobody": None,
    "plain": PLAIN,
    "unverified": AuthenticatedUser(id=ID),
    "inactive": AuthenticatedUser(id=ID, is_active=False, is_verified=True, is_superuser=True),
    "superuser": AuthenticatedUser(id=ID, is_superuser=True),
}
TABLE = [
    # function, then the answer for each of the users above: "" is the user
    ("get_current_user", ["AUTH_REQUIRED", "", "", "", ""]),
    ("get_current_active_user", ["AUTH_REQUIRED", "", "", "USER_INACTIVE", ""]),
    (
        "get_current_active_verified_user",
        ["AUTH_REQUIRED", "", "EMAIL_NOT_VERIFIED", "USER_INACTIVE", "EMAIL_NOT_VERIFIED"],
    ),
    (
        "get_current_active_superuser",
        ["AUTH_REQUIRED", "SUPERUSER_REQUIRED", "SUPERUSER_REQUIRED", "USER_INACTIVE", ""],
    ),
]
ROWS = [(name, user, code) for name, codes in TABLE for user, code in zip(USERS, codes, strict=True)]


def connection(kind: str = "http", **state: Any) -> HTTPConnection:
    return HTTPConnection({"type": kind, "headers": [], "state": state})


@pytest.mark.parametrize(("name", "user", "code"), ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS])
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_family(name: str, user: str, code: str, kind: str) -> None:
    """Each function returns the caller or raises its one reason: 401 for nobody, 403 for somebody who may not."""
    request = connection(kind, user=USERS[user])
    if not code:
        assert getattr(auth, name)(request) is USERS[user]
        return
    with pytest.raises(MySingleError, match=r"\w") as caught:
        getattr(auth, name)(request)

    assert code == caught.value.reason
    assert ("UNAUTHENTICATED" if user == "nobody" else "PERMISSION_DENIED") == caught.value.code
    assert (user == "nobody") == ("WWW-Authenticate" in caught.value.headers)


def test_optional() -> None:
    """The optional one returns None for nobody, also in an app without the middleware."""
    assert auth.get_current_user_optional(connection(user=PLAIN)) is PLAIN
    assert auth.get_current_user_optional(connection(user=None)) is None
    assert auth.get_current_user_optional(connection()) is None


def test_without_middleware() -> None:
    """Without the middleware nobody is logged in: it fails closed."""
    with pytest.raises(MySingleError, match="Authentication is required"):
        auth.get_current_active_verified_user(connection())


def test_user_id() -> None:
    """The id is the caller's; nobody has none."""
    assert auth.get_user_id(connection(user=PLAIN)) == ID
    with pytest.raises(MySingleError, match="Authentication is required"):
        auth.get_user_id(connection())


def test_stub_is_enough() -> None:
    """The caller is judged by its attributes, so a test may inject a stub."""

    class Stub:
        id, is_active, is_verified, is_superuser = ID, True, True, True

    stub: Any = Stub()

    assert auth.get_current_active_verified_user(connection(user=stub)) is stub
    assert auth.get_current_active_superuser(connection(user=stub)) is stub


def test_configuration_error_lists_everything() -> None:
    """The refusal to start has one line for each problem."""
    error = auth.AuthConfigurationError(("A is missing", "B is short"))

    assert str(error) == "This service must not start like this:\n  - A is missing\n  - B is short"
    assert error.problems == ("A is missing", "B is short")


EVIDENCE = [("hmac", True), ("jwt", True), ("network", True), ("none", False), (None, False)]


@pytest.mark.parametrize(("proof", "proved"), EVIDENCE, ids=[str(row[0]) for row in EVIDENCE])
def test_kong_identity(proof: str | None, proved: bool) -> None:
    """The gateway's caller is one whom a proof vouches for; a header that is merely there proves nothing."""
    request = connection(user=PLAIN, auth=AuthEvidence("gateway", proof))

    assert proved == auth.is_kong_authenticated(request)
    assert auth.get_kong_user_id(request) == (ID if proved else None)


def test_no_kong_identity() -> None:
    """Without the middleware, or without a caller, there is none."""
    assert not auth.is_kong_authenticated(connection(user=PLAIN))
    assert auth.get_kong_user_id(connection(user=PLAIN)) is None
    assert auth.get_kong_user_id(connection(user=None, auth=AuthEvidence("gateway", "hmac"))) is None


IDS = [
    ("get_kong_request_id", [(b"x-kong-request-id", b"a-1")], "a-1"),
    ("get_kong_request_id", [(b"kong-request-id", b"a-1")], "a-1"),
    ("get_kong_request_id", [(b"x-kong-request-id", b"a b"), (b"kong-request-id", b"a-2")], "a-2"),
    ("get_kong_request_id", [], None),
    ("get_kong_correlation_id", [(b"x-correlation-id", b"c-1")], "c-1"),
    ("get_kong_correlation_id", [(b"x-correlation-id", b"c\x00")], None),
]


@pytest.mark.parametrize(("name", "headers", "expected"), IDS)
def test_kong_ids(name: str, headers: Any, expected: str | None) -> None:
    """The ids of the gateway are those of the headers, when every byte of them is harmless."""
    request = HTTPConnection({"type": "http", "headers": headers, "state": {}})

    assert expected == getattr(auth, name)(request)


def test_correlation_id_of_the_context() -> None:
    """Inside of a request the correlation id is the one of the log."""
    with use_context(RequestContext(correlation_id="c-2")):
        request = HTTPConnection({"type": "http", "headers": [(b"x-correlation-id", b"c-1")], "state": {}})
        assert auth.get_kong_correlation_id(request) == "c-2"
