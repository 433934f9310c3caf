"""From the list of services to the configuration of a gateway."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mysingle.tooling.gateway._document import dump
from mysingle.tooling.gateway._envoy import envoy_config, envoy_lacks, envoy_notes
from mysingle.tooling.gateway._kong import kong_config, kong_lacks, kong_notes
from mysingle.tooling.gateway.errors import GatewayFileError
from mysingle.tooling.gateway.keys import SigningKey
from mysingle.tooling.gateway.model import Gateway, read_gateway

__all__ = ["TARGETS", "Target", "gateway_config", "render"]


class Target(NamedTuple):
    """A kind of gateway: its configuration, what else has to be done, and what it lacks to be configured."""

    config: Callable[[Gateway], dict[str, Any]]
    notes: Callable[[Gateway], tuple[str, ...]]
    lacks: Callable[[Gateway], str | None]


TARGETS: Mapping[str, Target] = {
    "kong": Target(kong_config, kong_notes, kong_lacks),
    "envoy": Target(envoy_config, envoy_notes, envoy_lacks),
}
"""The gateways that can be configured."""


def gateway_config(file: Path, target: str, *, keys: tuple[SigningKey, ...] = ()) -> dict[str, Any]:
    """
    Return the configuration of a gateway as values, for `EmbeddedEnvoy` or for changes of your own; see `render`.

    Raises:
        GatewayFileError: the file cannot be used, or lacks what this target needs.
    """
    return TARGETS[target].config(_gateway_for(file, target, keys))


def render(file: Path, target: str, *, as_json: bool = False, keys: tuple[SigningKey, ...] = ()) -> str:
    """
    Return the configuration of a gateway as text.

    Args:
        file: the list of services, see `read_gateway`.
        target: one of `TARGETS`.
        as_json: JSON instead of YAML; it has no room for the comments that say what else has to be done.
        keys: what tokens are verified with, instead of what the file says; see `read_keys` and `fetch_keys`.

    Raises:
        GatewayFileError: the file cannot be used, or lacks what this target needs.
    """
    gateway = _gateway_for(file, target, keys)
    config = TARGETS[target].config(gateway)
    if as_json:
        return json.dumps(config, indent=2) + "\n"
    made = f"Made by `mysingle gateway render --target {target}`: change the list of services, not this file."
    notes = (made, *TARGETS[target].notes(gateway), *_shared_keys(gateway))
    return "".join(f"# {line}\n" for line in notes) + dump(config)


def _shared_keys(gateway: Gateway) -> Iterator[str]:
    """Warn of a key that several services have: the name of the service is all that tells their signatures apart."""
    for key, names in gateway.signing.items():
        if len(names) > 1:
            yield f"Warning: {', '.join(names)} share the key {key}, so whoever reads it in one of them"
            yield "can speak for the gateway to the others; hmac_key of a service gives it a key of its own."


def _gateway_for(file: Path, target: str, keys: tuple[SigningKey, ...]) -> Gateway:
    gateway = read_gateway(file, keys)
    missing = TARGETS[target].lacks(gateway)
    if missing is not None:
        raise GatewayFileError(file, None, missing)
    return gateway
