"""Single flight: callers that want the same thing at the same time share one run of the work."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["SingleFlight"]

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    waiters: int = 0


class SingleFlight(Generic[T]):
    """
    Runs work once for all callers of a key that are waiting at the same time, in one process.

    The work runs in a task of its own with the context of the first caller, so a caller that is cancelled takes
    nothing from the others; when the last one leaves, the work is cancelled. An error reaches everybody who waits
    and is forgotten. The result is one object: whoever changes it changes it for all. Event loops share nothing.
    """

    def __init__(self) -> None:
        self._flights: dict[tuple[asyncio.AbstractEventLoop, Hashable], _Flight[T]] = {}

    async def run(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Return the result of the running work for `key`, or of `work` if there is none."""
        slot = (asyncio.get_running_loop(), key)
        flight = self._flights.get(slot)
        if flight is None or flight.task.done():
            flight = self._flights[slot] = _Flight(asyncio.ensure_future(_call(work)))
            flight.task.add_done_callback(lambda _: self._forget(slot, flight))
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.task.done():
                flight.task.cancel()
                self._forget(slot, flight)

    def _forget(self, slot: tuple[asyncio.AbstractEventLoop, Hashable], flight: _Flight[T]) -> None:
        if flight.task.done() and not flight.task.cancelled():
            flight.task.exception()  # else asyncio complains when nobody is left to hear of it
        if self._flights.get(slot) is flight:
            del self._flights[slot]


async def _call(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
