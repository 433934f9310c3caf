"""What version 1 called differently: one table, from which the old import paths and `mysingle migrate v2` both work."""

import importlib
import sys
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

__all__ = [
    "COMMAND",
    "ENUMS",
    "GONE",
    "GONE_MODULES",
    "GONE_SETTINGS",
    "MOVED",
    "OTHER_LINE",
    "RENAMED",
    "Gone",
    "GoneError",
    "former",
    "forward",
]

COMMAND = "mysingle migrate v2 ."

MOVED: Mapping[str, str] = MappingProxyType(
    {
        "mysingle_protos": "mysingle.protos",
        "mysingle_quant": "mysingle",
        "protos": "mysingle.protos",
        "mysingle.audit": "mysingle.core.audit",
        "mysingle.auth.deps": "mysingle.auth",
        "mysingle.base": "mysingle.core.base",
        "mysingle.base.models": "mysingle.core.base",
        "mysingle.base.schemas": "mysingle.core.base",
        "mysingle.core.middleware": "mysingle.core.logging",
        "mysingle.email": "mysingle.core.email",
        "mysingle.health": "mysingle.core.health",
        "mysingle.logging": "mysingle.core.logging",
        "mysingle.logging.structured_logging": "mysingle.core.logging",
        "mysingle.metrics": "mysingle.core.metrics",
    }
)
"""Module of version 1 → where its names are now."""

OTHER_LINE: Mapping[str, str] = MappingProxyType(
    {
        "mysingle.database.cache_factory": "mysingle.database",
        "mysingle.database.duckdb_manager": "mysingle.database",
        "mysingle.database.redis": "mysingle.database",
        "mysingle.database.redis.cache": "mysingle.database",
        "mysingle.database.redis.factory": "mysingle.database",
        "mysingle.database.redis_cache": "mysingle.database",
    }
)
"""Paths of the releases after 2.8, and those that they left; they are aliases without a warning."""


class Gone(NamedTuple):
    """What has no successor: what to do, and the section of the guide to version 2."""

    advice: str
    section: str


_HTTP = Gone("services call each other over gRPC: subclass mysingle.clients.BaseGrpcClient", "http-clients")
_ENUM = Gone("define it in the service", "enums")

GONE_MODULES: Mapping[str, Gone] = MappingProxyType(
    {
        "mysingle.base.enums": _ENUM,
        "mysingle.clients.http_client": _HTTP,
        "mysingle.core.http_client": _HTTP,
        "mysingle.examples": Gone("copy what you need from the documentation", "imports"),
    }
)
"""Module of version 1 that has no successor → what to do instead."""

_USER = "mysingle.auth.get_current_active_verified_user"
_SUPERUSER = "mysingle.auth.get_current_active_superuser"
_OPTIONAL = "mysingle.auth.get_current_user_optional"

RENAMED: Mapping[str, str] = MappingProxyType(
    {
        "BaseServiceClient": "mysingle.clients.BaseGrpcClient",
        "HEADER_KONG_USER_ID": "mysingle.core.headers.HEADER_USER_ID",
        "HybridUserCache": "mysingle.database.BaseRedisCache",
        "RedisUserCache": "mysingle.database.BaseRedisCache",
        "ServiceHttpClient": "mysingle.clients.BaseGrpcClient",
        "configure_logging_for_service": "mysingle.core.logging.setup_logging",
        "create_service_http_client": "mysingle.clients.BaseGrpcClient",
        "current_active_superuser": _SUPERUSER,
        "current_active_user": _USER,
        "current_active_verified_user": _USER,
        "current_superuser": _SUPERUSER,
        "current_user": _USER,
        "current_user_optional": _OPTIONAL,
        "current_verified_user": _USER,
        "get_authenticated_user": _USER,
        "get_current_superuser": _SUPERUSER,
        "get_current_user_from_token": _USER,
        "get_current_verified_user": _USER,
        "get_optional_current_user": _OPTIONAL,
        "get_service_http_client": "mysingle.clients.BaseGrpcClient",
        "get_user_cache": "mysingle.database.create_user_cache",
        "optional_current_user": _OPTIONAL,
        "setup_logging_legacy": "mysingle.core.logging.setup_logging",
    }
)
"""Name of version 1, wherever it was imported from → where it is now, and how it is called."""

