"""Clients of other services. Importing it loads no library."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.clients._base import BaseGrpcClient
    from mysingle.clients._discovery import DiscoveryError
    from mysingle.clients._policy import ClientPolicy, PolicyError
    from mysingle.clients._pool import get_pool, reset_pool

__all__ = ["BaseGrpcClient", "ClientPolicy", "DiscoveryError", "PolicyError", "get_pool", "reset_pool"]

_MODULES = {
    "._base": "BaseGrpcClient",
    "._discovery": "DiscoveryError",
    "._policy": "ClientPolicy PolicyError",
    "._pool": "get_pool reset_pool",
}

__getattr__, __dir__ = lazy_exports(
    __name__, {name: module for module, names in _MODULES.items() for name in names.split()}, extra="clients"
)
