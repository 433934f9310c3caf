"""The life of a service: guard, open, ready, drain, close."""

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from mysingle import database
from mysingle._kernel import guard
from mysingle._kernel.call_identity import name_service
from mysingle._kernel.health import Check, HealthRegistry, ServiceState
from mysingle._kernel.joining import DrainingResource
from mysingle._kernel.lifecycle import Resource, ResourceStack, hold_shared_resources, shared_resources
from mysingle._kernel.logging import flush_logs, get_logger, setup_logging
from mysingle._kernel.metrics import ServiceMetrics, forget_process
from mysingle._kernel.settings import CommonSettings, SettingsError
from mysingle.auth.errors import AuthConfigurationError
from mysingle.auth.startup import StartupFindings, check_startup
from mysingle.core._heap import settled_heap
from mysingle.core.audit import AuditLog
from mysingle.core.service import ServiceConfig, ServiceConfigError

if TYPE_CHECKING:
    from mysingle.core._iam import IamParts

__all__ = ["ServiceLifespan"]

_FIRST_RESULTS_SECONDS = 3.0
_REDIS = "redis"
_BYPASS_HINT = "only ENVIRONMENT=development, set explicitly, switches the bypass on"

log = get_logger("mysingle.core")


def set_up_logging(config: ServiceConfig, settings: CommonSettings) -> None:
    """Send this process's log where the settings say; doing it again changes nothing."""
    try:
        setup_logging(
            settings.SERVICE_NAME or config.service_name,
            settings.LOG_LEVEL,
            settings.environment,
            service_version=config.service_version,
            log_format=settings.LOG_FORMAT or ("json" if settings.is_production else None),
            log_file=settings.LOG_FILE,
        )
    except OSError as error:
        raise SettingsError([f"LOG_FILE = {str(settings.LOG_FILE)!r}: {error.strerror}"]) from error


class ServiceLifespan:
    """
    The lifespan of one app: resources are open before the service's own lifespan begins, and closed after it ends.

    Making it decides what there is to open; nothing is opened before it is entered.
    """

    def __init__(
        self,
        config: ServiceConfig,
        settings: CommonSettings,
        health: HealthRegistry,
        metrics: ServiceMetrics,
        document_models: tuple[type[Any], ...],
        iam: "IamParts | None" = None,
    ) -> None:
        self._config = config
        self._settings = settings
        self._health = health
        self._metrics = metrics
        self._iam = iam
        if iam is not None:
            document_models = tuple(dict.fromkeys((*iam.documents, *document_models)))
        audits = config.enable_audit_logging
        audits = settings.AUDIT_LOGGING_ENABLED if audits is None else audits
        needs_mongo = bool(document_models) or (audits and config.enable_database)
        self._mongo = self._make_mongo(document_models) if needs_mongo else None
        self.audit_log = self._make_audit_log() if audits else None
        self._resources = tuple(self._choose_resources())
        self._checks: dict[str, Check] = {}
        if isinstance(config.grpc_server, DrainingResource):
            config.grpc_server.join(health, metrics)
        health.on_result(lambda name, passed: metrics.health_check_up.labels(name).set(passed))

    def _make_mongo(self, document_models: tuple[type[Any], ...]) -> "database.MongoResource":
        config = self._config
        return database.MongoResource(config.database_name, document_models, self._settings, config.service_name)

    def _make_audit_log(self) -> AuditLog:
        mongo = self._mongo
        if mongo is None:
            raise ServiceConfigError("Audit logging needs a database, but the configuration says enable_database=False")
        sink = database.MongoAuditSink(lambda: mongo.database, self._settings.AUDIT_SIGNING_KEYS)
        return AuditLog(sink, self._metrics)

    def _choose_resources(self) -> Iterable[Resource]:
        own = self._iam.resources if self._iam else ()
        chosen = (self._mongo, self.audit_log, *own, *self._config.resources, self._config.grpc_server)
        return (resource for resource in chosen if resource is not None)

    @asynccontextmanager
    async def __call__(self, app: Any) -> AsyncIterator[Mapping[str, Any]]:
        """Live: everything before the yield is start-up, everything behind it the end."""
        set_up_logging(self._config, self._settings)
        self._guard()
        name_service(self._config.service_name)
        self._health.enter(ServiceState.STARTING)
        self._warn_without_drain()
        app.observe_natively_if_configured()
        log.info("service.starting", resources=[resource.name for resource in self._resources])
        stack = ResourceStack(self._resources)
        async with hold_shared_resources():
            try:
                await stack.open()
                async with self._own_lifespan(app) as state:
                    await self._become_ready()
                    with settled_heap():
                        yield state
                    self._health.enter(ServiceState.DRAINING)
            finally:
                await self._end(stack)

    @asynccontextmanager
    async def _own_lifespan(self, app: Any) -> AsyncIterator[Mapping[str, Any]]:
        """Live as the service says: its lifespan, and inside of it what its routers and event handlers do."""
        async with AsyncExitStack() as stack:
            own = self._config.lifespan
            if inspect.isasyncgenfunction(own):
                own = asynccontextmanager(own)
            state = await stack.enter_async_context(own(app)) if own else None
            inner = await stack.enter_async_context(app.inner_lifespan(app))
            yield {**(inner or {}), **(state or {})}

    def _guard(self) -> None:
        """Refuse what is unsafe under production rules; complain about it elsewhere."""
        findings = check_startup(self._settings, is_gateway_downstream=self._config.is_gateway_downstream)
        self._report(findings)
        lacking = self._iam.problems if self._iam else ()
        problems = tuple(dict.fromkeys((*guard.problems(self._settings), *findings.problems, *lacking)))
        if not problems:
            return
        if self._settings.is_relaxed:
            log.warning("service.unsafe_settings", problems=problems)
        elif self._settings.is_environment_explicit:
            raise AuthConfigurationError(problems)
        else:
            log.error("service.trusts_nothing", problems=problems, hint="ENVIRONMENT is not set")

    def _report(self, findings: StartupFindings) -> None:
        for warning in findings.warnings:
            log.warning("auth.relaxed", reason=warning)
        self._metrics.auth_gateway_trust_weak.set(findings.is_trust_weak)
        if findings.is_bypass_refused:
            self._metrics.auth_bypass_refused.inc()
            log.critical("auth.bypass.refused", environment=self._settings.environment, hint=_BYPASS_HINT)

    def _warn_without_drain(self) -> None:
        if self._settings.is_production and not self._health.has_drain:
            log.warning("service.no_drain", hint="serve it with `mysingle run`: this server drops requests at SIGTERM")

    async def _become_ready(self) -> None:
        self._register_checks()
        await self._health.start()
        await self._health.first_results(_FIRST_RESULTS_SECONDS)
        self._health.enter(ServiceState.READY)
        log.info("service.ready", failing=self._health.failing_critical())

    def _register_checks(self) -> None:
        if _REDIS in self._config.critical_checks:
            database.get_redis_manager()
        resources = {resource.name: resource for resource in (*self._resources, *shared_resources())}
        self._checks = {name: resource.ping for name, resource in resources.items()} | dict(self._config.extra_checks)
        for name, check in self._checks.items():
            self._health.add_check(name, check)

    async def _end(self, stack: ResourceStack) -> None:
        await self._health.stop()
        for name in self._checks:
            self._health.remove_check(name)  # the app may live again
        try:
            await stack.close()
        except ExceptionGroup as group:
            log.error("service.unclean_stop", errors=[repr(error) for error in group.exceptions])
        self._health.enter(ServiceState.STOPPED)
        log.info("service.stopped")
        await asyncio.to_thread(flush_logs)
        forget_process(os.getpid())
