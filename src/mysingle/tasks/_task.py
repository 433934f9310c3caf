"""A task: it takes the context of its sender along, and says in the log how it went."""

import asyncio
import time
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar

from celery import Task
from celery.exceptions import Ignore, Reject, Retry
from celery.result import AsyncResult

from mysingle._kernel.context import RequestContext, current_context, use_context
from mysingle._kernel.errors import UnavailableError
from mysingle._kernel.logging import get_logger
from mysingle.tasks._loop import ResourceAwayError

__all__ = ["BackgroundTask", "ContextTask", "broker_unavailable", "sending_context"]

_SENDING_SECONDS = 3.0
_AWAY_SECONDS = 1.0  # between two tries of a task whose resource is away

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

log = get_logger("mysingle.tasks")


class BackgroundTask(Protocol[P, R_co]):
    """
    What `@app.task` makes of a function: a task of Celery with types.

    Called directly it runs here and now, which is what a test wants; an `async` one gives its coroutine there.
    """

    name: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Run it here and now, without a worker."""
        ...

    async def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """
        Send it to a worker, and return the id of the task.

        Raises:
            UnavailableError: the broker does not answer; the task may or may not have been sent.
            InvalidArgumentError: the arguments are not JSON.
        """
        ...

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult:
        """Send it as Celery does; it waits for the broker, so use `enqueue` on an event loop."""
        ...

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> AsyncResult:
        """Send it with Celery's options, such as `countdown=10`; waits for the broker, as `delay` does."""
        ...


class ContextTask(Task):  # type: ignore[misc]  # Celery brings no types
    """The class of all tasks of a `TaskApp`."""

    abstract = True
    Request = "mysingle.tasks._request:SealedRequest"

    @classmethod
    def bind(cls, app: Any) -> Any:
        """Join the task and its app, with a stack of requests that follows a coroutine to the loop's thread."""
        bound = super().bind(app)
        cls.request_stack = RequestStack()
        return bound

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run inside of the sender's context, when a worker calls."""
        if self.request.called_directly:
            with use_context(sending_context(self.app.current_worker_task)):
                return super().__call__(*args, **kwargs)
        if self.request.is_eager:
            return self.run(*args, **kwargs)
        self.request.sender = self.app.context_of(self)
        with use_context(self.request.sender):
            try:
                return _logged(self, lambda: self.run(*args, **kwargs))
            except ResourceAwayError as error:
                time.sleep(_AWAY_SECONDS)
                raise Reject(str(error), requeue=True) from error

    async def enqueue(self, *args: Any, **kwargs: Any) -> str:
        """Send the task from an event loop without blocking it; see `BackgroundTask`."""
        try:
            async with asyncio.timeout(_SENDING_SECONDS):
                run = partial(copy_context().run, self.apply_async, args, kwargs)
                result = await asyncio.get_running_loop().run_in_executor(self.app.senders, run)
        except TimeoutError as error:
            raise broker_unavailable(self.name) from error
        return str(result.id)


def sending_context(task: Any) -> RequestContext:
    """
    Return the context of now; between a task and what follows it that is the context of this task.

    Args:
        task: what the worker is doing; None outside of one.
    """
    context = current_context()
    sender = getattr(task.request, "sender", None) if task is not None else None
    return sender if context == RequestContext() and isinstance(sender, RequestContext) else context


def broker_unavailable(task_name: str) -> UnavailableError:
    """Return the error of a task that could not be sent."""
    return UnavailableError(
        f"The task {task_name} could not be sent: its broker does not answer",
        reason="TASK_BROKER_UNAVAILABLE",
        retry_after_seconds=1,
    )


class RequestStack:
    """What a task is doing, per context: Celery's own stack is per thread, and a coroutine runs in another one."""

    def __init__(self) -> None:
        self._requests: ContextVar[tuple[Any, ...]] = ContextVar("mysingle.tasks.requests", default=())

    def push(self, request: Any) -> None:
        """Begin with a request."""
        self._requests.set((*self._requests.get(), request))

    def pop(self) -> Any:
        """End the last one, and return it; None when there is none."""
        *rest, last = self._requests.get() or (None,)
        self._requests.set(tuple(rest))
        return last

    @property
    def top(self) -> Any:
        """The last one; None when there is none."""
        return next(reversed(self._requests.get()), None)

    @property
    def stack(self) -> list[Any]:
        """All of them, the last one at the end."""
        return list(self._requests.get())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._requests.get())


def _logged(task: Any, run: Callable[[], Any]) -> Any:
    """Run a task, and write one record of how it went; values of arguments and results are in none."""
    began = time.perf_counter()
    about = {"task.name": task.name, "task.id": task.request.id, "task.attempt": task.request.retries + 1}
    try:
        result = run()
    except (Ignore, Reject):
        raise
    except ResourceAwayError as error:
        log.warning("task.postponed", **about, **_seconds(began), reason=str(error))
        raise
    except Retry as retry:
        cause = type(retry.exc).__name__ if retry.exc else None
        log.warning("task.retried", **about, **_seconds(began), **({"error.type": cause} if cause else {}))
        raise
    except Exception as error:
        log.error("task.failed", **about, **_seconds(began), exc_info=error)
        raise
    log.info("task.succeeded", **about, **_seconds(began))
    return result


def _seconds(began: float) -> dict[str, float]:
    return {"duration_s": round(time.perf_counter() - began, 6)}