ENUMS: Mapping[str, Gone] = MappingProxyType(dict.fromkeys(("LogLevel", "SeverityLevel", "TaskStatus"), _ENUM))

GONE: Mapping[str, Gone] = MappingProxyType(
    {
        **ENUMS,
        "HEADER_KONG_CONSUMER_ID": Gone("the gateway identifies users; read the caller with mysingle.auth", "headers"),
        "HttpClientConfig": Gone("timeouts and retries are options of BaseGrpcClient", "http-clients"),
        "ServiceHttpClientManager": Gone("channels of BaseGrpcClient are pooled by themselves", "http-clients"),
        "http_client_lifespan": Gone("the app factory closes the channels of clients", "http-clients"),
        "make_service_request": _HTTP,
    }
)
"""Name of version 1 that has no successor → what to do instead."""

GONE_SETTINGS: Mapping[str, Gone] = MappingProxyType(
    {
        "AUTH_APP_VERSION": Gone("the version is an argument of create_service_config", "settings"),
        "DEV_MODE": Gone("ENVIRONMENT=development says so", "settings"),
        "OKTA_": Gone("sign-in with another provider is set up with OIDC_ISSUER and its neighbours", "settings"),
        "USE_GRPC_FOR_": Gone("services always call each other over gRPC", "hybrid-clients"),
    }
)
"""Setting, or with an underscore at its end the beginning of settings, that nobody reads any more."""


class GoneError(ImportError):
    """A name of version 1 that has no successor was imported; the message says what to do instead."""

    def __init__(self, subject: str, gone: Gone) -> None:
        super().__init__(f"{subject} was removed in version 2: {gone.advice}. To change a service, run: {COMMAND}")


_SUCCESSORS = ("mysingle.auth.", "mysingle.core.")
"""Where the names are that take what their older names took; what is elsewhere is another thing."""


def former(package: str, name: str) -> Any:
    """
    Return what a façade has in the place of a name of version 1, with a DeprecationWarning.

    Raises:
        AttributeError: there never was such a name. GoneError: what took its place is used differently.
    """
    if name in GONE:
        _refuse(package, name)
    if name not in RENAMED:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    if not RENAMED[name].startswith(_SUCCESSORS):
        raise GoneError(f"{package}.{name}", Gone(f"use {RENAMED[name]}", "imports"))
    place, _, renamed = RENAMED[name].rpartition(".")
    if not _is_asked(3):
        text = f"{package}.{name} is now {RENAMED[name]}, and goes in version 3. To change all of them, run: {COMMAND}"
        warnings.warn(text, DeprecationWarning, stacklevel=3)
    return getattr(importlib.import_module(place), renamed)


def forward(module: str) -> Callable[[str], Any]:
    """
    Return the `__getattr__` of an old module: names come from where they are now, with a DeprecationWarning.

    Raises:
        GoneError: from the function, for names without a successor.
    """

    def find(name: str) -> Any:
        if name in GONE or module in GONE_MODULES:
            return _refuse(module, name)
        target = importlib.import_module(MOVED.get(module) or OTHER_LINE[module])
        if name == "__all__":
            return list(target.__all__)
        place, found = _found(target, name)
        if place is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        if module in MOVED and not _is_asked(2):
            text = f"{module}.{name} is now {place}, and goes in version 3. To change all of them, run: {COMMAND}"
            warnings.warn(text, DeprecationWarning, stacklevel=2)
        return found

    return find


def _is_asked(depth: int) -> bool:
    """Tell whether Python only asks for the name; it takes it right afterwards, and one use is one warning."""
    return sys._getframe(depth).f_code.co_name == "_handle_fromlist"  # noqa: SLF001  # as warnings does


def _found(target: ModuleType, name: str) -> tuple[str | None, Any]:
    """Return the new path of a name and what it is; no path when there is none."""
    if name in RENAMED:
        place, _, renamed = RENAMED[name].rpartition(".")
        return RENAMED[name], getattr(importlib.import_module(place), renamed)
    is_there = name in target.__all__
    return (f"{target.__name__}.{name}", getattr(target, name)) if is_there else (None, None)


def _refuse(module: str, name: str) -> Any:
    """Raise for what is gone; the names that Python itself asks every module for are merely absent."""
    if name.startswith("__"):
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    raise GoneError(f"{module}.{name}", GONE.get(name) or GONE_MODULES[module])
