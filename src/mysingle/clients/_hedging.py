"""Hedging: a second attempt of a call without side effects, when the first one takes long."""

import asyncio
from collections.abc import Callable, Generator
from typing import Any
from weakref import WeakKeyDictionary

import grpc

__all__ = ["HedgeBudget", "HedgedCall"]

_MAX_TOKENS = 100.0
_RATIO = 0.1


class HedgeBudget:
    """Tokens for second attempts, as gRPC has them for retries: each one costs one, each success gives a tenth back."""

    def __init__(self) -> None:
        self._tokens = _MAX_TOKENS

    def allows(self) -> bool:
        """Take a token; False while no more than half of them is left."""
        if self._tokens <= _MAX_TOKENS / 2:
            return False
        self._tokens -= 1
        return True

    def succeeded(self) -> None:
        """Give a tenth of a token back."""
        self._tokens = min(_MAX_TOKENS, self._tokens + _RATIO)

    @staticmethod
    def of(owner: Any) -> "HedgeBudget":
        """Return the budget of a channel."""
        budget = _budgets.get(owner)
        if budget is None:
            budget = _budgets[owner] = HedgeBudget()
        return budget


_budgets: WeakKeyDictionary[Any, HedgeBudget] = WeakKeyDictionary()


class HedgedCall:
    """One or two attempts as one call: the first answer wins, and the other attempt is cancelled."""

    def __init__(
        self, attempt: Callable[[], Any], delay: float, budget: HedgeBudget, on_hedge: Callable[[], None]
    ) -> None:
        self._attempt, self._delay, self._budget, self._on_hedge = attempt, delay, budget, on_hedge
        self._calls = [attempt()]
        self._winner: Any = None
        self._task = asyncio.get_running_loop().create_task(self._race())
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _race(self) -> Any:
        first = asyncio.ensure_future(_settled(self._calls[0]))
        await asyncio.wait({first}, timeout=self._delay)
        racing: set[asyncio.Future[Any]] = {first}
        if not first.done() and self._budget.allows():
            self._on_hedge()
            self._calls.append(self._attempt())
            racing.add(asyncio.ensure_future(_settled(self._calls[1])))
        try:
            self._winner = await _first_good(racing)
        finally:
            for call in self._calls:
                call.cancel()
            for waiting in racing:
                waiting.cancel()
        result = await self._winner
        self._budget.succeeded()
        return result

    def __await__(self) -> Generator[Any, None, Any]:
        return (yield from self._task.__await__())

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call it at the end, with this object."""
        self._task.add_done_callback(lambda _: callback(self))

    def cancel(self) -> bool:
        """Cancel every attempt."""
        return self._task.cancel()

    def cancelled(self) -> bool:
        """Tell whether it was cancelled."""
        return self._task.cancelled()

    def done(self) -> bool:
        """Tell whether it has ended."""
        return self._task.done()

    def time_remaining(self) -> float | None:
        """Return the seconds until the deadline."""
        left: float | None = self._calls[0].time_remaining()
        return left

    async def code(self) -> Any:
        """Return the status code."""
        if self._task.cancelled():
            return grpc.StatusCode.CANCELLED
        return await (await self._ended()).code()

    async def details(self) -> str:
        """Return the message."""
        return str(await (await self._ended()).details())

    async def initial_metadata(self) -> Any:
        """Return what came before the answer."""
        return await (await self._ended()).initial_metadata()

    async def trailing_metadata(self) -> Any:
        """Return what came after the answer."""
        return await (await self._ended()).trailing_metadata()

    async def _ended(self) -> Any:
        if not self._task.done():
            await asyncio.wait({self._task})
        return self._winner or self._calls[0]


async def _settled(call: Any) -> Any:
    """Wait for the end of a call, whatever it is."""
    await call.code()
    return call


async def _first_good(racing: set[asyncio.Future[Any]]) -> Any:
    """Return the first call that succeeds; when none does, the last one that failed."""
    while True:
        done, racing = await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
        for waiting in done:
            call = waiting.result()
            if await call.code() is grpc.StatusCode.OK or not racing:
                return call
