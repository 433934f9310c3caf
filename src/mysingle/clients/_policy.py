"""How calls to a target behave: typed, checked when it is made, and compiled to gRPC's service config."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from mysingle._kernel.errors import ErrorCode, MySingleError
from mysingle._kernel.settings import GrpcSettings
from mysingle.grpc import Idempotency, idempotent_methods

__all__ = ["ClientPolicy", "PolicyError"]

_MAX_ATTEMPTS = 5
_MAX_TOKENS = 1000
_MAX_PER_CENT = 100


class PolicyError(MySingleError, ValueError):
    """A policy that gRPC would refuse at the first call, or ignore; the message names the field."""

    default_code = ErrorCode.FAILED_PRECONDITION


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPolicy:
    """
    How calls to one target behave. Times are seconds.

    Only methods that their proto declares idempotent are tried again, only after UNAVAILABLE, and only while
    `retry_tokens` last: one is used up by each failure, and `retry_token_ratio` comes back with each success.

    Args:
        max_attempts: the first one included; 1 for none after it.
        ejection: leave a backend out for a while when most of its calls fail.
        health_checking: leave a backend out while it says that it is not serving.
        hedge_after: unary methods without side effects (`pkg.Service/Method`) that get a second attempt when no answer
            has come in so many seconds.
        max_reconnect_delay: how long after an outage a backend may stay unnoticed; gRPC itself waits up to two minutes.
        breaker: refuse calls, more and more of them, while a target fails.
    """

    max_attempts: int = 3
    initial_backoff: float = 0.05
    max_backoff: float = 1.0
    backoff_multiplier: float = 2.0
    retry_tokens: int = 100
    retry_token_ratio: float = 0.1
    ejection: bool = True
    ejection_interval: float = 1.0
    ejection_time: float = 10.0
    ejection_threshold: int = 60
    health_checking: bool = True
    breaker: bool = True
    keepalive_time: float = 30.0
    keepalive_timeout: float = 10.0
    min_ping_interval: float = 10.0
    max_reconnect_delay: float = 2.0
    max_message_bytes: int = 4 * 1024 * 1024
    hedge_after: Mapping[str, float] = field(default_factory=dict, hash=False)
    options: tuple[tuple[str, int | str], ...] = ()

    def __post_init__(self) -> None:
        """Check every field."""
        checks = (
            ("max_attempts", 1 <= self.max_attempts <= _MAX_ATTEMPTS, f"must be 1 to {_MAX_ATTEMPTS}"),
            (
                "initial_backoff",
                0 < self.initial_backoff <= self.max_backoff,
                "must be above 0, and not above max_backoff",
            ),
            ("backoff_multiplier", self.backoff_multiplier > 0, "must be above 0"),
            ("retry_tokens", 1 <= self.retry_tokens <= _MAX_TOKENS, f"must be 1 to {_MAX_TOKENS}"),
            ("retry_token_ratio", self.retry_token_ratio >= 0.001, "must be at least 0.001"),
            ("ejection_interval", self.ejection_interval > 0, "must be above 0"),
            ("ejection_time", self.ejection_time > 0, "must be above 0"),
            ("ejection_threshold", 0 <= self.ejection_threshold <= _MAX_PER_CENT, "is a percentage"),
            ("keepalive_timeout", self.keepalive_timeout > 0, "must be above 0"),
            ("max_reconnect_delay", self.max_reconnect_delay >= 0.1, "must be at least 0.1"),
            ("max_message_bytes", self.max_message_bytes > 0, "must be above 0"),
            (
                "keepalive_time",
                self.keepalive_time >= self.min_ping_interval,
                f"{self.keepalive_time:g} s is shorter than the {self.min_ping_interval:g} s that servers allow "
                "(GRPC_KEEPALIVE_MIN_INTERVAL_SECONDS): they would close the connection with too_many_pings",
            ),
        )
        for name, is_right, what in checks:
            if not is_right:
                raise _wrong(name, what)
        for method, delay in self.hedge_after.items():
            self._check_hedge(method, delay)

    def _check_hedge(self, method: str, delay: float) -> None:
        service, _, name = method.partition("/")
        if idempotent_methods(service).get(name) is not Idempotency.NO_SIDE_EFFECTS:
            raise _wrong("hedge_after", f"{method} is not declared NO_SIDE_EFFECTS in its proto")
        if delay <= 0:
            raise _wrong("hedge_after", f"{method}: the delay must be above 0")

    @classmethod
    def from_settings(cls, settings: GrpcSettings) -> "ClientPolicy":
        """Return the policy that the settings say."""
        return cls(
            keepalive_time=settings.GRPC_KEEPALIVE_TIME_SECONDS,
            keepalive_timeout=settings.GRPC_KEEPALIVE_TIMEOUT_SECONDS,
            min_ping_interval=settings.GRPC_KEEPALIVE_MIN_INTERVAL_SECONDS,
            max_message_bytes=settings.GRPC_MAX_MESSAGE_LENGTH,
        )

    def service_config(self, service: str) -> str:
        """Return gRPC's service config for one service, as JSON."""
        config: dict[str, object] = {
            "loadBalancingConfig": [self._balancing()],
            "retryThrottling": {"maxTokens": self.retry_tokens, "tokenRatio": round(self.retry_token_ratio, 3)},
            "methodConfig": [{"name": [{}], "waitForReady": False}, *self._retries(service)],
        }
        if self.health_checking:
            config["healthCheckConfig"] = {"serviceName": ""}
        return json.dumps(config)

    def _balancing(self) -> dict[str, object]:
        if not self.ejection:
            return {"round_robin": {}}
        return {
            "outlier_detection_experimental": {
                "interval": _seconds(self.ejection_interval),
                "baseEjectionTime": _seconds(self.ejection_time),
                "maxEjectionPercent": 50,
                "failurePercentageEjection": {
                    "threshold": self.ejection_threshold,
                    "minimumHosts": 2,
                    "requestVolume": 10,
                },
                "childPolicy": [{"round_robin": {}}],
            }
        }

    def _retries(self, service: str) -> list[dict[str, object]]:
        names = [{"service": service, "method": name} for name in sorted(idempotent_methods(service))]
        if not names or self.max_attempts == 1:
            return []
        retry = {
            "maxAttempts": self.max_attempts,
            "initialBackoff": _seconds(self.initial_backoff),
            "maxBackoff": _seconds(self.max_backoff),
            "backoffMultiplier": self.backoff_multiplier,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
        return [{"name": names, "retryPolicy": retry}]

    def channel_options(self, service: str) -> list[tuple[str, int | str]]:
        """Return the channel arguments for one service; `options` replace ours."""
        own: list[tuple[str, int | str]] = [
            ("grpc.service_config", self.service_config(service)),
            ("grpc.enable_retries", 1),
            ("grpc.keepalive_time_ms", int(self.keepalive_time * 1000)),
            ("grpc.keepalive_timeout_ms", int(self.keepalive_timeout * 1000)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.initial_reconnect_backoff_ms", min(1000, int(self.max_reconnect_delay * 1000))),
            ("grpc.max_reconnect_backoff_ms", int(self.max_reconnect_delay * 1000)),
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.max_send_message_length", self.max_message_bytes),
        ]
        return list(dict([*own, *self.options]).items())


def _seconds(value: float) -> str:
    return f"{value:.3f}s"


def _wrong(name: str, what: str) -> PolicyError:
    return PolicyError(f"{name}: {what}", reason="CLIENT_POLICY")
