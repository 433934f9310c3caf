"""Work that runs once for each idempotency key, whoever asks for it and however often."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple, Protocol

from mysingle._kernel.errors import (
    AlreadyExistsError,
    ErrorCode,
    InvalidArgumentError,
    MySingleError,
    UnavailableError,
)
from mysingle._kernel.logging import get_logger

__all__ = ["Claim", "IdempotencyStore", "Once", "record_name"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25

log = get_logger("mysingle.idempotency")


class Claim(NamedTuple):
    """
    What a store says to a request.

    `mine`: run it, with `token`. `running`: somebody runs it. `done`: `reply` is what it came to. `lost`: whoever
    ran it died, and nobody knows how far it came. `other`: the key was used for another request.
    """

    state: Literal["mine", "running", "done", "lost", "other"]
    token: bytes = b""
    reply: bytes = b""


class IdempotencyStore(Protocol):
    """Keeps one record for each name; every method is one round trip and raises `MySingleError` on a fault."""

    lease_seconds: float

    async def claim(self, name: str, fingerprint: bytes) -> Claim:
        """Take a name for a request, or say what became of it."""

    async def renew(self, name: str, token: bytes) -> bool:
        """Say that the request still runs; tell whether the record is still this one."""

    async def finish(self, name: str, token: bytes, reply: bytes) -> bool:
        """Keep what the request came to; tell whether the record is still this one."""

    async def release(self, name: str, token: bytes) -> bool:
        """Forget the request: it had no effect and may come again."""


class Once:
    """
    Lets the first request with a key run, and gives its reply to the others.

    Others wait for the first one, for `wait_seconds` at most. When its process died, nobody knows how far it came:
    they are refused, and never run. Without its store nothing runs: doing an order twice is worse.
    """

    def __init__(self, store: IdempotencyStore, wait_seconds: float = 30.0) -> None:
        self._store = store
        self._wait_seconds = wait_seconds

    async def claim(self, name: str, fingerprint: bytes) -> Claim:
        """
        Take the key, or wait until whoever has it is done; the state is `mine` or `done`.

        Raises:
            MySingleError: IDEMPOTENCY_KEY_REUSED, _IN_PROGRESS, _OUTCOME_UNKNOWN or _UNAVAILABLE.
        """
        ends_at, pause = time.monotonic() + self._wait_seconds, _FIRST_PAUSE
        while True:
            claim = await self._ask(name, fingerprint)
            if claim.state in ("mine", "done"):
                return claim
            _refuse(claim)
            if time.monotonic() + pause > ends_at:
                raise AlreadyExistsError(
                    "The first request with this idempotency key is still running.",
                    code=ErrorCode.ABORTED,
                    reason="IDEMPOTENCY_IN_PROGRESS",
                    retry_after_seconds=1,
                )
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.5)

    @asynccontextmanager
    async def kept_alive(self, name: str, claim: Claim) -> AsyncIterator[None]:
        """Tell the store that the request still runs, for as long as it does."""
        task = asyncio.create_task(self._renew(name, claim.token))
        try:
            yield
        finally:
            task.cancel()

    async def finish(self, name: str, claim: Claim, reply: bytes) -> None:
        """Keep a reply before the caller sees it: whoever has a reply can rely on it."""
        try:
            await self._store.finish(name, claim.token, reply)
        except MySingleError as error:
            log.error("idempotency.not_kept", reason=error.reason)

    async def release(self, name: str, claim: Claim) -> None:
        """Free the key of a request that had no effect."""
        try:
            await self._store.release(name, claim.token)
        except MySingleError as error:
            log.error("idempotency.not_kept", reason=error.reason)

    async def _renew(self, name: str, token: bytes) -> None:
        while True:
            await asyncio.sleep(self._store.lease_seconds / 3)
            with contextlib.suppress(MySingleError):
                await self._store.renew(name, token)

    async def _ask(self, name: str, fingerprint: bytes) -> Claim:
        try:
            return await self._store.claim(name, fingerprint)
        except MySingleError as error:
            raise UnavailableError(
                "The request was not run: its idempotency key cannot be checked at the moment.",
                reason="IDEMPOTENCY_UNAVAILABLE",
                retry_after_seconds=1,
            ) from error


def record_name(service_name: str, user_id: str | None, key: bytes) -> str:
    """Return the name under which a store knows a user's key; keys of two users or services never meet."""
    return f"{service_name}:{user_id or 'anonymous'}:{hashlib.sha256(key).hexdigest()[:40]}"


def _refuse(claim: Claim) -> None:
    if claim.state == "other":
        raise InvalidArgumentError(
            "This idempotency key was used for another request.", reason="IDEMPOTENCY_KEY_REUSED", status=422
        )
    if claim.state == "lost":
        raise AlreadyExistsError(
            "The first request with this idempotency key was interrupted: look what became of it before you ask again "
            "with another key.",
            reason="IDEMPOTENCY_OUTCOME_UNKNOWN",
        )
