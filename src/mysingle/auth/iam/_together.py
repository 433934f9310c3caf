"""One command for what several callers want of a server at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

__all__ = ["Together"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_MAX_BATCH = 64


class Together(Generic[Item, Result]):
    """
    Does the work of callers who come while earlier work is going on as one piece, in the order in which they came.

    A caller alone waits for nobody. The work begins after the call, so that nobody gets an answer of before; it runs
    outside every request, so that no caller's deadline ends the work of others.

    Args:
        work: does what is asked for; one result for each item, in order. When it raises, all of its callers hear it.
        pause: seconds to wait for company before each piece of work; 0 is not to wait.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        pause: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._work = work
        self._pause = pause
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def do(self, item: Item) -> Result:
        """Return the result of the work for one item."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        if self._runner is None or self._runner.done():
            self._runner = loop.create_task(self._run(), context=Context(), name="iam-together")
        return await future

    async def _run(self) -> None:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        try:
            while self._waiting:
                seconds = self._pause()
                if seconds > 0:
                    await asyncio.sleep(seconds)
                batch, self._waiting = self._waiting[:_MAX_BATCH], self._waiting[_MAX_BATCH:]
                await self._do(batch)
                batch = []
        finally:  # cancelled, as at the end of the loop: nobody waits for ever
            for _, future in (*batch, *self._waiting):
                future.cancel()
            self._waiting = []

    async def _do(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        wanted = [(item, future) for item, future in batch if not future.done()]  # somebody may have gone
        if not wanted:
            return
        try:
            results = await self._work([item for item, _ in wanted])
        except Exception as error:  # whatever it is, it is the callers' to judge
            for _, future in wanted:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(wanted, results, strict=True):
            if not future.done():
                future.set_result(result)
