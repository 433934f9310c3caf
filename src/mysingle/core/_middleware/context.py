"""The context layer: ids in, ids out, and a `RequestContext` around everything inside."""

import time
from collections.abc import Awaitable

from mysingle._kernel import context, propagation
from mysingle._kernel.asgi import App, Message, Receive, Scope, Send, header_map
from mysingle.core._middleware.exchange import Exchange, put_exchange

__all__ = ["ContextMiddleware"]

_CORRELATION_ID = propagation.HEADER_CORRELATION_ID.lower().encode()
_X_CORRELATION_ID = propagation.HEADER_X_CORRELATION_ID.lower().encode()
_CLOSE = (b"connection", b"close")
_SWITCHING_PROTOCOLS = 101


class ContextMiddleware:
    """Reads the ids of a request, replaces the missing and the ill-formed once, and answers with them."""

    def __init__(self, app: App, *, request_timeout_seconds: float) -> None:
        self.app = app
        self._request_timeout_seconds = request_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Enter the context, and leave it again whatever happens inside."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        deadline = time.monotonic() + self._request_timeout_seconds if scope["type"] == "http" else None
        request = propagation.from_headers(header_map(scope), deadline)
        exchange = put_exchange(scope)
        token = context.enter(request)
        try:
            await self.app(scope, receive, _answering(send, exchange, request.correlation_id or ""))
        finally:
            exchange.end()
            context.leave(token)


def _answering(send: Send, exchange: Exchange, correlation_id: str) -> Send:
    """Return a `send` that notes the status and adds the ids; not a coroutine itself, since it runs for each piece."""

    def send_with_ids(message: Message) -> Awaitable[None]:
        if exchange.is_abandoned:
            return _drop()
        if message["type"] == "http.response.start":
            exchange.status = message["status"]
            # The limit was for the answer to begin; a stream and a background task may go on after it.
            context.enter(context.without_deadline(context.current_context()))
            _add_headers(message, correlation_id, exchange.closes_connection)
        elif message["type"] == "websocket.accept":
            exchange.status = _SWITCHING_PROTOCOLS
            _add_headers(message, correlation_id, False)
        return send(message)

    return send_with_ids


async def _drop() -> None:
    """Take a message for which nobody waits any more."""


def _add_headers(message: Message, correlation_id: str, closes_connection: bool) -> None:
    value = correlation_id.encode("ascii")
    headers = [*message.get("headers", ()), (_CORRELATION_ID, value), (_X_CORRELATION_ID, value)]
    message["headers"] = [*headers, _CLOSE] if closes_connection else headers
