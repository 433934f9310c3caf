"""The observe layer: one access line and one duration for every request."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from mysingle._kernel import logging
from mysingle._kernel.asgi import App, Receive, Scope, Send
from mysingle._kernel.context import current_context, sampled_trace
from mysingle._kernel.log_record import AccessTemplate
from mysingle._kernel.metrics import OTHER, Durations, ServiceMetrics, bounded_method, bounded_scheme
from mysingle._kernel.redaction import redact_text
from mysingle.core._middleware.exchange import Exchange, exchange_of

__all__ = ["ObserveMiddleware", "route_template"]

_MAX_LOGGED_PATH = 256
_MAX_OUTCOMES = 2_000
_CLIENT_CLOSED_REQUEST = 499
_FORBIDDEN = 403
_WEBSOCKET = "WEBSOCKET"


class _Outcome(NamedTuple):
    """What all requests that end alike share: the duration to add to, and the constant part of the access line."""

    duration: Durations
    access: AccessTemplate


class ObserveMiddleware:
    """Measures the whole call inside of it, whatever its end: an answer, an error, a client that went away."""

    def __init__(self, app: App, *, metrics: ServiceMetrics, access_log: bool) -> None:
        self.app = app
        self._metrics = metrics
        self._access_log = access_log
        self._outcomes: dict[tuple[str, str, int, str, str], _Outcome] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the call and report it once."""
        kind = scope["type"]
        if kind == "lifespan":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        exchange = exchange_of(scope)
        active = self._metrics.http_active(scope["method"], scope["scheme"]) if kind == "http" else None
        if active is not None:
            active.inc()
        try:
            await self.app(scope, receive, send)
        finally:
            if active is not None:
                active.dec()
            self._report(scope, exchange, time.perf_counter() - started)

    def _report(self, scope: Scope, exchange: Exchange, seconds: float) -> None:
        is_http = scope["type"] == "http"
        status = exchange.status or (_CLIENT_CLOSED_REQUEST if is_http else _FORBIDDEN)
        error_type = exchange.error_type or (str(status) if status >= 500 else "")
        outcome = self._outcome(scope, status, error_type)
        if is_http:
            outcome.duration.observe(seconds, sampled_trace(current_context().traceparent))
        if self._access_log:
            _log_request(outcome.access, scope, seconds)

    def _outcome(self, scope: Scope, status: int, error_type: str) -> _Outcome:
        key = (scope.get("method", _WEBSOCKET), route_template(scope), status, scope["scheme"], error_type)
        return self._outcomes.get(key) or self._new_outcome(*key)

    def _new_outcome(self, method: str, route: str, status: int, scheme: str, error_type: str) -> _Outcome:
        route = route if len(self._outcomes) < _MAX_OUTCOMES else OTHER
        key = (bounded_method(method), route, status, bounded_scheme(scheme), error_type)
        outcome = self._outcomes.get(key)
        if outcome is None:
            access = AccessTemplate(key[0], route, status, error_type)
            outcome = self._outcomes[key] = _Outcome(self._metrics.http_duration(*key), access)
        return outcome


def _log_request(access: AccessTemplate, scope: Scope, seconds: float) -> None:
    client = scope.get("client")
    path = redact_text(scope["path"][:_MAX_LOGGED_PATH])
    logging.log_access(access, path, seconds, client[0] if client else None)


def route_template(scope: Scope) -> str:
    """Return the template of the route that matched, with the prefixes of its routers; `OTHER` when none did."""
    included = scope.get("fastapi", {}).get("effective_route_context")
    path: str | None = getattr(included if included is not None else scope.get("route"), "path_format", None)
    if path is None:
        return OTHER
    mounted_at: str = scope.get("root_path", "").removeprefix(scope.get("app_root_path", ""))
    return _named(mounted_at, scope["path_params"]) + path if mounted_at else path


def _named(mounted_at: str, parameters: Mapping[str, Any]) -> str:
    """Return the prefix of a mount with the names of its parameters instead of their values."""
    names = {str(value): f"{{{name}}}" for name, value in parameters.items()}
    return "/".join(names.get(segment, segment) for segment in mounted_at.split("/"))
