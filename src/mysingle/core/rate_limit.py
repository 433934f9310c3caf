"""Rate limits of routes, as a FastAPI dependency."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from mysingle._kernel.addresses import site_of
from mysingle.core._middleware.observe import route_template
from mysingle.database import Limit, RateLimiter

__all__ = ["rate_limited"]


def rate_limited(
    rate: str | Limit | None = None, *, quota: str | Limit | None = None, limiter: RateLimiter | None = None
) -> Callable[[Request, Response], Awaitable[None]]:
    """
    Return a dependency that lets a caller through so often: `dependencies=[Depends(rate_limited("100/minute"))]`.

    The caller is the user of the request, and for public paths the address of the client, of IPv6 its network. A call
    too many is 429 `RATE_LIMITED` with `Retry-After`. The `RateLimit` headers stand in refusals and in answers that
    FastAPI makes of what the route returns; a `Response` that the route makes itself goes out as it is.

    Args:
        rate: for each user and route. quota: for each user and all routes together.
        limiter: your own, such as the one that the gRPC server uses; then neither of the others.
    """
    if limiter is not None and (rate or quota):
        raise ValueError("rate_limited takes a limiter, or a rate and a quota, not both")
    chosen = limiter or RateLimiter(rate, quota)

    async def check(request: Request, response: Response) -> None:
        decision = await chosen.require(_caller(request), _endpoint(request))
        response.headers.update(decision.headers)

    return check


def _caller(request: Request) -> str:
    user = getattr(request.state, "user", None)
    if user is not None:
        return str(user.id)
    return f"ip-{site_of(request.client.host)}" if request.client else "ip-unknown"


def _endpoint(request: Request) -> str:
    """Return the route's template, never its path: ids in paths would give each its own allowance."""
    return request.method + route_template(request.scope)
