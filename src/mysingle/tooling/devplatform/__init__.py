"""The whole platform on one machine: data servers, services and gateway, under one supervisor."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.tooling.devplatform.errors import PlatformError, StackFileError
    from mysingle.tooling.devplatform.plan import GatewayPlan, Plan, ServicePlan, make_plan
    from mysingle.tooling.devplatform.running import Row, run_platform
    from mysingle.tooling.devplatform.screen import Screen
    from mysingle.tooling.devplatform.stack import STACK_FILE, Service, Stack, read_stack, single_service

__all__ = [
    "STACK_FILE",
    "GatewayPlan",
    "Plan",
    "PlatformError",
    "Row",
    "Screen",
    "Service",
    "ServicePlan",
    "Stack",
    "StackFileError",
    "make_plan",
    "read_stack",
    "run_platform",
    "single_service",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "STACK_FILE": ".stack",
        "GatewayPlan": ".plan",
        "Plan": ".plan",
        "PlatformError": ".errors",
        "Row": ".running",
        "Screen": ".screen",
        "Service": ".stack",
        "ServicePlan": ".plan",
        "Stack": ".stack",
        "StackFileError": ".errors",
        "make_plan": ".plan",
        "read_stack": ".stack",
        "run_platform": ".running",
        "single_service": ".stack",
    },
    extra="embedded",
)
