"""Requests that a browser sends with its cookies: only pages of ours may make them."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._cookies import Cookies, cookie_value
from mysingle.auth.iam._errors import IamReason, forbidden

__all__ = ["CSRF_HEADER", "CsrfCheck", "is_safe_method"]

CSRF_HEADER = "X-CSRF-Token"
_HEADER = CSRF_HEADER.lower().encode()
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_TAG_BYTES = 24


def is_safe_method(method: str) -> bool:
    """Tell whether a method changes nothing (RFC 9110, section 9.2.1)."""
    return method in _SAFE


class CsrfCheck:
    """
    Two defences, and both have to agree (ASVS 3.5.1).

    The browser says where a request comes from (`Origin`, `Sec-Fetch-Site`), and the page repeats the `csrf` cookie
    in the header `X-CSRF-Token`. The value belongs to one session, so one of another session does not fit.
    """

    def __init__(self, settings: CommonSettings, key: bytes, cookies: Cookies) -> None:
        self._key = key
        self._cookies = cookies
        base = settings.PUBLIC_BASE_URL
        own = () if base is None else (_origin(str(base)),)
        self._origins = frozenset((*own, *_origins(settings.CORS_ORIGINS)))

    def token(self, session_id: str) -> str:
        """Return the value for a session."""
        tag = hmac.digest(self._key, session_id.encode(), hashlib.sha256)[:_TAG_BYTES]
        return base64.urlsafe_b64encode(tag).decode("ascii")

    def check(self, headers: Mapping[bytes, bytes], session_id: str | None) -> None:
        """
        Let a request pass that changes something; `session_id` is None when its credentials name no session.

        Raises:
            MySingleError: CSRF_FAILED, a 403.
        """
        self.check_origin(headers)
        sent, cookie = headers.get(_HEADER, b""), cookie_value(headers, self._cookies.csrf) or ""
        expected = cookie if session_id is None else self.token(session_id)
        if not sent or not hmac.compare_digest(sent, cookie.encode()):
            raise _failed(f"The header {CSRF_HEADER} does not repeat the cookie {self._cookies.csrf}.")
        if not hmac.compare_digest(sent, expected.encode()):
            raise _failed(f"The header {CSRF_HEADER} belongs to another session.")

    def check_sign_in(self, headers: Mapping[bytes, bytes]) -> None:
        """
        Let nobody put their own session into somebody else's browser; who is no browser says no origin.

        Raises:
            MySingleError: CSRF_FAILED, a 403.
        """
        if b"origin" in headers or headers.get(b"sec-fetch-site") == b"cross-site":
            self.check_origin(headers)

    def check_origin(self, headers: Mapping[bytes, bytes]) -> None:
        """
        Let a request pass that a page of ours makes; also for a WebSocket, which can send no header of its own.

        Raises:
            MySingleError: CSRF_FAILED, a 403.
        """
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        is_listed = origin in self._origins
        if not is_listed and not _is_host(origin, headers):
            raise _failed("The request does not come from a page of this service.")
        site = headers.get(b"sec-fetch-site", b"same-origin")
        if site == b"cross-site" or (site != b"same-origin" and not is_listed):
            raise _failed("The request comes from another site.")


def _is_host(origin: str, headers: Mapping[bytes, bytes]) -> bool:
    """Compare with the address that the browser asked for; the scheme is lost behind a proxy that ends TLS."""
    host = headers.get(b"host", b"").decode("latin-1").lower()
    return bool(host) and urlsplit(origin).scheme in ("http", "https") and urlsplit(origin).netloc == host


def _origins(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(_origin(value) for value in values if value != "*")


def _origin(url: str) -> str:
    parts = urlsplit(url.lower())
    return f"{parts.scheme}://{parts.netloc}"


def _failed(message: str) -> MySingleError:
    return forbidden(IamReason.CSRF_FAILED, message)
