"""What one run may still use: gas, time, and the caller's patience."""

import threading
import time

from mysingle.dsl.errors import DSLMemoryError, DSLTimeoutError
from mysingle.dsl.limits import LIMITS, ResourceLimits

__all__ = ["Budget", "CancelToken"]


class CancelToken:
    """Set from any thread to stop a run before its next operation."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Stop the run."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked for the end."""
        return self._event.is_set()


class Budget:
    """
    The gas, time and memory of one run.

    Args:
        gas: nominal nanoseconds that operations may charge beyond the static estimate; None is no limit.
        limits: the host's limits; the smaller of them and the language's holds.
        cancel: asked before every operation.
    """

    def __init__(
        self, gas: int | None = None, limits: ResourceLimits | None = None, cancel: CancelToken | None = None
    ) -> None:
        self._limits = limits or ResourceLimits()
        self._left = gas
        self._cancel = cancel
        self._deadline = time.monotonic() + self._limits.MAX_EXECUTION_TIME_SECONDS

    def check(self) -> None:
        """
        Go on, or end the run.

        Raises:
            DSLTimeoutError: cancelled, or past the deadline.
        """
        if self._cancel is not None and self._cancel.is_cancelled:
            raise DSLTimeoutError("The run was cancelled")
        if time.monotonic() > self._deadline:
            seconds = self._limits.MAX_EXECUTION_TIME_SECONDS
            raise DSLTimeoutError(f"The run took longer than {seconds} s: use fewer bars or smaller windows")

    def charge(self, nanoseconds: int) -> None:
        """
        Take gas that depends on the data, before the work is done.

        Raises:
            DSLTimeoutError: nothing is left, or the run must end anyway.
        """
        if self._left is not None:
            self._left -= nanoseconds
            if self._left < 0:
                raise DSLTimeoutError("The run needs more gas than it may use: the data has many missing values")
        self.check()

    def refuse_output(self, size: int) -> None:
        """
        Check the bytes of a result.

        Raises:
            DSLMemoryError: larger than the language or the host allows.
        """
        limit = min(LIMITS.output_bytes, self._limits.MAX_OUTPUT_SIZE_MB * 1024 * 1024)
        if size > limit:
            raise DSLMemoryError(f"The result has {size} bytes, the limit is {limit}: use fewer bars or outputs")
