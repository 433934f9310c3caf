"""The routes of operations: health, readiness, metrics. They only read; they never wait."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.responses import Response
from starlette.routing import BaseRoute

from mysingle._kernel.asgi import App, Receive, Scope, Send, route_path
from mysingle._kernel.errors import ErrorCode, MySingleError, NotFoundError
from mysingle._kernel.health import CheckResult, HealthRegistry, ServiceState
from mysingle._kernel.metrics import ServiceMetrics
from mysingle._kernel.problems import MEDIA_TYPE, to_problem
from mysingle.core.service import ServiceConfig

__all__ = ["PROBES", "OperationsMiddleware", "documented_operations", "make_operations"]

PROBES = ("/health", "/live", "/ready", "/startup", "/health/details")
METRICS = "/metrics"
_HEALTH_MEDIA_TYPE = "application/health+json"
_NO_STORE = {"Cache-Control": "no-store"}

Endpoint = Callable[[Scope], Response]


class OperationsMiddleware:
    """
    Answers the operations before everything else: no redirect, no authentication, no access line, no duration.

    Every path has two spellings, with and without a trailing slash.
    """

    def __init__(self, app: App, *, operations: Mapping[str, Endpoint]) -> None:
        self.app = app
        self._endpoints = {spelling: call for path, call in operations.items() for spelling in (path, f"{path}/")}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer, or pass on."""
        endpoint = self._endpoints.get(route_path(scope)) if scope["type"] == "http" else None
        if endpoint is None:
            return self.app(scope, receive, send)
        response = endpoint(scope) if scope["method"] in ("GET", "HEAD") else _not_allowed(scope)
        return response(scope, receive, send)


@dataclass(frozen=True, slots=True)
class _Operations:
    config: ServiceConfig
    health: HealthRegistry
    metrics: ServiceMetrics
    shows_details: bool

    def alive(self, scope: Scope) -> Response:
        """Tell that the event loop answers. Never looks at a dependency."""
        return self._answer({"status": "pass"})

    def ready(self, scope: Scope) -> Response:
        """Tell whether traffic is welcome: READY, and no critical check failing."""
        if self.health.is_ready():
            return self._answer({"status": "pass"})
        failing = self.health.failing_critical() if self.health.state is ServiceState.READY else []
        return self._answer({"status": "fail", "state": self.health.state.value, "failing": failing}, 503)

    def started(self, scope: Scope) -> Response:
        """Tell whether start-up has ended."""
        booting = self.health.state in (ServiceState.CREATED, ServiceState.STARTING)
        return self._answer(
            {"status": "fail" if booting else "pass", "state": self.health.state.value}, 503 if booting else 200
        )

    def details(self, scope: Scope) -> Response:
        """Tell people what every check said last. Development only; elsewhere there is no such page."""
        if not self.shows_details:
            return _refuse(scope, NotFoundError("Not Found"), self.config.service_name)
        status = self.health.status()
        body: dict[str, object] = {
            "status": status,
            "state": self.health.state.value,
            "checks": {name: [_check(*result)] for name, result in self.health.results().items()},
        }
        return self._answer(body, 503 if status == "fail" else 200)

    def scrape(self, scope: Scope) -> Response:
        """Return the metrics, as OpenMetrics or Prometheus text by `Accept`."""
        body, content_type = self.metrics.render(_accept(scope))
        return Response(body, headers={"Content-Type": content_type})

    def _answer(self, body: dict[str, object], status: int = 200) -> Response:
        identity = {"service": self.config.service_name, "version": self.config.service_version}
        return Response(json.dumps(body | identity), status, _NO_STORE, _HEALTH_MEDIA_TYPE)


def _check(critical: bool, result: CheckResult | None) -> dict[str, object]:
    if result is None:
        return {"status": "warn", "critical": critical, "output": "has not run yet"}
    return {
        "status": result.status if critical or result.status == "pass" else "warn",
        "critical": critical,
        "time": datetime.fromtimestamp(result.finished_at, UTC).isoformat(),
        "observedValue": round(result.latency_seconds * 1000, 3),
        "observedUnit": "ms",
        "output": result.message,
    }


def _accept(scope: Scope) -> str:
    return b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")


def _not_allowed(scope: Scope) -> Response:
    error = MySingleError(
        "Method Not Allowed",
        code=ErrorCode.UNIMPLEMENTED,
        reason="METHOD_NOT_ALLOWED",
        status=405,
        headers={"Allow": "GET, HEAD"},
    )
    return _refuse(scope, error, "operations")


def _refuse(scope: Scope, error: MySingleError, domain: str) -> Response:
    problem = to_problem(error)
    body = problem.body(instance=scope["path"], correlation_id=None, domain=domain)
    return Response(body, problem.status, dict(problem.headers), MEDIA_TYPE)


def make_operations(
    config: ServiceConfig, health: HealthRegistry, metrics: ServiceMetrics, *, shows_details: bool
) -> dict[str, Endpoint]:
    """Return path → endpoint for the operations that this service wants."""
    operations = _Operations(config, health, metrics, shows_details)
    endpoints: dict[str, Endpoint] = {}
    if config.enable_health_check:
        probes = (operations.alive, operations.alive, operations.ready, operations.started, operations.details)
        endpoints.update(zip(PROBES, probes, strict=True))
    if config.enable_metrics:
        endpoints[METRICS] = operations.scrape
    return endpoints


def documented_operations(operations: Mapping[str, Endpoint]) -> tuple[BaseRoute, ...]:
    """Return the operations as routes, for the API document and for whoever looks at `app.routes`."""
    router = APIRouter(tags=["operations"])
    for path, endpoint in operations.items():
        name = path.strip("/").replace("/", "-")
        router.add_api_route(
            path,
            _described(endpoint),
            methods=["GET"],
            name=name,
            operation_id=f"operations-{name}",
            response_class=Response,
        )
    return tuple(router.routes)


def _described(endpoint: Endpoint) -> Callable[[], None]:
    def operation() -> None:
        """Stand in the document; the stack answers before a route is looked for."""

    operation.__doc__ = endpoint.__doc__
    return operation
