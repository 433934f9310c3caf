"""A service that is kept running: started, replaced after an edit, started again after a crash."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from mysingle.tooling.devplatform._probe import ask_ready
from mysingle.tooling.devplatform._process import KeptProcess
from mysingle.tooling.devplatform._syntax import syntax_errors
from mysingle.tooling.devplatform.plan import ServicePlan
from mysingle.tooling.devplatform.screen import Screen

__all__ = ["RunningService", "State"]

_END_SECONDS = 25.0  # a drain takes at most twenty
_REPLACE_SECONDS = 0.7  # a drain without requests takes half of it
_POLL_SECONDS = 0.03
_SLOW_SECONDS = 15.0
_FIRST_PAUSE_SECONDS, _LAST_PAUSE_SECONDS = 1.0, 30.0
_HEALTHY_SECONDS = 60.0
_SHOWN_FILES = 3


class State(StrEnum):
    """How it is with a service."""

    STARTING = "starting"
    READY = "ready"
    DOWN = "down"


class RunningService:
    """
    A service of the platform while the platform runs; `live` does it, until it is cancelled.

    Beside a service that is ready waits its successor, another process with the same libraries loaded, which takes its
    place as soon as it ends: an edit costs the import of the app alone.

    Args:
        plan: how it is started.
        environment: the variables of this process and of the data servers; those of the plan count more.
        screen: gets its lines, and what happens to it.
        notes: a folder for what a process tells its successor, when somebody tells of edits; None without edits.
    """

    def __init__(self, plan: ServicePlan, environment: Mapping[str, str], screen: Screen, notes: Path | None) -> None:
        self.plan = plan
        self.state = State.STARTING
        self.settled = asyncio.Event()
        """Set when it was ready, has failed to start, or takes long."""
        self.calm = asyncio.Event()
        """Set when the platform has started, and there is time to prepare."""
        self._environment = {"PYTHONUNBUFFERED": "1", "LOG_FORMAT": "json", **environment, **plan.environment}
        self._screen = screen
        self._notes = notes
        self._edited = asyncio.Event()
        self._process: KeptProcess | None = None
        self._successor: KeptProcess | None = None
        self._crashes = 0

    async def live(self) -> None:
        """Keep it running."""
        while True:
            process = await self._start()
            status = await self._until_edit_or_end(process)
            if status is not None:
                await self._rest(status)

    async def edit(self, files: Sequence[Path]) -> bool:
        """Start it anew because files have changed; when one cannot be parsed it goes on as it is: False."""
        names = ", ".join(sorted(file.name for file in files)[:_SHOWN_FILES])
        errors = await syntax_errors(self.plan.python, files)
        if errors:
            self._say(f"goes on as it is until the next edit, because {names} cannot be parsed\n{errors}")
            return False
        self._say(f"starts anew: {names}")
        self._crashes = 0
        self._edited.set()
        return True

    async def _prepare(self) -> None:
        """Start the successor of a service that is ready, unless it crashes all the time."""
        if self._notes is None or self._process is None or self._has_successor or self.state is not State.READY:
            return
        if self._crashes == 0:
            self._successor = await self._launch(self._process)

    async def end(self) -> None:
        """End it in order; the successor first, or it would take over."""
        if self._successor is not None:
            await self._successor.end(0)
        if self._process is not None:
            await self._process.end(_END_SECONDS)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()

    @property
    def _has_successor(self) -> bool:
        return self._successor is not None and self._successor.is_running

    async def _start(self) -> KeptProcess:
        """Let the next process take over; without a successor it loads the libraries while the one before ends."""
        self._edited.clear()
        self.state = State.STARTING
        before = self._process
        self._process = self._successor if self._has_successor else await self._launch(before)
        self._successor = None
        if before is not None:
            await before.end(_REPLACE_SECONDS)
        assert self._process is not None, "it was started above"
        return self._process

    async def _launch(self, before: KeptProcess | None) -> KeptProcess:
        after = ("--after", str(before.pid)) if before is not None and before.is_running else ()
        modules = ("--modules", str(self._notes / self.plan.name)) if self._notes is not None else ()
        return await KeptProcess.start(
            (*self.plan.command, *after, *modules),
            self.plan.folder,
            self._environment,
            lambda line: self._screen.log(self.plan.name, line),
            self._notes,
        )

    async def _until_edit_or_end(self, process: KeptProcess) -> int | None:
        """Return the status of a process that has ended by itself; None when an edit asks for another one."""
        edited = asyncio.create_task(self._edited.wait())
        ready = asyncio.create_task(self._announce(process))
        try:
            await asyncio.wait([edited, process.ended], return_when=asyncio.FIRST_COMPLETED)
        finally:
            edited.cancel()
            ready.cancel()
        return None if self._edited.is_set() else process.ended.result()

    async def _announce(self, process: KeptProcess) -> None:
        """Wait until it is ready, and say so; say also when that takes long."""
        begun = time.monotonic()
        while not (found := await ask_ready(self.plan.port)).is_ready:
            if time.monotonic() - begun > _SLOW_SECONDS and not self.settled.is_set():
                self._say(f"is not ready after {_SLOW_SECONDS:g} s: {found.reason}")
                self.settled.set()
            await asyncio.sleep(_POLL_SECONDS)
        self.state = State.READY
        self.settled.set()
        self._say(f"is ready after {time.monotonic() - begun:.1f} s")
        await self.calm.wait()
        await self._prepare()
        await asyncio.sleep(_HEALTHY_SECONDS)
        self._crashes = 0
        await self._prepare()

    async def _rest(self, status: int) -> None:
        """Wait until it makes sense to start it again."""
        was_ready, self.state = self.state is State.READY, State.DOWN
        self.settled.set()
        how = f"was killed by signal {status - 128}" if status > 128 else f"ended with code {status}"
        if self._has_successor:
            self._crashes += 1
            self._say(f"{how}; its successor takes over")
            return
        if not was_ready and self._notes is not None:
            self._say(f"{how} before it was ready; it is down until the next edit")
            await self._edited.wait()
            return
        pause = min(_FIRST_PAUSE_SECONDS * 2**self._crashes, _LAST_PAUSE_SECONDS)
        self._crashes += 1
        self._say(f"{how}; it is started again in {pause:g} s")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._edited.wait(), pause)

    def _say(self, text: str) -> None:
        self._screen.say(f"{self.plan.name} {text}")
