"""What Redis knows of sessions: which are revoked, and which the database has lately called alive."""

import hashlib
import hmac
import time
from collections.abc import Iterable
from typing import Any

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._values import Clock
from mysingle.database import get_redis_manager

__all__ = ["SessionMarks"]

_FRESH_SECONDS = 60
_ALIVE_TTL_SECONDS = 86_400
_MARGIN_SECONDS = 60  # a revoked mark outlives the last access token, its leeway included
_MAX_PENDING = 10_000


class SessionMarks:
    """
    The keys `revoked:{sid}` and `session:{sid}` of `REDIS_DB_SESSION`.

    A revoked mark lives as long as an access token of the session could. What says "alive" is signed, and believed
    for a minute. A mark that cannot be written is kept and written later. Nothing here raises: None means "ask the
    database".
    """

    def __init__(self, key: bytes, settings: CommonSettings, *, clock: Clock = time.time) -> None:
        self._key = key
        self._number = settings.REDIS_DB_SESSION
        self._revoked_seconds = settings.AUTH_ACCESS_TOKEN_SECONDS + _MARGIN_SECONDS
        self._clock = clock
        self._pending: dict[str, None] = {}

    async def is_revoked(self, session_id: str) -> bool | None:
        """Return what is known of a session; None when Redis is away or knows nothing fresh."""
        if session_id in self._pending:
            await self._write_pending()
            return True
        names = (_revoked(session_id), _alive(session_id))
        try:
            revoked, alive = await get_redis_manager().run(self._number, lambda redis: redis.mget(names))
        except MySingleError:
            return None
        if self._pending:
            await self._write_pending()
        if revoked is not None:
            return True
        return False if self._is_fresh(session_id, alive) else None

    async def note_alive(self, session_id: str) -> None:
        """Remember for a minute that the database has a session."""
        value = self._sign(session_id, int(self._clock()))
        try:
            await get_redis_manager().run(
                self._number, lambda redis: redis.set(_alive(session_id), value, ex=_ALIVE_TTL_SECONDS)
            )
        except MySingleError:
            return

    async def note_revoked(self, session_ids: Iterable[str]) -> None:
        """Tell every process, and services that look for it, that these sessions are over."""
        for session_id in session_ids:
            self._pending[session_id] = None
        while len(self._pending) > _MAX_PENDING:
            del self._pending[next(iter(self._pending))]  # the oldest: its "alive" is no longer fresh anywhere
        if self._pending:
            await self._write_pending()

    async def _write_pending(self) -> None:
        batch = list(self._pending)
        try:
            await get_redis_manager().run(self._number, lambda redis: self._mark(redis, batch))
        except MySingleError:
            return
        for session_id in batch:
            self._pending.pop(session_id, None)

    async def _mark(self, redis: Any, session_ids: list[str]) -> None:  # Any: the driver has one owner
        async with redis.pipeline(transaction=False) as pipeline:
            for session_id in session_ids:
                pipeline.set(_revoked(session_id), "1", ex=self._revoked_seconds)
                pipeline.unlink(_alive(session_id))
            await pipeline.execute()

    def _sign(self, session_id: str, seconds: int) -> str:
        mac = hmac.digest(self._key, f"{session_id}.{seconds}".encode(), hashlib.sha256).hex()[:32]
        return f"a1.{seconds}.{mac}"

    def _is_fresh(self, session_id: str, value: object) -> bool:
        text = value if isinstance(value, str) else ""
        parts = text.split(".")
        if len(parts) != 3 or not (parts[1].isascii() and parts[1].isdigit()) or len(parts[1]) > 12:
            return False
        seconds = int(parts[1])
        genuine = self._sign(session_id, seconds)
        is_ours = hmac.compare_digest(genuine.encode(), text.encode("utf-8", "replace"))
        return is_ours and 0 <= self._clock() - seconds + 1 <= _FRESH_SECONDS + 1


def _revoked(session_id: str) -> str:
    return f"revoked:{session_id}"


def _alive(session_id: str) -> str:
    return f"session:{session_id}"
