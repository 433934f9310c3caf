"""The ASGI lifespan protocol, spoken in the background of a server that already listens."""

import asyncio
from typing import Any

from mysingle._kernel.asgi import App, Message
from mysingle._kernel.health import HealthRegistry, ServiceState
from mysingle._kernel.logging import get_logger
from mysingle._kernel.shutdown import CLOSE_SECONDS

__all__ = ["BackgroundLifespan"]

log = get_logger("mysingle.core")


class BackgroundLifespan:
    """
    The lifespan protocol behind an open listener, so that probes answer while a database is still away.

    With `waits`, the listener opens after start-up instead: who shares a socket must not take requests too early.
    """

    def __init__(self, app: App, health: HealthRegistry, *, waits: bool) -> None:
        self.state: dict[str, Any] = {}
        self.should_exit = False
        self.has_failed = False
        self._app = app
        self._health = health
        self._waits = waits
        self._started = asyncio.Event()
        self._stopping = asyncio.Event()
        self._asked = False
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Begin the start."""
        self._health.enter(ServiceState.STARTING)
        self._task = asyncio.create_task(self._live(), name="lifespan")
        if self._waits:
            await self._started.wait()

    def give_up(self) -> None:
        """End a start for which the listener waits; for signal handlers, and too late it does nothing."""
        if self._waits and self._task is not None and not self._started.is_set():
            self.should_exit = True
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    async def shutdown(self) -> None:
        """End what has begun: a start that is still going on is given up."""
        if self._task is None:
            return
        self._stopping.set()
        if not self._started.is_set():
            self._task.cancel()
        # Waiting through a timeout would wait on for a task that ignores its cancellation.
        _, pending = await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
        if pending:
            self._task.cancel()
            self._end_badly(f"the lifespan did not end within {CLOSE_SECONDS:g} s")

    async def _live(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except (Exception, SystemExit) as error:  # the failure itself came as a message, unless there was none
            if not self.should_exit and not self._stopping.is_set():
                self._fail(repr(error))
        finally:
            self._started.set()

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        await self._stopping.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            self._fail(str(message.get("message", "")))
        elif message["type"] == "lifespan.shutdown.failed":
            self._end_badly(str(message.get("message", "")))
        self._started.set()

    def _end_badly(self, reason: str) -> None:
        self.has_failed = True
        log.error("service.unclean_stop", reason=reason)

    def _fail(self, message: str) -> None:
        self.should_exit = True
        log.critical("service.start_failed", reason=message)
