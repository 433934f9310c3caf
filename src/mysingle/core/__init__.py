"""The app factory and what a service asks of its chassis."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle._kernel.context import current_context
    from mysingle._kernel.logging import get_logger
    from mysingle._kernel.settings import CommonSettings
    from mysingle.core._leave import leave_within
    from mysingle.core._serve import run
    from mysingle.core.app import create_fastapi_app
    from mysingle.core.config import get_settings, settings
    from mysingle.core.rate_limit import rate_limited
    from mysingle.core.service import ServiceConfig, ServiceType, create_service_config

__all__ = [
    "CommonSettings",
    "ServiceConfig",
    "ServiceType",
    "create_fastapi_app",
    "create_service_config",
    "current_context",
    "get_logger",
    "get_settings",
    "leave_within",
    "rate_limited",
    "run",
    "settings",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "CommonSettings": "mysingle._kernel.settings",
        "ServiceConfig": ".service",
        "ServiceType": ".service",
        "create_fastapi_app": ".app",
        "create_service_config": ".service",
        "current_context": "mysingle._kernel.context",
        "get_logger": "mysingle._kernel.logging",
        "get_settings": ".config",
        "leave_within": "._leave",
        "rate_limited": ".rate_limit",
        "run": "._serve",
        "settings": ".config",
    },
    extra="web",
)
