"""The gateway in front of the services: configurations for Kong and Envoy from one list, and a linter for Kong's."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.tooling.gateway.errors import GatewayFileError, GatewayKeysError
    from mysingle.tooling.gateway.fetching import fetch_keys
    from mysingle.tooling.gateway.keys import SigningKey, read_keys
    from mysingle.tooling.gateway.linting import Finding, lint
    from mysingle.tooling.gateway.model import Gateway, Mtls, Service, read_gateway
    from mysingle.tooling.gateway.rendering import TARGETS, gateway_config, render

__all__ = [
    "TARGETS",
    "Finding",
    "Gateway",
    "GatewayFileError",
    "GatewayKeysError",
    "Mtls",
    "Service",
    "SigningKey",
    "fetch_keys",
    "gateway_config",
    "lint",
    "read_gateway",
    "read_keys",
    "render",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "TARGETS": ".rendering",
        "Finding": ".linting",
        "Gateway": ".model",
        "GatewayFileError": ".errors",
        "GatewayKeysError": ".errors",
        "Mtls": ".model",
        "Service": ".model",
        "SigningKey": ".keys",
        "fetch_keys": ".fetching",
        "lint": ".linting",
        "read_gateway": ".model",
        "read_keys": ".keys",
        "gateway_config": ".rendering",
        "render": ".rendering",
    },
    extra="dev",
)
