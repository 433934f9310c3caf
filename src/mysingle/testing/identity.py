"""Being somebody in a test: requests that carry a caller as the gateway would send it."""

from collections.abc import Generator, Iterable

import httpx

from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.settings import get_settings
from mysingle.auth.signing import identity_headers, sign_identity

__all__ = ["ALICE", "BOB", "BearerToken", "GatewayIdentity", "as_user", "make_user"]

ALICE = "a11ce0000000000000000001"
BOB = "b0b000000000000000000002"


def make_user(
    user_id: str = ALICE,
    *,
    email: str | None = None,
    is_active: bool = True,
    is_verified: bool = True,
    is_superuser: bool = False,
    roles: Iterable[str] = (),
    session_id: str | None = None,
) -> AuthenticatedUser:
    """Return a caller: active and verified, without rights beyond that, unless said otherwise."""
    return AuthenticatedUser(
        id=user_id,
        email=email,
        is_active=is_active,
        is_verified=is_verified,
        is_superuser=is_superuser,
        roles=frozenset(roles),
        session_id=session_id,
    )


class GatewayIdentity(httpx.Auth):
    """
    Makes every request of an httpx client, sync or async, one that the gateway has let through for a user.

    With a key each request gets a fresh signature of its own; without one the headers stand alone, which services
    believe in development and testing only, and only when no proof is configured.
    """

    def __init__(self, user: AuthenticatedUser, *, service_name: str = "", key: bytes | None = None) -> None:
        self._user = user
        self._service_name = service_name
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the headers of the caller, and the proof."""
        request.headers.update(self._headers(request.method))
        yield request

    def _headers(self, method: str) -> dict[str, str]:
        if self._key is None:
            return identity_headers(self._user)
        return sign_identity(self._user, key=self._key, service_name=self._service_name, method=method)


class BearerToken(httpx.Auth):
    """Puts a token into every request of an httpx client, sync or async, as `Authorization: Bearer`."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def as_user(
    user: AuthenticatedUser | str = ALICE,
    *,
    service_name: str | None = None,
    email: str | None = None,
    is_active: bool = True,
    is_verified: bool = True,
    is_superuser: bool = False,
    roles: Iterable[str] = (),
    session_id: str | None = None,
) -> GatewayIdentity:
    """
    Return what to pass to an httpx client as `auth=`, for the whole client or for one call.

    `client.get("/items", auth=as_user(roles=["trader"]))`. When the settings hold `GATEWAY_HMAC_KEYS`, requests are
    signed with the first of them.

    Args:
        user: a ready caller, or an id from which one is made with the fields that follow.
        service_name: the service that is called; needed with keys only, and `SERVICE_NAME` of the settings without it.

    Raises:
        ValueError: there are keys, and nobody says which service the signature is for.
    """
    if isinstance(user, str):
        user = make_user(
            user,
            email=email,
            is_active=is_active,
            is_verified=is_verified,
            is_superuser=is_superuser,
            roles=roles,
            session_id=session_id,
        )
    settings = get_settings()
    if not settings.GATEWAY_HMAC_KEYS:
        return GatewayIdentity(user)
    service_name = service_name or settings.SERVICE_NAME
    if not service_name:
        raise ValueError("GATEWAY_HMAC_KEYS is set, so as_user needs service_name=…: the signature is for one service")
    return GatewayIdentity(
        user, service_name=service_name, key=settings.GATEWAY_HMAC_KEYS[0].get_secret_value().encode()
    )
