"""The limits layer: headers, bodies and requests have a size and an end."""

import asyncio
from collections.abc import Awaitable
from itertools import chain

from mysingle._kernel.asgi import App, Message, Receive, Scope, Send, header_map
from mysingle._kernel.errors import InvalidArgumentError, MySingleError, ResourceExhaustedError
from mysingle._kernel.settings import HttpSettings
from mysingle.core._middleware.deadlines import Deadlines, body_too_slow
from mysingle.core._middleware.exchange import Exchange, exchange_of

__all__ = ["LimitsMiddleware"]

MAX_HEADERS = 100


class LimitsMiddleware:
    """
    Refuses what is too large (431, 413) and ends what takes too long (408 for the body, 504 for the answer).

    The time limit covers a request until its answer begins; a streaming answer may take as long as it likes.
    """

    def __init__(self, app: App, *, settings: HttpSettings, service_name: str) -> None:
        self.app = app
        self._limits = settings
        self._max_header_bytes = settings.HTTP_MAX_HEADER_BYTES
        self._deadlines = Deadlines(settings.HTTP_REQUEST_TIMEOUT_SECONDS, service_name)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Check what is known beforehand, and watch the rest."""
        if scope["type"] == "lifespan":
            return self.app(scope, receive, send)
        declared = self._check_headers(scope)
        if scope["type"] == "websocket":
            return self.app(scope, receive, send)
        exchange = exchange_of(scope)
        self._deadlines.watch(exchange, scope, send)
        if declared is None:
            return self.app(scope, receive, send)
        return self._run_with_body(scope, _BoundedBody(self._limits, exchange, receive, send), declared)

    def _check_headers(self, scope: Scope) -> int | None:
        """Return the declared length of the body, -1 for a chunked one, None when there is none."""
        raw = scope["headers"]
        if len(raw) > MAX_HEADERS or sum(map(len, chain.from_iterable(raw))) > self._max_header_bytes:
            raise _headers_too_large(self._limits)
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > self._max_header_bytes:
            raise _target_too_long(self._limits)
        headers = header_map(scope)
        if b"transfer-encoding" in headers:
            return -1
        declared = headers.get(b"content-length")
        if declared is None:
            return None
        return (int(declared) or None) if declared.isdigit() else -1

    async def _run_with_body(self, scope: Scope, body: "_BoundedBody", declared: int) -> None:
        if declared > self._limits.HTTP_MAX_BODY_BYTES:
            body.refuse(_body_too_large(self._limits))
        else:
            try:
                await self.app(scope, body.receive, body.send)
            except Exception:
                if body.refusal is None:
                    raise
        if body.refusal is not None:
            raise body.refusal


class _BoundedBody:
    """Counts the bytes of a body and times its pieces; once it is refused, the app's own answer is dropped."""

    def __init__(self, limits: HttpSettings, exchange: Exchange, receive: Receive, send: Send) -> None:
        self._limits = limits
        self._exchange = exchange
        self._receive = receive
        self._send = send
        self._size = 0
        self.refusal: MySingleError | None = None
        self._is_open = True

    def refuse(self, error: MySingleError) -> MySingleError:
        self._exchange.closes_connection = True
        self.refusal = None if self._exchange.has_started else error
        return error

    async def receive(self) -> Message:
        if not self._is_open:
            return await self._receive()
        self._exchange.awaits_body = True
        try:
            async with asyncio.timeout(self._limits.HTTP_BODY_TIMEOUT_SECONDS):
                message = await self._receive()
        except TimeoutError:
            raise self.refuse(body_too_slow()) from None
        self._exchange.awaits_body = False
        self._size += len(message.get("body", b""))
        self._is_open = bool(message.get("more_body"))
        if self._size > self._limits.HTTP_MAX_BODY_BYTES:
            raise self.refuse(_body_too_large(self._limits))
        return message

    async def send(self, message: Message) -> None:
        if self.refusal is None:
            await self._send(message)


def _headers_too_large(limits: HttpSettings) -> MySingleError:
    message = f"The headers are larger than {limits.HTTP_MAX_HEADER_BYTES} bytes, or more than {MAX_HEADERS}."
    return ResourceExhaustedError(message, reason="HEADERS_TOO_LARGE", status=431)


def _target_too_long(limits: HttpSettings) -> MySingleError:
    message = f"The path and the query are longer than {limits.HTTP_MAX_HEADER_BYTES} bytes."
    return InvalidArgumentError(message, reason="TARGET_TOO_LONG", status=414)


def _body_too_large(limits: HttpSettings) -> MySingleError:
    message = f"The body is larger than {limits.HTTP_MAX_BODY_BYTES} bytes."
    return ResourceExhaustedError(message, reason="BODY_TOO_LARGE", status=413)
