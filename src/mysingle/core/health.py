"""The state of a service and the checks behind it."""

from mysingle._kernel.health import Check, CheckResult, HealthRegistry, ServiceState

__all__ = ["Check", "CheckResult", "HealthRegistry", "ServiceState"]
