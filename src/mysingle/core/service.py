"""What a service is: its type and its configuration, checked when they are made."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mysingle._kernel.errors import ErrorCode, MySingleError
from mysingle._kernel.health import Check
from mysingle._kernel.lifecycle import Resource
from mysingle._kernel.naming import database_name_of
from mysingle._kernel.public_paths import PublicPaths

__all__ = ["Lifespan", "ServiceConfig", "ServiceConfigError", "ServiceType", "create_service_config"]

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")

_DATABASE = re.compile(r"[A-Za-z0-9_-]{1,63}")

Lifespan = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]


class ServiceConfigError(MySingleError, ValueError):
    """A description of a service that cannot be used; the message says what is expected."""

    default_code = ErrorCode.INVALID_ARGUMENT


class ServiceType(StrEnum):
    """
    What a service does with users.

    IAM_SERVICE owns them: it issues and verifies tokens. NON_IAM_SERVICE believes the gateway and stores no users.
    """

    IAM_SERVICE = "iam_service"
    NON_IAM_SERVICE = "non_iam_service"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """
    The configuration of one service; make it with `create_service_config`.

    `database_name` and `enable_audit_logging` hold the values that apply; `drain_delay_seconds` and `cors_origins`
    are None when the settings decide. `critical_checks` are the health checks that decide `/ready`.
    """

    service_name: str
    service_type: ServiceType
    service_version: str
    description: str
    enable_database: bool
    database_name: str
    enable_audit_logging: bool | None
    enable_metrics: bool
    enable_health_check: bool
    public_paths: tuple[str, ...]
    cors_origins: tuple[str, ...] | None
    lifespan: Lifespan | None
    grpc_server: Resource | None
    critical_checks: tuple[str, ...]
    extra_checks: tuple[tuple[str, Check], ...]
    drain_delay_seconds: float | None
    resources: tuple[Resource, ...]
    enable_idempotency: bool

    @property
    def is_gateway_downstream(self) -> bool:
        """Whether identity comes from the gateway's headers."""
        return self.service_type is ServiceType.NON_IAM_SERVICE

    @property
    def enable_auth(self) -> bool:
        """Whether requests are authenticated: always, by one way or the other."""
        return True

    @property
    def enable_oauth(self) -> bool:
        """Whether the service logs users in with other providers."""
        return self.service_type is ServiceType.IAM_SERVICE

    @property
    def enable_user_management(self) -> bool:
        """Whether the service owns the user collections."""
        return self.service_type is ServiceType.IAM_SERVICE


def create_service_config(
    service_name: str,
    service_type: ServiceType = ServiceType.NON_IAM_SERVICE,
    service_version: str = "1.0.0",
    description: str | None = None,
    *,
    enable_database: bool = True,
    database_name: str | None = None,
    enable_audit_logging: bool | None = None,
    enable_metrics: bool = True,
    enable_health_check: bool = True,
    public_paths: Iterable[str] | None = None,
    cors_origins: Iterable[str] | None = None,
    lifespan: Lifespan | None = None,
    grpc_server: Resource | None = None,
    critical_checks: Iterable[str] | Mapping[str, Check] | None = None,
    drain_delay_seconds: float | None = None,
    resources: Iterable[Resource] = (),
    enable_idempotency: bool = False,
) -> ServiceConfig:
    """
    Describe a service.

    Args:
        service_name: lower-case letters, digits and hyphens, begins with a letter, at most 63 characters.
        service_type: IAM_SERVICE or NON_IAM_SERVICE.
        service_version: the version of the service, shown in the API document and in logs.
        description: the text of the API document.
        enable_database: False for a service that must not touch MongoDB.
        database_name: the service's name with `_` for `-` and `_db` behind it, when not given.
        enable_audit_logging: one audit record a request; `AUDIT_LOGGING_ENABLED` decides when not given.
        enable_metrics, enable_health_check: whether the operations routes exist.
        public_paths: paths without authentication, exact or `/segment/*`; beside `AUTH_PUBLIC_PATHS`.
        cors_origins: origins that browsers may call from; `CORS_ORIGINS` decides when not given.
        lifespan: your own `async with` around the service's life; resources are open inside of it.
        grpc_server: a gRPC server that lives and drains with the app.
        critical_checks: names of health checks that decide `/ready`, or your own checks by name.
        drain_delay_seconds: how long a draining service goes on serving; `DRAIN_DELAY_SECONDS` when not given.
        resources: further things to open before and close after the service, in order.
        enable_idempotency: a request that comes twice with one `Idempotency-Key` runs once; needs Redis.

    Raises:
        ServiceConfigError: a name, path or delay that cannot be used; a `ValueError`.
    """
    _check(service_name, database_name, drain_delay_seconds)
    _check_kinds(service_version, lifespan)
    checks = critical_checks or ()
    if isinstance(checks, str):
        raise ServiceConfigError(f"critical_checks {checks!r} must be a list of names, for example ['mongodb']")
    return ServiceConfig(
        service_name=service_name,
        service_type=ServiceType(service_type),
        service_version=service_version,
        description=description or "",
        enable_database=enable_database,
        database_name=database_name or database_name_of(service_name),
        enable_audit_logging=enable_audit_logging,
        enable_metrics=enable_metrics,
        enable_health_check=enable_health_check,
        public_paths=_checked(public_paths or ()),
        cors_origins=None if cors_origins is None else _texts("cors_origins", cors_origins),
        lifespan=lifespan,
        grpc_server=grpc_server,
        critical_checks=tuple(checks),
        extra_checks=tuple(checks.items()) if isinstance(checks, Mapping) else (),
        drain_delay_seconds=drain_delay_seconds,
        resources=tuple(resources),
        enable_idempotency=enable_idempotency,
    )


def _check(service_name: str, database_name: str | None, drain_delay_seconds: float | None) -> None:
    if not _NAME.fullmatch(str(service_name)):
        raise ServiceConfigError(
            f"service_name {service_name!r} cannot be used: lower-case letters, digits and hyphens, "
            "beginning with a letter, at most 63 characters, for example 'my-service'"
        )
    if database_name is not None and not _DATABASE.fullmatch(database_name):
        raise ServiceConfigError(f"database_name {database_name!r} cannot be used: letters, digits, '_' and '-' only")
    if drain_delay_seconds is not None and not _is_duration(drain_delay_seconds):
        raise ServiceConfigError(
            f"drain_delay_seconds {drain_delay_seconds!r} must not be negative, and must be a number"
        )


def _is_duration(seconds: object) -> bool:
    return isinstance(seconds, int | float) and 0 <= seconds < math.inf


def _check_kinds(service_version: object, lifespan: object) -> None:
    if not isinstance(service_version, str) or not service_version:
        raise ServiceConfigError(f"service_version {service_version!r} must be text, for example '1.0.0'")
    if lifespan is not None and not callable(lifespan):
        raise ServiceConfigError(f"lifespan {lifespan!r} must be a function of the app, with @asynccontextmanager")


def _texts(name: str, values: Iterable[str]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise ServiceConfigError(f"{name} {values!r} must be a list, for example [{values!r}]")
    return tuple(values)


def _checked(values: Iterable[str]) -> tuple[str, ...]:
    paths = _texts("public_paths", values)
    try:
        PublicPaths(paths)
    except ValueError as error:
        raise ServiceConfigError(str(error)) from error
    return paths
