from typing import Any

import pytest
from starlette.requests import HTTPConnection

from mysingle import auth
from mysingle._kernel.errors import MySingleError
from mysingle._kernel.identity import AuthenticatedUser

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
