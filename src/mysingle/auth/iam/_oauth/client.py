"""Calls to providers: bounded in time and size, never redirected, and JSON objects only."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import TypeAlias

import httpx

from mysingle._kernel.guard import is_safe_url
from mysingle._kernel.logging import get_logger
from mysingle._kernel.strict_json import read_object
from mysingle.auth.iam._oauth.values import provider_failed

__all__ = ["Document", "ProviderClient"]

MAX_ANSWER_BYTES = 256 * 1024
_MAX_CONNECTIONS = 20
_MAX_WORD = 64

Document: TypeAlias = dict[str, object]

log = get_logger("mysingle.oauth")


class ProviderClient:
    """
    One client for all providers.

    An address must be https, or http on the loopback interface. One whole call takes at most `timeout_seconds`, and
    an answer is at most 256 KiB; whatever else comes back is OAUTH_PROVIDER_ERROR.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def get(self, url: str, *, bearer: str | None = None) -> Document:
        """
        Return the JSON object behind an address.

        Raises:
            MySingleError: OAUTH_PROVIDER_ERROR.
        """
        return await self._call("GET", url, {"Authorization": f"Bearer {bearer}"} if bearer else {})

    async def post_form(
        self, url: str, form: Mapping[str, str], *, credentials: tuple[str, str] | None = None
    ) -> Document:
        """
        Send a form, with the client's credentials as basic authentication if given; return the JSON object.

        Raises:
            MySingleError: OAUTH_PROVIDER_ERROR.
        """
        basic = httpx.BasicAuth(*credentials) if credentials else None
        return await self._call("POST", url, {}, form=form, basic=basic)

    async def _call(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
        basic: httpx.BasicAuth | None = None,
    ) -> Document:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                status, body = await self._exchange(method, url, headers, form, basic)
            document = read_object(body)
        except (httpx.HTTPError, OSError, ValueError) as error:  # TimeoutError is an OSError
            log.warning("oauth.provider_failed", method=method, url=url, reason=type(error).__name__)
            raise provider_failed() from error
        if status != httpx.codes.OK or "error" in document:
            refused = _word(document.get("error"))
            log.warning("oauth.provider_failed", method=method, url=url, reason=refused, status=status)
            raise provider_failed("The provider refused.", details={"status": status, "error": refused})
        return document

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None,
        basic: httpx.BasicAuth | None,
    ) -> tuple[int, bytes]:
        if not is_safe_url(url):
            raise ValueError("the address is neither https nor on the loopback interface")
        client = await self._opened()
        async with client.stream(
            method, url, headers=headers, data=form, auth=basic or httpx.USE_CLIENT_DEFAULT
        ) as answer:
            if "content-encoding" in answer.headers:
                raise ValueError("the answer is encoded, which nobody asked for")
            body = b""
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    raise ValueError("the answer is too long")
            return answer.status_code, body

    async def _opened(self) -> httpx.AsyncClient:
        async with self._opening:
            if self._client is None:
                self._client = httpx.AsyncClient(
                    verify=await asyncio.to_thread(_tls_context),
                    trust_env=False,
                    timeout=self._timeout_seconds,
                    headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                    limits=httpx.Limits(max_connections=_MAX_CONNECTIONS),
                )
            return self._client


def _tls_context() -> ssl.SSLContext:
    """Read the certificates of authorities, which takes tens of milliseconds."""
    return httpx.create_ssl_context()


def _word(value: object) -> str:
    """Return an error code of RFC 6749 for the log; nothing longer, because it may be anything."""
    text = value if isinstance(value, str) else "none"
    return "".join(character for character in text[:_MAX_WORD] if character.isalnum() or character in "_-.")
