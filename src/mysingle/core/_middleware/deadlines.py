"""Time limits for many requests with one timer: a timer each would cost more than the rest of the layer."""

import asyncio
import time
from threading import get_ident

from mysingle._kernel.errors import ErrorCode, InvalidArgumentError, MySingleError
from mysingle.core._middleware.exchange import Exchange

__all__ = ["Deadlines", "body_too_slow", "claim_cancellation"]

SWEEP_SECONDS = 0.25


class Deadlines:
    """
    Cancels the tasks of requests whose answer has not begun in time, at most 0.25 s late.

    A cancelled exchange is marked `is_overdue`; `claim_cancellation` tells it from every other cancellation.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._watched: dict[Exchange, tuple[float, asyncio.Task[object]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0

    def watch(self, exchange: Exchange) -> None:
        """Begin the time of a request; its task is the one that calls. The watch ends by itself."""
        task = self._current_task()
        if task is None:
            return
        if not self._watched and self._loop is not None:
            self._loop.call_later(SWEEP_SECONDS, self._sweep, self._loop)
        self._watched[exchange] = (time.monotonic() + self._seconds, task)

    def _current_task(self) -> "asyncio.Task[object] | None":
        """Return the running task. To ask for the running loop at every request would cost a system call each."""
        task = asyncio.current_task(self._loop) if self._thread == get_ident() else None
        if task is None and (task := asyncio.current_task()) is not None:
            self._watched.clear()  # the former loop has ended, and its timer with it
            self._loop, self._thread = task.get_loop(), get_ident()
        return task

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        for exchange, (due, task) in list(self._watched.items()):
            if exchange.has_started or exchange.is_over:
                del self._watched[exchange]
            elif now >= due:
                del self._watched[exchange]
                exchange.is_overdue = True
                task.cancel()
        if self._watched:
            loop.call_later(SWEEP_SECONDS, self._sweep, loop)


def claim_cancellation(exchange: Exchange) -> MySingleError | None:
    """Return what to answer when it was the time limit that cancelled the current task; None for any other reason."""
    task = asyncio.current_task()
    if not exchange.is_overdue or task is None or task.uncancel() > 0:
        return None
    if exchange.awaits_body:
        return body_too_slow()
    return MySingleError("No answer in time.", code=ErrorCode.DEADLINE_EXCEEDED, reason="REQUEST_TIMEOUT")


def body_too_slow() -> MySingleError:
    """Return the refusal of a body that does not arrive."""
    return InvalidArgumentError("The body did not arrive in time.", reason="BODY_TIMEOUT", status=408)
