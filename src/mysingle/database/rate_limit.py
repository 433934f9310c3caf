"""Rate limits and quotas for HTTP and gRPC alike."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mysingle._kernel.errors import MySingleError, ResourceExhaustedError
from mysingle._kernel.logging import get_logger
from mysingle.database._circuit import Throttle
from mysingle.database._rate_limit import (
    Allowance,
    Limit,
    MemoryLimitStore,
    RateLimitStore,
    RedisLimitStore,
)

__all__ = ["Allowance", "Limit", "MemoryLimitStore", "RateDecision", "RateLimitStore", "RateLimiter", "RedisLimitStore"]

_PLAIN = re.compile(r"[A-Za-z0-9._@/{}-]{1,128}")

log = get_logger("mysingle.rate_limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateDecision:
    """What the limits say to one call. `tightest` is the one to tell the caller of."""

    is_allowed: bool
    tightest: Allowance | None

    @property
    def headers(self) -> Mapping[str, str]:
        """`RateLimit` and `RateLimit-Policy`, as the IETF draft on rate limit headers has them since version 8."""
        said = self.tightest
        if said is None:
            return {}
        return {
            "RateLimit-Policy": f'"default";q={said.limit.count};w={said.limit.seconds}',
            "RateLimit": f'"default";r={said.remaining};t={_whole(said.reset_after_seconds)}',
        }

    def require(self) -> None:
        """
        Pass, or refuse the call.

        Raises:
            ResourceExhaustedError: reason `RATE_LIMITED`; 429 with `Retry-After`, in gRPC with RetryInfo.
        """
        if self.is_allowed or self.tightest is None:
            return
        raise ResourceExhaustedError(
            "Too many requests: try again later",
            reason="RATE_LIMITED",
            retry_after_seconds=self.tightest.retry_after_seconds,
            headers=dict(self.headers),
        )


class RateLimiter:
    """
    Decides whether a user may call an endpoint now: at most `rate` for each endpoint, and `quota` for all together.

    Keys are `ratelimit:{user_id}:{endpoint}` and `quota:{user_id}` in `REDIS_DB_RATE_LIMIT`. HTTP and gRPC use the
    same object, so a user has one allowance for both.

    Args:
        rate, quota: such as `100/minute`; at least one of them.
        on_error: what to do while the store is away: count in this process alone (`local`), let everything through
            (`allow`), or raise (`raise`).
        store: where calls are counted, Redis by default.
    """

    def __init__(
        self,
        rate: str | Limit | None = None,
        quota: str | Limit | None = None,
        *,
        on_error: Literal["local", "allow", "raise"] = "local",
        store: RateLimitStore | None = None,
    ) -> None:
        if rate is None and quota is None:
            raise ValueError("A RateLimiter needs a rate or a quota, such as RateLimiter('100/minute')")
        self._rate = None if rate is None else Limit.parse(rate)
        self._quota = None if quota is None else Limit.parse(quota)
        self._on_error = on_error
        self._store = store or RedisLimitStore()
        self._fallback = MemoryLimitStore()
        self._throttle = Throttle()

    async def check(self, user_id: str, endpoint: str, cost: int = 1) -> RateDecision:
        """
        Count a call and say whether it may go on; a call that may not costs nothing.

        Raises:
            MySingleError: the store is away and `on_error` is "raise".
        """
        limits = self._limits(user_id, endpoint)
        try:
            said = await self._store.take(limits, cost)
        except MySingleError as error:
            if self._on_error == "raise":
                raise
            self._report(error)
            if self._on_error == "allow":
                return RateDecision(is_allowed=True, tightest=None)
            said = await self._fallback.take(limits, cost)
        tightest = max(said, key=lambda each: (each.retry_after_seconds, -each.remaining))
        return RateDecision(is_allowed=all(each.is_allowed for each in said), tightest=tightest)

    async def require(self, user_id: str, endpoint: str, cost: int = 1) -> RateDecision:
        """
        Count a call; return the decision when it may go on.

        Raises:
            ResourceExhaustedError: it may not.
        """
        decision = await self.check(user_id, endpoint, cost)
        decision.require()
        return decision

    def _limits(self, user_id: str, endpoint: str) -> list[tuple[str, Limit]]:
        user = _part(user_id)
        limits = []
        if self._rate is not None:
            limits.append((f"ratelimit:{user}:{_part(endpoint)}", self._rate))
        if self._quota is not None:
            limits.append((f"quota:{user}", self._quota))
        return limits

    def _report(self, error: MySingleError) -> None:
        suppressed = self._throttle.admit()
        if suppressed is not None:
            log.warning("ratelimit.degraded", reason=error.reason, mode=self._on_error, suppressed=suppressed)


def _part(text: str) -> str:
    """Return text as a part of a key: what could be taken for two parts, or is long, by its hash."""
    if _PLAIN.fullmatch(text):
        return text
    return "sha256-" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _whole(seconds: float) -> int:
    return max(0, int(seconds + 0.999))
