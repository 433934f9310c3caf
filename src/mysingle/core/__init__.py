"""The app factory and what a service asks of its chassis."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle._kernel.context import current_context
    from mysingle._kernel.logging import get_logger
    from mysingle._kernel.settings import CommonSettings
    from mysingle.core._leave import leave_within
    from mysingle.core._serve import load_app, run
    from mysingle.core._surface import Endpoint, api_document, list_endpoints
    from mysingle.core.app import create_fastapi_app
    from mysingle.core.config import get_settings, settings
    from mysingle.core.rate_limit import rate_limited
    from mysingle.core.service import ServiceConfig, ServiceType, create_service_config

__all__ = [
    "CommonSettings",
    "Endpoint",
    "ServiceConfig",
    "ServiceType",
    "api_document",
    "create_fastapi_app",
    "create_service_config",
    "current_context",
    "get_logger",
    "get_settings",
    "leave_within",
    "list_endpoints",
    "load_app",
    "rate_limited",
    "run",
    "settings",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "CommonSettings": "mysingle._kernel.settings",
        "Endpoint": "._surface",
        "ServiceConfig": ".service",
        "ServiceType": ".service",
        "api_document": "._surface",
        "create_fastapi_app": ".app",
        "create_service_config": ".service",
        "current_context": "mysingle._kernel.context",
        "get_logger": "mysingle._kernel.logging",
        "get_settings": ".config",
        "leave_within": "._leave",
        "list_endpoints": "._surface",
        "load_app": "._serve",
        "rate_limited": ".rate_limit",
        "run": "._serve",
        "settings": ".config",
    },
    extra="web",
)
