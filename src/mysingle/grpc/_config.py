"""The configuration of a server: frozen, and made from the settings."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mysingle._kernel.errors import ErrorCode, MySingleError
from mysingle._kernel.once import IdempotencyStore
from mysingle._kernel.settings import CommonSettings
from mysingle.grpc._interceptors.auth import Trust
from mysingle.grpc._interceptors.rate_limit import RateLimiter
from mysingle.grpc.cache import GrpcCache

__all__ = ["GrpcConfigError", "GrpcServerConfig"]

_MAX_PORT = 65_535


class GrpcConfigError(MySingleError, ValueError):
    """A configuration that cannot be used, or must not be; the message names the field."""

    default_code = ErrorCode.FAILED_PRECONDITION


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcServerConfig:
    """
    How one server is built.

    Args:
        service_name: its own name, for which callers sign.
        host, port: where to listen; port 0 takes a free one, `unix:/path` as host a socket.
        trust: what makes a user id believed.
        keys: what all services share, to verify who calls and for whom; one in use and those being replaced.
        caller_keys: in place of that, who may call, each with keys of its own; see `GRPC_CALLER_KEYS`.
        exempt_methods: `pkg.Service/Method` or `pkg.Service/*`, which need no user.
        maximum_concurrent_rpcs: further calls are refused with RESOURCE_EXHAUSTED, and told when to come back.
        max_loop_lag_seconds: when the event loop is later than that, calls are refused with UNAVAILABLE.
        rate_limiter, idempotency_store, cache: what the layers of those names use; without one there is no such layer.
        interceptors: your own interceptors of `grpc.aio`, outside of the layers.
        options: further channel arguments of gRPC.
    """

    service_name: str
    host: str = "0.0.0.0"  # noqa: S104  # a service in a container is called from outside of it
    port: int = 50051
    trust: Trust = Trust.NOTHING
    keys: tuple[bytes, ...] = ()
    caller_keys: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict, hash=False)
    max_skew_seconds: int = 30
    exempt_methods: tuple[str, ...] = ()
    enable_auth: bool = True
    enable_logging: bool = True
    enable_metrics: bool = True
    enable_health: bool = True
    enable_reflection: bool = False
    maximum_concurrent_rpcs: int = 1_000
    max_loop_lag_seconds: float = 1.0
    max_message_bytes: int = 4 * 1024 * 1024
    min_ping_interval_seconds: float = 10.0
    max_connection_age_seconds: float = 300.0
    max_connection_age_grace_seconds: float = 30.0
    reuse_port: bool = False
    worker_threads: int = 10
    shutdown_grace_seconds: float = 20.0
    drain_delay_seconds: float = 0.0
    use_tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    require_client_cert: bool = False
    rate_limiter: RateLimiter | None = None
    idempotency_store: IdempotencyStore | None = None
    cache: GrpcCache | None = None
    interceptors: tuple[Any, ...] = ()
    options: tuple[tuple[str, int | str], ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    on_auth_refused: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        """Check what can be wrong without a network."""
        if not self.service_name:
            raise _wrong("service_name", "is empty")
        if not 0 <= self.port <= _MAX_PORT:
            raise _wrong("port", f"{self.port} is not between 0 and {_MAX_PORT}")
        if self.use_tls and (self.cert_file is None or self.key_file is None):
            raise _wrong("cert_file", "TLS needs GRPC_TLS_CERT_FILE and GRPC_TLS_KEY_FILE")
        if self.require_client_cert and self.ca_file is None:
            raise _wrong("ca_file", "to require client certificates, GRPC_TLS_CA_FILE must be set")
        if self.trust is Trust.SIGNED and not self.keys and not self.caller_keys:
            raise _wrong("keys", "a signature can only be verified with GRPC_SERVICE_KEYS or GRPC_CALLER_KEYS")

    @property
    def address(self) -> str:
        """Where it listens, as gRPC writes it."""
        return self.host if self.host.startswith("unix:") else f"{self.host}:{self.port}"

    @classmethod
    def from_settings(
        cls, settings: CommonSettings, service_name: str, port: int | None = None, **overrides: Any
    ) -> "GrpcServerConfig":
        """
        Return the configuration that the settings say.

        Args:
            settings: `CommonSettings`, or a subclass of it.
            service_name: the name of the service.
            port: in place of `GRPC_SERVER_PORT`.
            overrides: any field of this class.

        Raises:
            GrpcConfigError: a field that cannot be used.
        """
        values: dict[str, Any] = {**_from(settings), **_trust(settings, overrides)}
        values["port"] = settings.GRPC_SERVER_PORT if port is None else port
        unknown = overrides.keys() - cls.__dataclass_fields__.keys()
        if unknown:
            raise _wrong(", ".join(sorted(unknown)), "is no field of GrpcServerConfig")
        return cls(service_name=service_name, **(values | overrides))


def _from(settings: CommonSettings) -> dict[str, Any]:
    reflection = settings.GRPC_ENABLE_REFLECTION
    return {
        "host": settings.GRPC_SERVER_HOST,
        "max_skew_seconds": settings.GRPC_SERVICE_MAX_SKEW_SECONDS,
        "enable_auth": settings.GRPC_ENABLE_AUTH,
        "enable_logging": settings.GRPC_ENABLE_LOGGING,
        "enable_metrics": settings.GRPC_ENABLE_METRICS,
        "enable_reflection": not settings.is_production if reflection is None else reflection,
        "maximum_concurrent_rpcs": settings.GRPC_SERVER_MAX_CONCURRENT_RPCS,
        "max_loop_lag_seconds": settings.GRPC_SERVER_MAX_LOOP_LAG_SECONDS,
        "max_message_bytes": settings.GRPC_MAX_MESSAGE_LENGTH,
        "min_ping_interval_seconds": settings.GRPC_KEEPALIVE_MIN_INTERVAL_SECONDS,
        "max_connection_age_seconds": settings.GRPC_SERVER_MAX_CONNECTION_AGE_SECONDS,
        "max_connection_age_grace_seconds": settings.GRPC_SERVER_MAX_CONNECTION_AGE_GRACE_SECONDS,
        "reuse_port": settings.GRPC_SERVER_REUSE_PORT,
        "worker_threads": settings.GRPC_SERVER_WORKER_THREADS,
        "shutdown_grace_seconds": settings.SHUTDOWN_GRACE_SECONDS,
        "drain_delay_seconds": settings.drain_delay_seconds,
        "use_tls": settings.GRPC_USE_TLS,
        "ca_file": settings.GRPC_TLS_CA_FILE,
        "cert_file": settings.GRPC_TLS_CERT_FILE,
        "key_file": settings.GRPC_TLS_KEY_FILE,
        "require_client_cert": settings.GRPC_TLS_REQUIRE_CLIENT_CERT,
    }


def _trust(settings: CommonSettings, overrides: dict[str, Any]) -> dict[str, Any]:
    """Choose what makes a user id believed: the same rules as for the gateway's headers."""
    keys = tuple(key.get_secret_value().encode() for key in settings.GRPC_SERVICE_KEYS)
    if not overrides.get("enable_auth", settings.GRPC_ENABLE_AUTH):
        return {"trust": Trust.NOTHING}
    if settings.GRPC_TRUST == "network":
        warning = "GRPC_TRUST=network: whoever reaches the port can name any user"
        return {"trust": Trust.NETWORK, "warnings": () if settings.is_relaxed else (warning,)}
    if keys or settings.GRPC_CALLER_KEYS:
        return {"trust": Trust.SIGNED, "keys": keys, "caller_keys": _caller_keys(settings.GRPC_CALLER_KEYS)}
    if settings.is_relaxed:
        return {"trust": Trust.RELAXED, "warnings": ("user ids of gRPC calls are believed without a proof",)}
    problem = "set GRPC_SERVICE_KEYS, so that callers can prove themselves, or GRPC_TRUST=network"
    if settings.is_environment_explicit:
        return {"trust": Trust.NOTHING, "problems": (problem,)}
    way_out = f"{problem}; for local work set ENVIRONMENT=development"
    return {"trust": Trust.NOTHING, "warnings": (way_out,)}


def _caller_keys(pairs: Iterable[Any]) -> dict[str, tuple[bytes, ...]]:
    found: dict[str, tuple[bytes, ...]] = {}
    for pair in pairs:
        name, _, key = pair.get_secret_value().partition(":")
        found[name] = (*found.get(name, ()), bytes.fromhex(key))
    return found


def _wrong(name: str, what: str) -> GrpcConfigError:
    return GrpcConfigError(f"{name}: {what}", reason="GRPC_CONFIGURATION")
