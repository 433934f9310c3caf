"""The worker of a service's background tasks, kept running: started again after an edit, and after a crash."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from mysingle.tooling.devplatform._process import KeptProcess
from mysingle.tooling.devplatform.plan import ServicePlan
from mysingle.tooling.devplatform.screen import Screen

__all__ = ["RunningWorker"]

_END_SECONDS = 25.0
_PAUSE_SECONDS = 5.0


class RunningWorker:
    """
    A worker of the platform while the platform runs; `live` does it, until it is cancelled.

    Args:
        plan: how its service is started.
        environment: the variables of this process and of the data servers; those of the plan count more.
        screen: gets its lines, and what happens to it.
    """

    def __init__(self, plan: ServicePlan, environment: Mapping[str, str], screen: Screen) -> None:
        self._plan = plan
        self._environment = {"PYTHONUNBUFFERED": "1", "LOG_FORMAT": "json", **environment, **plan.environment}
        self._screen = screen
        self._edited = asyncio.Event()
        self._process: KeptProcess | None = None

    async def live(self) -> None:
        """Keep it running."""
        while True:
            self._edited.clear()
            process = self._process = await KeptProcess.start(
                self._plan.worker_command, self._plan.folder, self._environment, self._show
            )
            edited = asyncio.create_task(self._edited.wait())
            try:
                await asyncio.wait([edited, process.ended], return_when=asyncio.FIRST_COMPLETED)
            finally:
                edited.cancel()
            if self._edited.is_set():
                await process.end(_END_SECONDS)
            else:
                await self._rest(process.ended.result())

    def edit(self) -> None:
        """Start it anew because files have changed; the task that it is running ends before."""
        self._edited.set()

    async def end(self) -> None:
        """End it in order."""
        if self._process is not None:
            await self._process.end(_END_SECONDS)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()

    async def _rest(self, status: int) -> None:
        self._screen.say(
            f"the worker of {self._plan.name} ended with code {status}; it is started again in {_PAUSE_SECONDS:g} s"
        )
        with suppress(TimeoutError):
            await asyncio.wait_for(self._edited.wait(), _PAUSE_SECONDS)

    def _show(self, line: bytes) -> None:
        self._screen.log(self._plan.worker_name, line)
