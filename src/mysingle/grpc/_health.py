"""grpc.health.v1, told by the state that `/ready` tells."""

import asyncio
from collections.abc import Sequence
from typing import Any

from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from mysingle._kernel.health import HealthRegistry, ServiceState

__all__ = ["HealthService"]

SERVICE = "grpc.health.v1.Health"
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class HealthService:
    """Follows a registry: SERVING while it is ready, for the whole server and for each service."""

    def __init__(self, registry: HealthRegistry, services: Sequence[str]) -> None:
        self._registry = registry
        self._names = ("", *services)
        self._servicer: Any = health.aio.HealthServicer()
        self._tasks: set[asyncio.Task[None]] = set()
        self._status: Any = None

    def add_to(self, server: Any) -> None:
        """Serve it."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def follow(self) -> None:
        """Begin to follow the registry."""
        self._registry.on_change(lambda _: self._changed())
        self._registry.on_result(lambda _name, _passed: self._changed())
        await self._set()

    def _changed(self) -> None:
        try:
            task = asyncio.get_running_loop().create_task(self._set())
        except RuntimeError:
            return  # a signal handler of another thread: the next change, or the end, tells it
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _set(self) -> None:
        is_serving = self._registry.is_ready()
        status = _SERVING if is_serving else _NOT_SERVING
        if status == self._status:
            return
        self._status = status
        for name in self._names:
            await self._servicer.set(name, status)
        if self._registry.state is ServiceState.STOPPED:
            await self._servicer.enter_graceful_shutdown()
