"""Work that goes on behind an answer, so that nobody can tell from its time what there was to do."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.logging import get_logger
from mysingle.auth.iam._errors import unavailable

__all__ = ["Background"]

MAX_TASKS = 1000
_CLOSE_SECONDS = 2.0

log = get_logger("mysingle.iam")


class Background:
    """
    A bounded set of tasks. What fails is logged; at the end the tasks that are left get two seconds.

    `is_open` is true while the service lives: before, there is no database.
    """

    def __init__(self, max_tasks: int = MAX_TASKS) -> None:
        self._max_tasks = max_tasks
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_open = False

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """
        Begin some work and return at once.

        Raises:
            MySingleError: AUTH_TEMPORARILY_UNAVAILABLE, a 503, when too much of it is waiting.
        """
        if len(self._tasks) >= self._max_tasks:
            work.close()
            raise unavailable("Too much is waiting to be done.")
        task = asyncio.create_task(_guarded(work), name="iam-background")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self, timeout_seconds: float = _CLOSE_SECONDS) -> None:
        """Wait until everything that has begun is done; end what does not get done in time."""
        if not self._tasks:
            return
        _, pending = await asyncio.wait(self._tasks, timeout=timeout_seconds)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except MySingleError as error:
        log.error("iam.background_failed", reason=error.reason)
    except Exception as error:  # nobody waits for this task, so the log is the only place to say it
        log.error("iam.background_failed", exc_info=error)
