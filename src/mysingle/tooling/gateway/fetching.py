"""Fetches the keys that the IAM service publishes, once and within bounds."""

import asyncio
from urllib.parse import urlsplit

import httpx

from mysingle._kernel.guard import is_safe_url
from mysingle._kernel.jwks import MAX_DOCUMENT_BYTES, KeySetError
from mysingle.tooling.gateway.errors import GatewayKeysError
from mysingle.tooling.gateway.keys import SigningKey, signing_keys

__all__ = ["fetch_keys"]


async def fetch_keys(url: str, *, timeout_seconds: float = 10.0) -> tuple[SigningKey, ...]:
    """
    Return the keys at an address: the one that signs, the next one, and former ones.

    At most `timeout_seconds` and 256 KiB are spent on it, and a redirect is not followed.

    Raises:
        GatewayKeysError: the address is neither https nor http on the loopback, it does not answer, or what it
            answers cannot be used; the message says why, and shows no key.
    """
    try:
        return signing_keys(await _answer_of(url, timeout_seconds))
    except KeySetError as error:
        raise GatewayKeysError(_shown(url), str(error)) from error


async def _answer_of(url: str, timeout_seconds: float) -> bytes:
    try:
        if not is_safe_url(url):
            raise KeySetError("keys come from a URL of https, or of http on the loopback, that names no user")
        async with asyncio.timeout(timeout_seconds):
            return await _download(url, timeout_seconds)
    except KeySetError:
        raise
    except (TimeoutError, httpx.TimeoutException) as error:
        raise KeySetError(f"no answer within {timeout_seconds:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise KeySetError(f"the keys cannot be fetched: {str(error) or type(error).__name__}") from error


async def _download(url: str, timeout_seconds: float) -> bytes:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=timeout_seconds, verify=httpx.create_ssl_context()) as client,
        client.stream("GET", url, headers=headers) as answer,
    ):
        if answer.status_code != httpx.codes.OK or "content-encoding" in answer.headers:
            raise KeySetError(f"status {answer.status_code}, and a plain 200 is needed")
        body = b""
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > MAX_DOCUMENT_BYTES:
                break  # the reader says that it is too much
        return body


def _shown(url: str) -> str:
    """Return an address as a message may show it: without a password and without its query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the address of the keys"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
