"""Time limits for many requests with one timer: a timer each would cost more than the rest of the layer."""

import asyncio
import time
from threading import get_ident
from typing import NamedTuple

from mysingle._kernel.asgi import Scope, Send
from mysingle._kernel.context import RequestContext, current_context, use_context
from mysingle._kernel.errors import ErrorCode, InvalidArgumentError, MySingleError
from mysingle._kernel.logging import get_logger
from mysingle._kernel.problems import problem_messages, to_problem
from mysingle.core._middleware.exchange import Exchange, exchange_of
from mysingle.core._middleware.worker_threads import waits_for_thread

__all__ = ["Deadlines", "body_too_slow", "claim_cancellation", "client_left"]

SWEEP_SECONDS = 0.25
PATIENCE_SECONDS = 1.0
_MAX_LOGGED_PATH = 256
_READING = frozenset({"GET", "HEAD", "OPTIONS"})

log = get_logger("mysingle.core")


class _Watched(NamedTuple):
    due: float
    task: "asyncio.Task[object]"
    context: RequestContext
    scope: Scope
    send: Send


class Deadlines:
    """
    Ends requests whose answer has not begun in time, at most 0.25 s late.

    Their tasks are cancelled; the exchange is marked `is_overdue`, and `claim_cancellation` tells this cancellation
    from every other one. A task that goes on for a second all the same, and one whose sync function still runs in a
    thread, is left alone: its client is answered here, and whatever the task sends later is dropped.
    """

    def __init__(self, seconds: float, service_name: str) -> None:
        self._seconds = seconds
        self._service_name = service_name
        self._watched: dict[Exchange, _Watched] = {}
        self._answers: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._is_sweeping = False

    def watch(self, exchange: Exchange, scope: Scope, send: Send) -> None:
        """
        Begin the time of a request; its task is the one that calls.

        The watch ends with the exchange, at once: what a request leaves behind would otherwise live until the sweep.
        """
        task = self._current_task()
        if task is None:
            return
        if not self._is_sweeping and self._loop is not None:
            self._is_sweeping = True
            self._loop.call_later(SWEEP_SECONDS, self._sweep, self._loop)
        exchange.watched_in = self._watched
        self._watched[exchange] = _Watched(time.monotonic() + self._seconds, task, current_context(), scope, send)

    def _current_task(self) -> "asyncio.Task[object] | None":
        """Return the running task. To ask for the running loop at every request would cost a system call each."""
        task = asyncio.current_task(self._loop) if self._thread == get_ident() else None
        if task is None and (task := asyncio.current_task()) is not None:
            self._watched.clear()  # the former loop has ended, and its timer with it
            self._is_sweeping = False
            self._loop, self._thread = task.get_loop(), get_ident()
        return task

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        for exchange, watched in list(self._watched.items()):
            if exchange.has_started or exchange.is_over:
                del self._watched[exchange]
            elif now >= watched.due:
                self._end(exchange, watched, now)
        if loop is self._loop:
            self._is_sweeping = bool(self._watched)
            if self._is_sweeping:
                loop.call_later(SWEEP_SECONDS, self._sweep, loop)

    def _end(self, exchange: Exchange, watched: _Watched, now: float) -> None:
        if exchange.is_overdue or waits_for_thread(watched.task):
            del self._watched[exchange]
            self._answer_for(exchange, watched)
        else:
            exchange.is_overdue = True
            self._watched[exchange] = watched._replace(due=now + PATIENCE_SECONDS)
            watched.task.cancel()

    def _answer_for(self, exchange: Exchange, watched: _Watched) -> None:
        task = watched.task.get_loop().create_task(self._answer(exchange, watched))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, exchange: Exchange, watched: _Watched) -> None:
        if exchange.has_started:
            return
        error, path = _too_late(), watched.scope["path"]
        exchange.error_type = error.reason
        with use_context(watched.context):
            log.warning("request.abandoned", path=path[:_MAX_LOGGED_PATH], limit_s=self._seconds)
        problem, correlation_id = to_problem(error), watched.context.correlation_id
        for message in problem_messages(problem, path, correlation_id, self._service_name):
            await watched.send(message)
        exchange.is_abandoned = True


def client_left(scope: Scope) -> None:
    """
    Cancel a request that only reads, and whose client has left before the answer began, with all that it waits for.

    A request that changes something goes on to its end: half of its work might be done. So does a sync function.
    """
    exchange = exchange_of(scope)
    watched: _Watched | None = (exchange.watched_in or {}).get(exchange)
    is_pointless = scope.get("method") in _READING and not exchange.has_started and not exchange.is_overdue
    if watched is not None and is_pointless and not waits_for_thread(watched.task):
        exchange.is_deserted = True
        watched.task.cancel()


def claim_cancellation(exchange: Exchange) -> MySingleError | None:
    """Return what to answer when time limit or client has cancelled the current task; None for any other reason."""
    task = asyncio.current_task()
    if not (exchange.is_overdue or exchange.is_deserted) or task is None or task.uncancel() > 0:
        return None
    if exchange.is_deserted:
        return MySingleError("The client has left.", code=ErrorCode.CANCELLED)
    if exchange.awaits_body:
        return body_too_slow()
    return _too_late()


def body_too_slow() -> MySingleError:
    """Return the refusal of a body that does not arrive."""
    return InvalidArgumentError("The body did not arrive in time.", reason="BODY_TIMEOUT", status=408)


def _too_late() -> MySingleError:
    return MySingleError("No answer in time.", code=ErrorCode.DEADLINE_EXCEEDED, reason="REQUEST_TIMEOUT")
