"""The observe layer: one access line and one duration for every request."""

import time
from typing import Any

from mysingle._kernel import logging
from mysingle._kernel.asgi import App, Receive, Scope, Send
from mysingle._kernel.context import current_context
from mysingle._kernel.metrics import OTHER, ServiceMetrics
from mysingle._kernel.redaction import redact_text
from mysingle.core._middleware.exchange import Exchange, exchange_of

__all__ = ["ObserveMiddleware", "route_template"]

_MAX_LOGGED_PATH = 256
_CLIENT_CLOSED_REQUEST = 499


class ObserveMiddleware:
    """Measures the whole call inside of it, whatever its end: an answer, an error, a client that went away."""

    def __init__(self, app: App, *, metrics: ServiceMetrics, access_log: bool) -> None:
        self.app = app
        self._metrics = metrics
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the call and report it once."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        exchange = exchange_of(scope)
        if scope["type"] == "websocket":
            await self._observe_websocket(scope, receive, send)
            return
        active = self._metrics.http_active(scope["method"], scope["scheme"])
        active.inc()
        try:
            await self.app(scope, receive, send)
        finally:
            active.dec()
            self._report(scope, exchange, time.perf_counter() - started)

    def _report(self, scope: Scope, exchange: Exchange, seconds: float) -> None:
        status = exchange.status or _CLIENT_CLOSED_REQUEST
        error_type = exchange.error_type or (str(status) if status >= 500 else "")
        route = route_template(scope)
        context = current_context()
        trace_id = context.trace_id if context.traceparent is not None and context.is_sampled else None
        self._metrics.observe_http(scope["method"], route, status, scope["scheme"], error_type, seconds, trace_id)
        if self._access_log:
            _log_request(scope, route, status, error_type, seconds)

    async def _observe_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        try:
            await self.app(scope, receive, send)
        finally:
            if self._access_log:
                _log_request(
                    scope, route_template(scope), exchange_of(scope).status or 403, "", time.perf_counter() - started
                )


def _log_request(scope: Scope, route: str, status: int, error_type: str, seconds: float) -> None:
    client = scope.get("client")
    record: dict[str, Any] = {
        "event_name": "http.request",
        "http.request.method": scope.get("method", "WEBSOCKET"),
        "http.route": route,
        "url.path": redact_text(scope["path"][:_MAX_LOGGED_PATH]),
        "http.response.status_code": status,
        "duration_s": round(seconds, 6),
        "client.address": client[0] if client else None,
    }
    user = scope["state"].get("user") if "state" in scope else None
    if user is not None:
        record["user_id"] = user.id
    if error_type:
        record["error.type"] = error_type
    logging.emit("error" if status >= 500 else "info", "http.request", record)


def route_template(scope: Scope) -> str:
    """Return the template of the route that matched, with the prefixes of its routers; `OTHER` when none did."""
    included = scope.get("fastapi", {}).get("effective_route_context")
    path: str | None = getattr(included if included is not None else scope.get("route"), "path_format", None)
    if path is None:
        return OTHER
    mounted_at: str = scope.get("root_path", "").removeprefix(scope.get("app_root_path", ""))
    return mounted_at + path
