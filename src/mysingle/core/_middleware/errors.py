"""The errors layer: whatever goes wrong inside becomes one shape of answer, and the details stay in the log."""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from mysingle._kernel.asgi import App, Message, Receive, Scope, Send
from mysingle._kernel.context import current_context
from mysingle._kernel.errors import MySingleError, translate
from mysingle._kernel.logging import get_logger
from mysingle._kernel.problems import problem_messages, to_problem
from mysingle.core._middleware.deadlines import claim_cancellation
from mysingle.core._middleware.exchange import exchange_of

__all__ = ["ErrorsMiddleware"]

_TRY_AGAIN_LATER = 1013


class AskHandler(Protocol):
    """Asks the app's own exception handlers for an answer, which is an ASGI app; None when there is no handler."""

    def __call__(
        self, scope: Scope, receive: Receive, error: Exception, *, as_last_resort: bool
    ) -> Awaitable[App | None]:
        """Return the answer."""


log = get_logger("mysingle.core")


class ErrorsMiddleware:
    """
    Answers with a problem document (RFC 9457). A failure at start-up becomes one clear line.

    Handlers that are registered with the app come first; its handler of `Exception` comes last.
    """

    def __init__(self, app: App, *, service_name: str, ask_handler: AskHandler) -> None:
        self.app = app
        self._service_name = service_name
        self._ask_handler = ask_handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the call; translate what it raises."""
        if scope["type"] == "http":
            try:
                await self.app(scope, receive, send)
            except Exception as error:
                await self._answer(error, scope, receive, send)
            except asyncio.CancelledError as error:
                overdue = claim_cancellation(exchange_of(scope))
                if overdue is None and _is_being_cancelled():
                    raise
                await self._answer(overdue or _escaped(error), scope, receive, send)
            except SystemExit as error:
                await self._answer(_escaped(error), scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._start(scope, receive, send)
        else:
            await self._converse(scope, receive, send)

    async def _converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close a WebSocket that one of our layers refuses before it was accepted."""
        try:
            await self.app(scope, receive, send)
        except MySingleError as error:
            if exchange_of(scope).has_started:
                raise
            await send({"type": "websocket.close", "code": _TRY_AGAIN_LATER, "reason": error.reason})

    async def _start(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold back a failure's traceback until we know whether we can say it in one line."""
        failure: Message | None = None

        async def hold(message: Message) -> None:
            nonlocal failure
            if message["type"] in ("lifespan.startup.failed", "lifespan.shutdown.failed"):
                failure = message
            else:
                await send(message)

        try:
            await self.app(scope, receive, hold)
        except (Exception, SystemExit) as error:
            if failure is not None:
                await send({**failure, "message": _in_one_line(error)})
            raise

    async def _answer(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        try:
            if not exchange.has_started and await self._let_handler_answer(error, scope, receive, send):
                return
        except Exception as failure:  # of the handler itself
            error = failure
        known = translate(error)
        problem = to_problem(known or MySingleError())
        exchange.error_type = known.reason if known else type(error).__qualname__
        _log(error, known, 500 if exchange.has_started else problem.status)  # nobody else tells of it
        if exchange.is_abandoned:
            return
        if exchange.has_started:
            raise error
        if known or not await self._let_last_handler_answer(error, scope, receive, send):
            correlation_id = current_context().correlation_id
            for message in problem_messages(problem, scope["path"], correlation_id, self._service_name):
                await send(message)

    async def _let_handler_answer(
        self, error: Exception, scope: Scope, receive: Receive, send: Send, *, as_last_resort: bool = False
    ) -> bool:
        answer = await self._ask_handler(scope, receive, error, as_last_resort=as_last_resort)
        if answer is None:
            return False
        await answer(scope, receive, send)
        return True

    async def _let_last_handler_answer(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> bool:
        try:
            return await self._let_handler_answer(error, scope, receive, send, as_last_resort=True)
        except Exception as failure:
            if exchange_of(scope).has_started:
                raise
            log.error("request.failed", exc_info=failure)
            return False


def _is_being_cancelled() -> bool:
    """Tell a request that somebody cancels from one that awaited something cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _escaped(error: BaseException) -> Exception:
    """Return the failure that stands for what would leave the event loop, or look like the end of the request."""
    failure = RuntimeError(f"the route ended with {type(error).__name__}")
    failure.__cause__ = error
    return failure


def _in_one_line(error: BaseException) -> str:
    """Return what a person needs to read of a failed start or end; the trace of an unknown error goes to the log."""
    known = translate(error)
    if known is None:
        log.error("service.lifespan_failed", exc_info=error)
    return str(known) if known else f"{type(error).__name__}: {error}"


def _log(error: Exception, known: MySingleError | None, status: int) -> None:
    if known is None:
        log.error("request.failed", exc_info=error)
        return
    cause = known.__cause__ or (error if error is not known else None)
    is_deliberate = cause is None and known.retry_after_seconds is not None  # the access line says it all
    if status >= 500 and not is_deliberate:
        values = {"details": known.details, "cause": cause and repr(cause)}
        present = {key: value for key, value in values.items() if value}
        log.error("request.refused", reason=known.reason, message=known.message, **present)
