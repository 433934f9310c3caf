"""One call of the async side: it can be interrupted, and it ends with its request."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from duckdb import DuckDBPyConnection

from mysingle._kernel.context import current_context
from mysingle._kernel.errors import ErrorCode, MySingleError

__all__ = ["Call", "time_limit"]


class Call:
    """Work that a thread does on a cursor. Interrupting it never hits what the thread does next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cursor: DuckDBPyConnection | None = None
        self._is_interrupted = False

    def begin(self, cursor: DuckDBPyConnection) -> bool:
        """Say on which cursor it runs; return False when it was interrupted before it began."""
        with self._lock:
            self._cursor = None if self._is_interrupted else cursor
            return not self._is_interrupted

    def end(self) -> None:
        """Say that it is over."""
        with self._lock:
            self._cursor = None

    def interrupt(self) -> None:
        """Stop it now, or before it begins."""
        with self._lock:
            self._is_interrupted = True
            if self._cursor is not None:
                self._cursor.interrupt()


@asynccontextmanager
async def time_limit() -> AsyncIterator[None]:
    """
    Bound a block by the deadline of the running request.

    Raises:
        MySingleError: `BUDGET_EXHAUSTED`, the time is over.
    """
    left = current_context().seconds_left()
    try:
        async with asyncio.timeout(left) as timeout:
            if left == 0:
                raise _exhausted()
            yield
    except TimeoutError as error:
        if not timeout.expired():
            raise
        raise _exhausted() from error


def _exhausted() -> MySingleError:
    return MySingleError("No time left for the database", code=ErrorCode.DEADLINE_EXCEEDED, reason="BUDGET_EXHAUSTED")
