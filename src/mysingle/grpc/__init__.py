"""gRPC servers: identity, deadlines, errors, telemetry and a drain around every handler."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.grpc._config import GrpcConfigError, GrpcServerConfig
    from mysingle.grpc._credentials import TlsFiles, client_credentials
    from mysingle.grpc._interceptors.auth import Trust
    from mysingle.grpc._interceptors.rate_limit import RateLimiter
    from mysingle.grpc._methods import Idempotency, idempotent_methods, method_idempotency
    from mysingle.grpc._server import BaseGrpcServer
    from mysingle.grpc._status import error_of_call, error_of_status, status_code, to_status
    from mysingle.grpc.cache import GrpcCache, MemoryCacheStore, grpc_cached

__all__ = [
    "BaseGrpcServer",
    "GrpcCache",
    "GrpcConfigError",
    "GrpcServerConfig",
    "Idempotency",
    "MemoryCacheStore",
    "RateLimiter",
    "TlsFiles",
    "Trust",
    "client_credentials",
    "error_of_call",
    "error_of_status",
    "grpc_cached",
    "idempotent_methods",
    "method_idempotency",
    "status_code",
    "to_status",
]

_MODULES = {
    "._config": "GrpcConfigError GrpcServerConfig",
    "._credentials": "TlsFiles client_credentials",
    "._interceptors.auth": "Trust",
    "._interceptors.rate_limit": "RateLimiter",
    "._methods": "Idempotency idempotent_methods method_idempotency",
    "._server": "BaseGrpcServer",
    "._status": "error_of_call error_of_status status_code to_status",
    ".cache": "GrpcCache MemoryCacheStore grpc_cached",
}

__getattr__, __dir__ = lazy_exports(
    __name__, {name: module for module, names in _MODULES.items() for name in names.split()}, extra="grpc"
)
