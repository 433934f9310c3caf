"""The errors layer: whatever goes wrong inside becomes one shape of status, and the details stay in the log."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from mysingle._kernel.errors import ErrorCode, MySingleError, translate
from mysingle._kernel.logging import get_logger
from mysingle.grpc._around import ServerCall
from mysingle.grpc._status import error_of_call, to_status

__all__ = ["ErrorsLayer", "Running", "StoppedError", "answer_stopped"]

log = get_logger("mysingle.grpc")

_CODE_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}
_SERVER_FAULTS = frozenset({ErrorCode.INTERNAL, ErrorCode.UNKNOWN, ErrorCode.DATA_LOSS, ErrorCode.UNAVAILABLE})


Running = dict["asyncio.Task[Any]", ServerCall]


class StoppedError(MySingleError):
    """The server stops, and the call had begun: the code is not one that anybody tries again by themselves."""

    default_code = ErrorCode.CANCELLED


class ErrorsLayer:
    """Translates what a handler raises; tells a deadline, a client that went away and a stopping server apart."""

    def __init__(self, service_name: str, is_stopping: Callable[[], bool], running: Running) -> None:
        self._service_name = service_name
        self._is_stopping, self._running = is_stopping, running

    def enter(self, call: ServerCall) -> None:
        """Let the server know the task, so that a stop can end the call with an answer."""
        task = asyncio.current_task()
        assert task is not None
        self._running[task] = call

    def leave(self, call: ServerCall, error: BaseException | None) -> Awaitable[None] | None:
        """Note how the call ended, and answer when it was an error."""
        if error is not None:
            return self._leave_with(call, error)
        self._forget()
        status = call.native.code()
        if status:  # the handler set one
            call.code = call.reason = code_name(status)
        return None

    async def _leave_with(self, call: ServerCall, error: BaseException) -> None:
        try:
            if isinstance(error, grpc.aio.AbortError):
                call.code = call.reason = code_name(call.native.code())
            elif isinstance(error, asyncio.CancelledError) and _was_cancelled(call):
                await self._cancelled(call)
            else:
                await self._fail(call, error)
        finally:
            self._forget()

    def _forget(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.pop(task, None)

    async def _cancelled(self, call: ServerCall) -> None:
        self._note_cancellation(call)
        if call.reason == "SERVER_STOPPED":
            await answer_stopped(call, self._service_name)

    def _note_cancellation(self, call: ServerCall) -> None:
        left = call.native.time_remaining()
        if left is not None and left <= 0:
            call.code = call.reason = ErrorCode.DEADLINE_EXCEEDED.value
        else:
            is_stopping = self._is_stopping() and not call.native.cancelled()
            call.code, call.reason = "CANCELLED", "SERVER_STOPPED" if is_stopping else "CANCELLED"

    async def _fail(self, call: ServerCall, error: BaseException) -> None:
        known = error_of_call(error) if isinstance(error, grpc.aio.AioRpcError) else translate(error)
        answer = known or MySingleError()
        call.code = answer.code.value
        call.reason = known.reason if known else type(error).__qualname__
        _log(call, error, known)
        await _answer(call, answer, self._service_name)


async def answer_stopped(call: ServerCall, service_name: str) -> None:
    """Answer a call that had begun when the server stops; like every answer that is no response, it then raises."""
    await _answer(call, _stopped(), service_name)


async def _answer(call: ServerCall, error: MySingleError, service_name: str) -> None:
    status = to_status(error, service_name, call.context.correlation_id)
    trailers = (*call.native.trailing_metadata(), *status.trailers)
    await call.native.abort(status.code, status.message, trailers)


def _was_cancelled(call: ServerCall) -> bool:
    """Tell whether somebody has cancelled the call; a handler can also raise this error out of what it waits for."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0 or call.native.cancelled()


def code_name(status: Any) -> str:
    """Return the name of a status that is a number or a member."""
    return str(status.name) if isinstance(status, grpc.StatusCode) else _CODE_NAMES.get(status, "UNKNOWN")


def _stopped() -> MySingleError:
    return StoppedError(
        "The server was stopped before the call ended; it may have had an effect.", reason="SERVER_STOPPED"
    )


def _log(call: ServerCall, error: BaseException, known: MySingleError | None) -> None:
    if known is None:
        log.error("rpc.failed", method=call.method.name, exc_info=error)
        return
    cause = known.__cause__ or (error if error is not known else None)
    is_deliberate = cause is None and known.retry_after_seconds is not None  # the access line says it all
    if known.code in _SERVER_FAULTS and not is_deliberate:
        values = {"details": known.details, "cause": cause and repr(cause)}
        present = {key: value for key, value in values.items() if value}
        log.error("rpc.refused", method=call.method.name, reason=known.reason, message=known.message, **present)
