"""The gateway in front of the services: configurations for Kong and Envoy from one list, and a linter for Kong's."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.tooling.gateway.errors import GatewayFileError
    from mysingle.tooling.gateway.linting import Finding, lint
    from mysingle.tooling.gateway.model import Gateway, Mtls, Service, SigningKey, read_gateway
    from mysingle.tooling.gateway.rendering import TARGETS, gateway_config, render

__all__ = [
    "TARGETS",
    "Finding",
    "Gateway",
    "GatewayFileError",
    "Mtls",
    "Service",
    "SigningKey",
    "gateway_config",
    "lint",
    "read_gateway",
    "render",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "TARGETS": ".rendering",
        "Finding": ".linting",
        "Gateway": ".model",
        "GatewayFileError": ".errors",
        "Mtls": ".model",
        "Service": ".model",
        "SigningKey": ".model",
        "lint": ".linting",
        "read_gateway": ".model",
        "gateway_config": ".rendering",
        "render": ".rendering",
    },
    extra="dev",
)
