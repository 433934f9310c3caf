"""The rate limit layer: a counter behind a port decides."""

from typing import Protocol

from mysingle._kernel.errors import ResourceExhaustedError
from mysingle.grpc._around import ServerCall

__all__ = ["RateLimitLayer", "RateLimiter"]


class RateLimiter(Protocol):
    """Counts calls."""

    async def acquire(self, key: str) -> float | None:
        """Take one from the allowance of a key; return the seconds to wait when there is none left."""


class RateLimitLayer:
    """Limits each caller: the user, or the peer of a call without one."""

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter

    async def enter(self, call: ServerCall) -> None:
        """Let the call in, or say when to come back."""
        who = call.context.user_id or call.native.peer()
        wait = await self._limiter.acquire(f"{who}:{call.method.name}")
        if wait is not None:
            raise ResourceExhaustedError("Too many calls.", reason="RATE_LIMITED", retry_after_seconds=wait)
