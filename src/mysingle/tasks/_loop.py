"""The event loop of a worker process: coroutines of tasks run on it, and resources stay open between them."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import wait
from contextlib import AsyncExitStack
from functools import wraps
from typing import Any, TypeVar

from celery.exceptions import SoftTimeLimitExceeded

from mysingle._kernel.errors import UnavailableError
from mysingle._kernel.lifecycle import Resource, ResourceStack, hold_shared_resources

__all__ = ["ResourceAwayError", "WorkerLoop", "on_loop"]

R = TypeVar("R")


class ResourceAwayError(Exception):
    """A resource that tasks need could not be opened, and may be there again later; the cause says which and why."""


class WorkerLoop:
    """
    An event loop in a thread of its own, for all coroutines of a process.

    It begins with the first coroutine and opens the resources before it. `close` closes them and ends the thread.
    Celery's soft time limit is an exception in the main thread, wherever that is just then; here it is waiting, and
    cancels the coroutine. On the loop itself the exception would often end in a callback of somebody else.
    """

    def __init__(self, resources: Sequence[Resource]) -> None:
        self._resources = resources
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._opening: asyncio.Lock | None = None
        self._stack: AsyncExitStack | None = None

    def run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """
        Run a coroutine to its end, in the context of the caller.

        Raises:
            SoftTimeLimitExceeded: its time is over; it was cancelled and has ended.
            ResourceAwayError: it has not begun, because a resource is away.
            Whatever it raises, or a resource that cannot be opened at all.
        """
        loop = self._started()
        running: list[asyncio.Task[Any]] = []
        future = asyncio.run_coroutine_threadsafe(self._within_resources(coroutine, running), loop)
        try:
            return future.result()
        except SoftTimeLimitExceeded:
            loop.call_soon_threadsafe(lambda: [task.cancel() for task in running])
            wait([future])
            raise

    def close(self) -> None:
        """Close the resources, end the thread, and close the loop; the next coroutine begins anew."""
        with self._starting:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        try:
            asyncio.run_coroutine_threadsafe(self._close_resources(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def forget(self) -> None:
        """Leave loop and resources to the process that they belong to; for a forked child."""
        self.__init__(self._resources)  # type: ignore[misc]  # nothing of the former state may stay

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._opening = asyncio.Lock()
                self._thread = threading.Thread(target=self._loop.run_forever, name="mysingle-tasks", daemon=True)
                self._thread.start()
            return self._loop

    async def _within_resources(self, coroutine: Coroutine[Any, Any, R], running: list[asyncio.Task[Any]]) -> R:
        task = asyncio.current_task()
        assert task is not None
        assert self._opening is not None
        running.append(task)
        try:
            async with self._opening:
                if self._stack is None:
                    self._stack = await self._opened()
        except UnavailableError as error:
            coroutine.close()
            raise ResourceAwayError(str(error)) from error
        except BaseException:
            coroutine.close()
            raise
        try:
            return await coroutine
        except (SystemExit, KeyboardInterrupt) as end:  # asyncio lets them end the loop, and nobody would hear of it
            raise RuntimeError(f"a task cannot end its worker: {type(end).__name__}") from end

    async def _opened(self) -> AsyncExitStack:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(hold_shared_resources())
            resources = ResourceStack(self._resources)
            await resources.open()
            stack.push_async_callback(resources.close)
            return stack.pop_all()

    async def _close_resources(self) -> None:
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.aclose()


def on_loop(loop: WorkerLoop, function: Callable[..., Coroutine[Any, Any, R]]) -> Callable[..., Any]:
    """Return a function that runs a coroutine function to its end; inside of a running loop it gives the coroutine."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        coroutine = function(*args, **kwargs)
        return coroutine if _is_on_a_loop() else loop.run(coroutine)

    return run


def _is_on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
