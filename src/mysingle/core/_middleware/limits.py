"""The limits layer: headers, bodies and requests have a size and an end."""

import asyncio

from mysingle._kernel.asgi import App, Message, Receive, Scope, Send
from mysingle._kernel.errors import ErrorCode, InvalidArgumentError, MySingleError, ResourceExhaustedError
from mysingle._kernel.settings import HttpSettings
from mysingle.core._middleware.deadlines import Deadlines
from mysingle.core._middleware.exchange import exchange_of

__all__ = ["LimitsMiddleware"]

MAX_HEADERS = 100
_TIMEOUT_REASON = "REQUEST_TIMEOUT"


class LimitsMiddleware:
    """
    Refuses what is too large (431, 413) and ends what takes too long (408 for the body, 504 for the answer).

    The time limit covers a request until its answer begins; a streaming answer may take as long as it likes.
    """

    def __init__(self, app: App, *, settings: HttpSettings) -> None:
        self.app = app
        self._max_header_bytes = settings.HTTP_MAX_HEADER_BYTES
        self._max_body_bytes = settings.HTTP_MAX_BODY_BYTES
        self._body_timeout = settings.HTTP_BODY_TIMEOUT_SECONDS
        self._request_timeout = settings.HTTP_REQUEST_TIMEOUT_SECONDS
        self._deadlines = Deadlines(self._request_timeout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check what is known beforehand, and watch the rest."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        declared = self._check_headers(scope["headers"])
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
        elif declared is None:
            await self._run(scope, receive, send)
        else:
            await self._run_with_body(scope, receive, send, declared)

    def _check_headers(self, headers: list[tuple[bytes, bytes]]) -> int | None:
        """Return the declared length of the body, -1 for a chunked one, None when there is none."""
        size, declared = 0, None
        for name, value in headers:
            size += len(name) + len(value)
            if name == b"content-length":
                declared = int(value) if value.isdigit() else -1
            elif name == b"transfer-encoding":
                declared = -1
        if size > self._max_header_bytes or len(headers) > MAX_HEADERS:
            raise _headers_too_large(self._max_header_bytes)
        return declared or None

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        self._deadlines.watch(exchange)
        try:
            await self.app(scope, receive, send)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not exchange.is_overdue or task is None or task.uncancel() > 0:
                raise
            message = f"No answer within {self._request_timeout:g} s."
            raise MySingleError(message, code=ErrorCode.DEADLINE_EXCEEDED, reason=_TIMEOUT_REASON) from None
        finally:
            self._deadlines.forget(exchange)

    async def _run_with_body(self, scope: Scope, receive: Receive, send: Send, declared: int) -> None:
        body = _BoundedBody(receive, send, self._max_body_bytes, self._body_timeout)
        if declared > self._max_body_bytes:
            body.refuse(_body_too_large(self._max_body_bytes))
        else:
            try:
                await self._run(scope, body.receive, body.send)
            except Exception as error:
                if body.refusal is None and not (body.is_open and _is_timeout(error)):
                    raise
                body.refusal = body.refusal or _body_too_slow()
        if body.refusal is not None:
            exchange_of(scope).closes_connection = True
            raise body.refusal


class _BoundedBody:
    """Counts the bytes of a body and times its pieces; once it is refused, the app's own answer is dropped."""

    def __init__(self, receive: Receive, send: Send, max_bytes: int, piece_timeout_seconds: float) -> None:
        self._receive = receive
        self._send = send
        self._max_bytes = max_bytes
        self._piece_timeout_seconds = piece_timeout_seconds
        self._size = 0
        self._has_answered = False
        self.is_open = True
        self.refusal: MySingleError | None = None

    def refuse(self, error: MySingleError) -> MySingleError:
        self.refusal = None if self._has_answered else error
        return error

    async def receive(self) -> Message:
        if not self.is_open:
            return await self._receive()
        try:
            async with asyncio.timeout(self._piece_timeout_seconds):
                message = await self._receive()
        except TimeoutError:
            raise self.refuse(_body_too_slow()) from None
        self._size += len(message.get("body", b""))
        self.is_open = bool(message.get("more_body"))
        if self._size > self._max_bytes:
            raise self.refuse(_body_too_large(self._max_bytes))
        return message

    async def send(self, message: Message) -> None:
        if self.refusal is None:
            self._has_answered = True
            await self._send(message)


def _is_timeout(error: Exception) -> bool:
    return isinstance(error, MySingleError) and error.reason == _TIMEOUT_REASON


def _headers_too_large(limit: int) -> MySingleError:
    message = f"The headers are larger than {limit} bytes, or more than {MAX_HEADERS}."
    return ResourceExhaustedError(message, reason="HEADERS_TOO_LARGE", status=431)


def _body_too_large(limit: int) -> MySingleError:
    return ResourceExhaustedError(f"The body is larger than {limit} bytes.", reason="BODY_TOO_LARGE", status=413)


def _body_too_slow() -> MySingleError:
    return InvalidArgumentError("The body did not arrive in time.", reason="BODY_TIMEOUT", status=408)
