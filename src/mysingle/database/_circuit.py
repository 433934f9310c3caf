"""A circuit breaker: after some faults in a row, skip a server for a moment, then let one caller try."""

import time
from collections.abc import Callable

__all__ = ["Circuit", "Throttle"]


class Circuit:
    """
    Counts faults of one server and says whether asking it makes sense.

    After `threshold` faults in a row `allows` is False for `pause_seconds`. Then it is True for one caller in each
    such period until a success is reported: a probe that never reports delays the next one and blocks nothing.
    """

    def __init__(
        self, threshold: int = 3, pause_seconds: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._threshold = threshold
        self._pause_seconds = pause_seconds
        self._clock = clock
        self._faults = 0
        self._resumes_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the server counts as away."""
        return self._faults >= self._threshold

    def allows(self) -> bool:
        """Tell whether to ask now. True while open makes the caller the probe: it must report what happened."""
        if self._faults < self._threshold:
            return True
        now = self._clock()
        if now < self._resumes_at:
            return False
        self._resumes_at = now + self._pause_seconds
        return True

    def succeeded(self) -> bool:
        """Report an answer; tell whether the server was away until now."""
        was_open, self._faults = self.is_open, 0
        return was_open

    def failed(self) -> None:
        """Report a fault."""
        self._faults += 1
        if self.is_open:
            self._resumes_at = self._clock() + self._pause_seconds


class Throttle:
    """Says yes at most once in `interval_seconds`, so that an outage does not flood the log."""

    def __init__(self, interval_seconds: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._next = float("-inf")
        self._suppressed = 0

    def admit(self) -> int | None:
        """Return None for "not now"; else how many were held back since the last time."""
        now = self._clock()
        if now < self._next:
            self._suppressed += 1
            return None
        self._next = now + self._interval_seconds
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed
