import asyncio
from typing import Any

import pytest

from mysingle._kernel.context import RequestContext, current_context, use_context
from mysingle.database._flight import SingleFlight


class Work:
    """Work that waits to be let go, and counts its runs."""

    def __init__(self, error: Exception | None = None) -> None:
        self.runs = 0
        self.cancelled = 0
        self.gate = asyncio.Event()
        self._error = error

    async def __call__(self) -> int:
        self.runs += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self._error:
            raise self._error
        return self.runs


async def start(flights: SingleFlight[int], work: Work, count: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(flights.run("key", work)) for _ in range(count)]
    await asyncio.sleep(0.01)
    return tasks


async def test_shared_run() -> None:
    """A thousand callers share one run and its result."""
    flights, work = SingleFlight[int](), Work()
    tasks = await start(flights, work, 1000)
    work.gate.set()

    assert await asyncio.gather(*tasks) == [1] * 1000
    assert not flights._flights


async def test_keys_are_apart() -> None:
    """Different keys run at the same time."""
    flights: SingleFlight[str] = SingleFlight()

    async def work(name: str) -> str:
        await asyncio.sleep(0)
        return name

    names = [str(number) for number in range(10)]

    assert names == await asyncio.gather(*(flights.run(name, lambda name=name: work(name)) for name in names))


async def test_first_caller_cancelled() -> None:
    """The caller that began the work takes nothing from the others when it leaves."""
    flights, work = SingleFlight[int](), Work()
    first, *others = await start(flights, work, 5)
    first.cancel()
    await asyncio.sleep(0)
    work.gate.set()

    assert await asyncio.gather(*others) == [1] * 4
    assert first.cancelled()


async def test_all_cancelled() -> None:
    """When nobody waits any more the work ends, and the next caller begins anew."""
    flights, work = SingleFlight[int](), Work()
    tasks = await start(flights, work, 3)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    work.gate.set()

    assert await flights.run("key", work) == 2
    assert work.cancelled == 1


async def test_error_reaches_all() -> None:
    """An error reaches everybody who waits, and is forgotten."""
    flights, work = SingleFlight[int](), Work(ValueError("no"))
    tasks = await start(flights, work, 5)
    work.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert [ValueError] * 5 == [type(result) for result in results]
    with pytest.raises(ValueError, match="no"):
        await flights.run("key", work)
    assert work.runs == 2


async def test_context_of_first_caller() -> None:
    """The work runs in the context of the caller that began it."""

    async def read() -> Any:
        return current_context().correlation_id

    with use_context(RequestContext(correlation_id="abc")):
        assert await SingleFlight[Any]().run("key", read) == "abc"


def test_loops_are_apart() -> None:
    """A flight of an event loop that was closed half-way hinders no other loop."""
    flights: SingleFlight[int] = SingleFlight()

    async def abandon() -> None:
        await start(flights, Work(), 1)

    async def answer() -> int:
        async def work() -> int:
            return 7

        return await flights.run("key", work)

    asyncio.run(abandon())
    assert asyncio.run(answer()) == 7
