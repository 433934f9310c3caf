"""Where a request carries its tokens: a header, the body, or a cookie. Never the query."""

from typing import NamedTuple

from mysingle._kernel.asgi import Scope, header_map
from mysingle.auth.iam._cookies import Cookies, cookie_value

__all__ = ["Credential", "access_credential", "refresh_credential"]

REFRESH_HEADER = "X-Refresh-Token"
_REFRESH = REFRESH_HEADER.lower().encode()
_AUTHORIZATION = b"authorization"
_BEARER = b"bearer "


class Credential(NamedTuple):
    """A token as it was sent; only a cookie is sent by a browser of its own accord."""

    token: bytes
    is_cookie: bool


def access_credential(scope: Scope, cookies: Cookies) -> Credential | None:
    """
    Return the access token of a request, None when there is none; a header wins over a cookie.

    A header that is no bearer token, or is sent twice, is a token that nobody accepts.
    """
    headers = header_map(scope)
    sent = headers.get(_AUTHORIZATION)
    if sent is not None:
        is_single = sum(name == _AUTHORIZATION for name, _ in scope["headers"]) == 1
        is_bearer = sent[: len(_BEARER)].lower() == _BEARER
        return Credential(sent[len(_BEARER) :].strip(b" \t") if is_single and is_bearer else b"", is_cookie=False)
    return _from_cookie(scope, cookies.access)


def refresh_credential(scope: Scope, cookies: Cookies, in_body: str | None) -> Credential | None:
    """Return the refresh token of a request: from its body, the header `X-Refresh-Token`, or the cookie."""
    if in_body is not None:
        return Credential(in_body.encode(), is_cookie=False)
    sent = header_map(scope).get(_REFRESH)
    if sent is not None:
        return Credential(sent.strip(b" \t"), is_cookie=False)
    return _from_cookie(scope, cookies.refresh)


def _from_cookie(scope: Scope, name: str) -> Credential | None:
    value = cookie_value(header_map(scope), name)
    return None if value is None else Credential(value.encode(), is_cookie=True)
