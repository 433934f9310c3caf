"""Time limits for many requests with one timer: a timer each would cost more than the rest of the layer."""

import asyncio
import time

from mysingle.core._middleware.exchange import Exchange

__all__ = ["Deadlines"]

SWEEP_SECONDS = 0.25


class Deadlines:
    """
    Cancels the tasks of requests whose answer has not begun in time, at most 0.25 s late.

    A cancelled exchange is marked `is_overdue`, which tells the limit from every other cancellation.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._watched: dict[Exchange, tuple[float, asyncio.Task[object]]] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self, exchange: Exchange) -> None:
        """Begin the time of a request; its task is the one that calls."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            return
        self._watched[exchange] = (time.monotonic() + self._seconds, task)
        if self._sweeper is None or self._loop is not loop:
            self._loop = loop
            self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep, loop)

    def forget(self, exchange: Exchange) -> None:
        """End the watch; the request is over."""
        self._watched.pop(exchange, None)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        for exchange, (due, task) in list(self._watched.items()):
            if exchange.has_started:
                self.forget(exchange)
            elif now >= due:
                self.forget(exchange)
                exchange.is_overdue = True
                task.cancel()
        self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep, loop) if self._watched else None
