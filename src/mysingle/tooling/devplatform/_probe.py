"""Whether a service of this machine is ready."""

import asyncio
import json
from contextlib import suppress
from typing import NamedTuple

from mysingle.tooling.devplatform._ports import HOST

__all__ = ["Readiness", "ask_ready", "listens"]

_SECONDS = 2.0
_MAX_BYTES = 64 * 1024


class Readiness(NamedTuple):
    """Whether it is ready; and if it is not, what it says, as far as it says anything."""

    is_ready: bool
    reason: str


async def ask_ready(port: int) -> Readiness:
    """Ask `/ready`, for at most two seconds."""
    with suppress(OSError, TimeoutError, ValueError):
        async with asyncio.timeout(_SECONDS):
            answer = await _get(port)
        head, _, body = answer.partition(b"\r\n\r\n")
        return Readiness(head.startswith(b"HTTP/1.1 200 "), _reason(body))
    return Readiness(False, "it does not answer")


async def listens(port: int) -> bool:
    """Tell whether anything listens on a port."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(HOST, port)
        writer.close()
        return True
    return False


async def _get(port: int) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return await reader.read(_MAX_BYTES)
    finally:
        writer.close()


def _reason(body: bytes) -> str:
    """Return what `/ready` says, short and on one line."""
    with suppress(ValueError):
        return json.dumps(json.loads(body))[:300]
    return "it does not say why"
