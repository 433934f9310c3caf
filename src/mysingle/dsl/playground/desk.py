"""Work for visitors: in threads, a few at once, a few more waiting, each with a deadline."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread

from mysingle._kernel.errors import UnavailableError
from mysingle.dsl.engine.budget import CancelToken
from mysingle.dsl.errors import DSLTimeoutError
from mysingle.dsl.playground.work import DEADLINE_SECONDS, Pool, with_findings

__all__ = ["Desk"]

_AT_ONCE: Final = 4
_WAITING: Final = 12
_RETRY_SECONDS: Final = 5.0
Asked = TypeVar("Asked")
Work = Callable[[Asked, Pool, CancelToken], dict[str, Any]]


class Desk:
    """
    Keeps the work of visitors off the event loop.

    Args:
        workers: processes for large runs, at least one; they start with the first such run.
        deadline_seconds: after which a piece of work is told to stop, before its next operation.
    """

    def __init__(self, workers: int, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._workers = workers
        self._deadline_seconds = deadline_seconds
        self._inside = 0
        self._open()

    def _open(self) -> None:
        self._pool = Pool(self._workers)
        self._limiter: anyio.CapacityLimiter | None = None  # it belongs to the loop that runs

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[None]:
        """End the workers with the service, which may start again."""
        self._open()
        yield
        self._pool.close()

    async def do(self, work: Work[Asked], request: Asked) -> bytes:
        """
        Do one piece of work, and return its answer as JSON.

        Raises:
            UnavailableError: too many visitors wait already.
            DSLError: what the work itself raised, with its findings.
        """
        if self._inside >= _AT_ONCE + _WAITING:
            raise UnavailableError(
                "Too many people try strategies at the moment",
                reason="PLAYGROUND_BUSY",
                retry_after_seconds=_RETRY_SECONDS,
            )
        self._limiter = self._limiter or anyio.CapacityLimiter(_AT_ONCE)
        self._inside += 1
        try:
            async with self._limiter:
                return await self._in_thread(work, request)
        finally:
            self._inside -= 1

    async def _in_thread(self, work: Work[Asked], request: Asked) -> bytes:
        cancel = CancelToken()
        timer = asyncio.get_running_loop().call_later(self._deadline_seconds, cancel.cancel)

        def ask() -> dict[str, Any]:
            try:
                return work(request, self._pool, cancel)
            except DSLTimeoutError as error:
                if not cancel.is_cancelled:
                    raise
                raise DSLTimeoutError(
                    f"It took longer than {self._deadline_seconds:g} s: use fewer bars or fewer combinations"
                ) from error

        def compute() -> bytes:
            found = with_findings(ask)
            return json.dumps(found, allow_nan=False, ensure_ascii=False).encode("utf-8", "replace")

        try:
            return await anyio.to_thread.run_sync(compute)
        finally:
            timer.cancel()
