"""Callers that want the same thing at the same time share one run of the work, or one reading."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["SharedReads", "SingleFlight"]

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


class SharedReads(Generic[T]):
    """
    Reads once for all callers of a key that come while it is being read, in one process and event loop.

    The first caller reads by itself, without a task, because nearly always it is the only one. When it is cancelled,
    one of those who wait reads instead. An error reaches everybody who waits.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[asyncio.AbstractEventLoop, Hashable], list[asyncio.Future[T | None]]] = {}

    async def run(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """Return what the running reading of `key` gives, or what `read` does if there is none."""
        slot = (asyncio.get_running_loop(), key)
        while (waiting := self._waiting.get(slot)) is not None:
            place: asyncio.Future[T | None] = slot[0].create_future()
            waiting.append(place)
            result = await place
            if result is not None:
                return result
        return await self._read(slot, read)

    def forget(self, key: Hashable | None) -> None:
        """Let nobody join what is being read: it may be older than a change; None stands for all keys."""
        if key is None:
            self._waiting.clear()
        else:
            self._waiting.pop((asyncio.get_running_loop(), key), None)

    async def _read(self, slot: tuple[asyncio.AbstractEventLoop, Hashable], read: Callable[[], Awaitable[T]]) -> T:
        waiting = self._waiting[slot] = []
        result: T | None = None
        failure: Exception | None = None
        try:
            result = await read()
        except Exception as error:
            failure = error
            raise
        finally:
            if self._waiting.get(slot) is waiting:
                del self._waiting[slot]
            for place in waiting:
                _settle(place, result, failure)
        return result


def _settle(place: "asyncio.Future[T | None]", result: T | None, failure: Exception | None) -> None:
    if place.done():
        return
    if failure is None:
        place.set_result(result)
    else:
        place.set_exception(failure)


async def _call(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
