"""The rate limit layer: a limiter behind a port decides."""

from typing import Protocol
from urllib.parse import unquote

from mysingle._kernel.addresses import site_of
from mysingle.grpc._around import ServerCall

__all__ = ["RateLimitLayer", "RateLimiter"]


class RateLimiter(Protocol):
    """Counts calls; `mysingle.database.RateLimiter` is one, and may be the one that the routes use."""

    async def require(self, user_id: str, endpoint: str) -> object:
        """Count a call of a user; raise ResourceExhaustedError with the time to wait when it may not go on."""


class RateLimitLayer:
    """Limits each caller: the user, or the address of a call without one."""

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter

    async def enter(self, call: ServerCall) -> None:
        """Let the call in, or say when to come back."""
        await self._limiter.require(call.context.user_id or _address(call.native.peer()), call.method.name)


def _address(peer: str) -> str:
    """Return a peer without its port, named as over HTTP: another connection is the same caller, and so is its site."""
    kind, _, rest = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return peer
    return f"ip-{site_of(rest.rpartition(':')[0].strip('[]'))}"
