"""The settings of gRPC: the server, calls to others, trust between services, the cache of responses."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt, SecretStr
from pydantic_settings import BaseSettings

from mysingle._kernel.settings.types import Flag, Lifetime, Port, Seconds, SecretList

__all__ = ["GrpcSettings"]

_MAX_KEYS = 3
_MEBIBYTE = 1024 * 1024


def _keys(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if len(keys) > _MAX_KEYS:
        raise ValueError(f"Input should have at most {_MAX_KEYS} keys: one in use and those that are being replaced")
    return keys


_CALLER = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}:[0-9a-f]{64}")


def _caller_keys(pairs: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not all(_CALLER.fullmatch(pair.get_secret_value()) for pair in pairs):
        raise ValueError("Input should be pairs such as strategy-service:KEY, as `mysingle keys` prints them")
    return pairs


class GrpcSettings(BaseSettings):
    """How services call each other."""

    GRPC_SERVER_HOST: str = "0.0.0.0"  # noqa: S104  # a service in a container is called from outside of it
    GRPC_SERVER_PORT: Port = 50051
    GRPC_SERVER_MAX_CONCURRENT_RPCS: PositiveInt = 1_000
    GRPC_SERVER_MAX_LOOP_LAG_SECONDS: Seconds = 1.0
    GRPC_SERVER_MAX_CONNECTION_AGE_SECONDS: Seconds = 300.0
    GRPC_SERVER_MAX_CONNECTION_AGE_GRACE_SECONDS: Seconds = 30.0
    GRPC_SERVER_REUSE_PORT: Flag = False
    GRPC_SERVER_WORKER_THREADS: PositiveInt = 10
    GRPC_ENABLE_AUTH: Flag = True
    GRPC_ENABLE_LOGGING: Flag = True
    GRPC_ENABLE_METRICS: Flag = True
    GRPC_ENABLE_REFLECTION: Flag | None = None
    GRPC_KEEPALIVE_TIME_SECONDS: Seconds = 30.0
    GRPC_KEEPALIVE_TIMEOUT_SECONDS: Seconds = 10.0
    GRPC_KEEPALIVE_MIN_INTERVAL_SECONDS: Seconds = 10.0
    GRPC_MAX_MESSAGE_LENGTH: PositiveInt = 4 * _MEBIBYTE
    GRPC_DEFAULT_TIMEOUT_SECONDS: Seconds = 10.0
    GRPC_DEADLINE_RESERVE_SECONDS: Annotated[float, Field(ge=0, le=60)] = 0.01
    GRPC_DEADLINE_MINIMUM_SECONDS: Annotated[float, Field(ge=0, le=60)] = 0.005
    GRPC_USE_TLS: Flag = False
    GRPC_TLS_CA_FILE: Path | None = None
    GRPC_TLS_CERT_FILE: Path | None = None
    GRPC_TLS_KEY_FILE: Path | None = None
    GRPC_TLS_REQUIRE_CLIENT_CERT: Flag = False
    GRPC_TRUST: Literal["auto", "network"] = "auto"
    GRPC_SERVICE_KEYS: Annotated[SecretList, AfterValidator(_keys)] = ()
    GRPC_CALLER_KEYS: Annotated[SecretList, AfterValidator(_caller_keys)] = ()
    GRPC_SERVICE_MAX_SKEW_SECONDS: Annotated[int, Field(ge=1, le=300)] = 30
    GRPC_CACHE_ENABLED: Flag = True
    GRPC_CACHE_TTL_SECONDS: Lifetime = 3600
    GRPC_CACHE_L1_ENTRIES: Annotated[int, Field(ge=0)] = 1_000
