"""A server that lives inside of an app: it shares the app's state and metrics, and drains beside it."""

from typing import Protocol, runtime_checkable

from mysingle._kernel.health import HealthRegistry
from mysingle._kernel.lifecycle import Resource
from mysingle._kernel.metrics import ServiceMetrics

__all__ = ["DrainingResource"]


@runtime_checkable
class DrainingResource(Resource, Protocol):
    """A resource that serves callers of its own, such as a gRPC server."""

    def join(self, health: HealthRegistry, metrics: ServiceMetrics) -> None:
        """Take the app's state and metrics as its own; called when the app is made."""

    def begin_stop(self) -> None:
        """Take no new calls from now on; `close` waits for those in flight."""
