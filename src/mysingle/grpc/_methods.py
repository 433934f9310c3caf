"""What is known of a method: its names, its kind, and what trying it again may do."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from google.protobuf import descriptor_pool

__all__ = ["Idempotency", "Method", "idempotent_methods", "method_idempotency"]

_MAX_KNOWN = 4096


class Idempotency(StrEnum):
    """The `idempotency_level` of a method's declaration."""

    UNKNOWN = "unknown"
    NO_SIDE_EFFECTS = "no_side_effects"
    IDEMPOTENT = "idempotent"


_LEVELS = {0: Idempotency.UNKNOWN, 1: Idempotency.NO_SIDE_EFFECTS, 2: Idempotency.IDEMPOTENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method of a server. `name` is `pkg.Service/Method`; the path has a slash before it."""

    name: str
    request_streaming: bool
    response_streaming: bool
    idempotency: Idempotency = Idempotency.UNKNOWN

    @property
    def path(self) -> str:
        """The name on the wire."""
        return f"/{self.name}"

    @property
    def kind(self) -> str:
        """What streams: `unary`, `server stream`, `client stream` or `both stream`."""
        sides = {(False, False): "unary", (False, True): "server stream", (True, False): "client stream"}
        return sides.get((self.request_streaming, self.response_streaming), "both stream")

    @property
    def is_unary(self) -> bool:
        """Whether one message goes in and one comes out."""
        return not (self.request_streaming or self.response_streaming)


def idempotent_methods(service: str) -> dict[str, Idempotency]:
    """Return the methods of a service that its proto declares idempotent; empty for an unknown service."""
    return {name: level for name, level in _declared(service).items() if level is not Idempotency.UNKNOWN}


def method_idempotency(path: str) -> Idempotency:
    """Return what the proto declares of `/pkg.Service/Method`."""
    _, service, name = path.split("/") if path.count("/") == 2 else ("", "", "")
    return _declared(service).get(name, Idempotency.UNKNOWN)


@lru_cache(maxsize=_MAX_KNOWN)
def _declared(service: str) -> dict[str, Idempotency]:
    try:
        descriptor = descriptor_pool.Default().FindServiceByName(service)
    except KeyError:
        return {}
    return {item.name: _LEVELS[item.GetOptions().idempotency_level] for item in descriptor.methods}
