"""The idempotency layer: the same key and the same request run once, and get the same reply."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Protocol

from mysingle._kernel.errors import InvalidArgumentError
from mysingle._kernel.propagation import METADATA_IDEMPOTENCY_KEY, clean_id
from mysingle.grpc._around import ServerCall

__all__ = ["IdempotentReplies", "MemoryReplyStore", "ReplyStore", "UnaryHandler"]

_DIGEST = 32
_TTL_SECONDS = 24 * 3600
_MAX_REPLIES = 10_000

UnaryHandler = Callable[[ServerCall, bytes], Awaitable[bytes]]


class ReplyStore(Protocol):
    """Keeps replies; a `BaseRedisCache` with the bytes codec is one."""

    async def get(self, key: str) -> bytes | None:
        """Return what is stored."""

    async def set(self, key: str, value: bytes, ttl: int | None = None) -> bool:
        """Store for so many seconds."""


class MemoryReplyStore:
    """A store in this process: enough for one replica."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[float, bytes]] = {}

    async def get(self, key: str) -> bytes | None:
        """Return what is stored and has not expired."""
        expires, value = self._values.get(key, (0.0, b""))
        return value if asyncio.get_running_loop().time() < expires else None

    async def set(self, key: str, value: bytes, ttl: int | None = None) -> bool:
        """Store; the oldest entry makes room."""
        if len(self._values) >= _MAX_REPLIES:
            self._values.pop(next(iter(self._values)))
        self._values[key] = (asyncio.get_running_loop().time() + (ttl or _TTL_SECONDS), value)
        return True


class IdempotentReplies:
    """Wraps unary handlers; calls without an `idempotency-key` pass."""

    def __init__(self, store: ReplyStore) -> None:
        self._store = store
        self._running: dict[str, asyncio.Future[bytes]] = {}

    def wrap(self, handler: UnaryHandler) -> UnaryHandler:
        """Return the handler that runs once for each key."""

        async def once(call: ServerCall, request: bytes) -> bytes:
            given = call.metadata.get(METADATA_IDEMPOTENCY_KEY)
            if given is None:
                return await handler(call, request)
            if clean_id(str(given).encode("utf-8", "replace")) is None:
                raise InvalidArgumentError("The idempotency key is ill-formed.", reason="IDEMPOTENCY_KEY_INVALID")
            scope = f"{call.context.user_id}\n{call.method.name}\n{given}".encode()
            return await self._run(f"idempotency:{hashlib.sha256(scope).hexdigest()}", handler, call, request)

        return once

    async def _run(self, key: str, handler: UnaryHandler, call: ServerCall, request: bytes) -> bytes:
        digest = hashlib.sha256(request).digest()
        while (running := self._running.get(key)) is not None:
            await asyncio.wait({running})
            if not running.cancelled() and running.exception() is None:
                return _checked(running.result(), digest)
        running = self._running[key] = asyncio.get_running_loop().create_future()
        try:
            stored = await self._store.get(key)
            if stored is None:
                stored = digest + await handler(call, request)
                await self._store.set(key, stored, _TTL_SECONDS)
            running.set_result(stored)
        finally:
            if not running.done():
                running.cancel()
            del self._running[key]
        return _checked(stored, digest)


def _checked(stored: bytes, digest: bytes) -> bytes:
    if stored[:_DIGEST] != digest:
        raise InvalidArgumentError(
            "The idempotency key was used for another request.", reason="IDEMPOTENCY_KEY_REUSED", status=422
        )
    return stored[_DIGEST:]
