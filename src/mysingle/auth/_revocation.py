"""Sessions that have ended before their tokens have."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from mysingle._kernel.logging import get_logger

__all__ = ["RevocationCheck", "RevokedSessions"]

_TIMEOUT_SECONDS = 1.0
_REST_SECONDS = 5.0
_ALIVE_SECONDS = 1.0
_FOR_GOOD = float("inf")
_MAX_SESSIONS = 16_384

log = get_logger("mysingle.auth")


class RevocationCheck(Protocol):
    """Where ended sessions are noted."""

    async def is_revoked(self, session_id: str) -> bool:
        """Tell whether a session has ended before its tokens have."""


class RevokedSessions:
    """
    Which sessions have ended, remembered for a second when not and for good when so.

    When the check does not answer, a session counts as it did without the check: it ends with its token, except one
    that is known to have ended; and the check rests for 5 s, so that no request waits for it.

    Args:
        check: where ended sessions are noted.
        clock: seconds that never go back.
    """

    def __init__(self, check: RevocationCheck, clock: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._clock = clock
        self._known: dict[str, float] = {}
        self._rests_until = float("-inf")

    def recall(self, session_id: str) -> bool | None:
        """Return what is known without asking; None when nothing is."""
        until = self._known.get(session_id)
        if until is None:
            return None
        if until == _FOR_GOOD:
            return True
        return False if self._clock() < until else None

    async def is_revoked(self, session_id: str) -> bool:
        """Tell whether a session has ended."""
        known = self.recall(session_id)
        if known is not None or self._clock() < self._rests_until:
            return known or False
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                has_ended = await self._check.is_revoked(session_id)
        except Exception as error:  # whatever the store is, its failure ends nobody's session
            self._rests_until = self._clock() + _REST_SECONDS
            log.warning("auth.revocation.unavailable", error=type(error).__name__)
            return False
        self._remember(session_id, _FOR_GOOD if has_ended else self._clock() + _ALIVE_SECONDS)
        return has_ended

    def _remember(self, session_id: str, until: float) -> None:
        self._known.pop(session_id, None)
        while len(self._known) >= _MAX_SESSIONS:
            del self._known[next(iter(self._known))]
        self._known[session_id] = until
