"""A breaker without a switch: the more of the latest calls failed, the more likely a call is refused."""

import random
import time

__all__ = ["Breaker"]

_BUCKETS = 40
_WINDOW_SECONDS = 10.0
_BUCKET_SECONDS = _WINDOW_SECONDS / _BUCKETS
_K = 1.5
_PROTECTION = 5
_PROBE_SECONDS = 1.0
FAILURES = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "DATA_LOSS", "UNIMPLEMENTED"})


class Breaker:
    """
    Client-side throttling over the last ten seconds.

    Source: Site Reliability Engineering, chapter 21: refuse with probability `(requests - k * accepts) / requests`.
    A call goes through at least once a second, so that the end of an outage is seen.
    """

    __slots__ = ("_accepts", "_buckets", "_index", "_last_pass", "_requests", "_turn_at")

    def __init__(self) -> None:
        self._buckets = [(0, 0)] * _BUCKETS
        self._index = 0
        self._turn_at = time.monotonic() + _BUCKET_SECONDS
        self._requests = self._accepts = 0
        self._last_pass = 0.0

    @property
    def probability(self) -> float:
        """The probability with which the next call is refused."""
        excess = self._requests - _PROTECTION - _K * self._accepts
        return max(0.0, excess / (self._requests + 1))

    def allows(self) -> bool:
        """Tell whether a call may be made."""
        now = time.monotonic()
        self._turn(now)
        probability = self.probability
        if probability <= 0:
            self._last_pass = now
            return True
        if now - self._last_pass < _PROBE_SECONDS and random.random() < probability:  # noqa: S311  # no secret
            return False
        self._last_pass = now
        return True

    def record(self, code: str) -> None:
        """Count how a call has ended."""
        now = time.monotonic()
        self._turn(now)
        accepted = code not in FAILURES
        requests, accepts = self._buckets[self._index]
        self._buckets[self._index] = (requests + 1, accepts + accepted)
        self._requests += 1
        self._accepts += accepted

    def _turn(self, now: float) -> None:
        """Forget what is older than the window."""
        if now < self._turn_at:
            return
        steps = min(_BUCKETS, int((now - self._turn_at) / _BUCKET_SECONDS) + 1)
        for _ in range(steps):
            self._index = (self._index + 1) % _BUCKETS
            requests, accepts = self._buckets[self._index]
            self._requests -= requests
            self._accepts -= accepts
            self._buckets[self._index] = (0, 0)
        self._turn_at = now + _BUCKET_SECONDS
