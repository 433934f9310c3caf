"""The context layer: ids in, ids out, and a `RequestContext` around everything inside."""

import time

from mysingle._kernel import context, propagation
from mysingle._kernel.asgi import App, Message, Receive, Scope, Send
from mysingle.core._middleware.exchange import Exchange, put_exchange

__all__ = ["ContextMiddleware"]

_CORRELATION_ID = propagation.HEADER_CORRELATION_ID.lower().encode()
_X_CORRELATION_ID = propagation.HEADER_X_CORRELATION_ID.lower().encode()
_CLOSE = (b"connection", b"close")


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
        request = propagation.from_headers(scope["headers"], deadline)
        token = context.enter(request)
        try:
            await self.app(scope, receive, _answering(send, put_exchange(scope), request.correlation_id or ""))
        finally:
            context.leave(token)


def _answering(send: Send, exchange: Exchange, correlation_id: str) -> Send:
    value = correlation_id.encode("ascii")
    ids = [(_CORRELATION_ID, value), (_X_CORRELATION_ID, value)]

    async def send_with_ids(message: Message) -> None:
        if message["type"] == "http.response.start":
            exchange.status = message["status"]
            headers = [*message.get("headers", ()), *ids]
            message["headers"] = [*headers, _CLOSE] if exchange.closes_connection else headers
        elif message["type"] == "websocket.accept":
            exchange.status = 101
            message["headers"] = [*message.get("headers", ()), *ids]
        await send(message)

    return send_with_ids
