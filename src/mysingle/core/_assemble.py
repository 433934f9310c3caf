"""How an app is put together: five short steps, and the order of the stack in one tuple."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from mysingle import database
from mysingle._kernel import propagation
from mysingle._kernel.extras import require
from mysingle._kernel.health import HealthRegistry
from mysingle._kernel.metrics import ServiceMetrics
from mysingle._kernel.settings import CommonSettings, SettingsError, get_settings
from mysingle.auth import AuthMiddleware
from mysingle.core._errors import answer_of_handler, install_error_handlers
from mysingle.core._lifespan import ServiceLifespan
from mysingle.core._middleware.audit import AuditMiddleware
from mysingle.core._middleware.context import ContextMiddleware
from mysingle.core._middleware.errors import ErrorsMiddleware
from mysingle.core._middleware.gate import GateMiddleware
from mysingle.core._middleware.idempotency import IdempotencyMiddleware
from mysingle.core._middleware.limits import LimitsMiddleware
from mysingle.core._middleware.observe import ObserveMiddleware
from mysingle.core._operations import (
    Endpoint,
    OperationsMiddleware,
    documented_operations,
    make_operations,
)
from mysingle.core._pages import DOCUMENTATION_PATHS
from mysingle.core._revocation import RedisRevocations
from mysingle.core._service_app import ServiceApp
from mysingle.core.service import ServiceConfig, ServiceConfigError

if TYPE_CHECKING:
    from mysingle.core._iam import IamParts

__all__ = ["MIDDLEWARE", "assemble"]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the steps share."""

    config: ServiceConfig
    settings: CommonSettings
    health: HealthRegistry
    metrics: ServiceMetrics
    lifespan: ServiceLifespan
    operations: Mapping[str, Endpoint]
    iam: "IamParts | None"


def assemble(config: ServiceConfig, document_models: tuple[type[Any], ...]) -> FastAPI:
    """Build the app of a service. It touches no network; that is the lifespan's work."""
    parts = _make_parts(config, document_models)
    app = _make_app(parts)
    install_error_handlers(app, config.service_name)
    app.operations = documented_operations(parts.operations)
    if config.is_gateway_downstream and parts.settings.is_relaxed:
        app.identity_header = propagation.HEADER_USER_ID
    app.state.service_config, app.state.health, app.state.metrics = config, parts.health, parts.metrics
    if parts.iam is not None:
        parts.iam.install(app)
    return app


def _make_parts(config: ServiceConfig, document_models: tuple[type[Any], ...]) -> _Parts:
    settings = get_settings()
    health = HealthRegistry(critical=config.critical_checks)
    metrics = _make_metrics(config)
    iam_parts = _make_iam(config, settings, metrics)
    lifespan = ServiceLifespan(config, settings, health, metrics, document_models, iam_parts)
    operations = make_operations(config, health, metrics, shows_details=settings.is_relaxed)
    return _Parts(config, settings, health, metrics, lifespan, operations, iam_parts)


def _make_metrics(config: ServiceConfig) -> ServiceMetrics:
    try:
        return ServiceMetrics(config.service_name, config.service_version)
    except OSError as error:  # in multi-process mode the library keeps its values in files
        raise SettingsError([f"PROMETHEUS_MULTIPROC_DIR: {error.strerror}: {error.filename!r}"]) from error


def _make_iam(config: ServiceConfig, settings: CommonSettings, metrics: ServiceMetrics) -> "IamParts | None":
    if not config.enable_user_management:
        return None
    if not config.enable_database:
        raise ServiceConfigError("An IAM service stores its users, but the configuration says enable_database=False")
    require("auth", "ServiceType.IAM_SERVICE")
    from mysingle.core._iam import IamParts  # an optional part: no other service loads it

    return IamParts(settings, metrics)


def _make_app(parts: _Parts) -> ServiceApp:
    config = parts.config
    documented = not parts.settings.is_production
    return ServiceApp(
        title=config.service_name,
        version=config.service_version,
        description=config.description,
        docs_url="/docs" if documented else None,
        redoc_url="/redoc" if documented else None,
        openapi_url="/openapi.json" if documented else None,
        generate_unique_id_function=_operation_id,
        lifespan=parts.lifespan,
        middleware=[layer for make in MIDDLEWARE if (layer := make(parts)) is not None],
    )


def _operation_id(route: APIRoute) -> str:
    return f"{route.tags[0]}-{route.name}" if route.tags else route.name


def _operations(parts: _Parts) -> Middleware:
    return Middleware(OperationsMiddleware, operations=parts.operations)


def _cors(parts: _Parts) -> Middleware | None:
    chosen = parts.config.cors_origins
    origins = parts.settings.CORS_ORIGINS if chosen is None else chosen
    if not origins:
        return None
    return Middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_credentials="*" not in origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=[propagation.HEADER_CORRELATION_ID, propagation.HEADER_X_CORRELATION_ID],
    )


def _context(parts: _Parts) -> Middleware:
    return Middleware(ContextMiddleware, request_timeout_seconds=parts.settings.HTTP_REQUEST_TIMEOUT_SECONDS)


def _observe(parts: _Parts) -> Middleware:
    return Middleware(ObserveMiddleware, metrics=parts.metrics, access_log=parts.settings.HTTP_ACCESS_LOG)


def _audit(parts: _Parts) -> Middleware | None:
    if parts.lifespan.audit_log is None:
        return None
    return Middleware(AuditMiddleware, accept=parts.lifespan.audit_log.accept, service_name=parts.config.service_name)


def _errors(parts: _Parts) -> Middleware:
    return Middleware(ErrorsMiddleware, service_name=parts.config.service_name, ask_handler=answer_of_handler)


def _error_style(parts: _Parts) -> Middleware | None:
    return Middleware(parts.iam.error_style) if parts.iam and parts.iam.rewrites_errors else None


def _gate(parts: _Parts) -> Middleware:
    return Middleware(GateMiddleware, health=parts.health)


def _limits(parts: _Parts) -> Middleware:
    return Middleware(LimitsMiddleware, settings=parts.settings, service_name=parts.config.service_name)


def _auth(parts: _Parts) -> Middleware:
    documentation = () if parts.settings.is_production else DOCUMENTATION_PATHS
    return Middleware(
        AuthMiddleware,
        service_config=parts.config,
        settings=parts.settings,
        public_paths=(*documentation, *(parts.iam.public_paths if parts.iam else ())),
        on_refused=partial(_count_refusal, parts.metrics),
        backend=parts.iam.backend if parts.iam else None,
        revocation=_revocation(parts),
    )


def _revocation(parts: _Parts) -> RedisRevocations | None:
    is_asked = parts.config.is_gateway_downstream and parts.settings.AUTH_REVOCATION_CHECK == "redis"
    return RedisRevocations(parts.settings) if is_asked else None


def _count_refusal(metrics: ServiceMetrics, reason: str) -> None:
    metrics.auth_refused.labels(reason).inc()


def _idempotency(parts: _Parts) -> Middleware | None:
    if not parts.config.enable_idempotency:
        return None
    store = database.RedisIdempotencyStore()
    name = parts.config.service_name
    return Middleware(IdempotencyMiddleware, store=store, service_name=name, ask_handler=answer_of_handler)


MIDDLEWARE: tuple[Callable[[_Parts], Middleware | None], ...] = (
    _operations,
    _cors,
    _context,
    _observe,
    _audit,
    _error_style,
    _errors,
    _gate,
    _limits,
    _auth,
    _idempotency,
)
"""The stack, outermost first."""
