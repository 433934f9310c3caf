"""One run of one service, under a keeper."""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mysingle.embedded.keeping import ASK, KILL, kept
from mysingle.tooling.devplatform._lines import lines_of
from mysingle.tooling.devplatform.errors import PlatformError

__all__ = ["KeptProcess"]

_LAST_LINES_SECONDS = 1.0


class KeptProcess:
    """A process that ends when this one does; `end` and `kill` end it before."""

    def __init__(self, keeper: Process, pid: int, write: Callable[[bytes], None]) -> None:
        self.pid = pid
        self._keeper = keeper
        assert keeper.stderr is not None, "the pipe was asked for"
        self._output = asyncio.create_task(_pump(keeper.stderr, write))
        self.ended = asyncio.create_task(self._wait())

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        write: Callable[[bytes], None],
        temporary: Path | None = None,
    ) -> "KeptProcess":
        """
        Start a command; each line that it writes goes to `write`, and `temporary` is removed when we are killed.

        Raises:
            PlatformError: it cannot be started.
        """
        try:
            keeper = await asyncio.create_subprocess_exec(
                *kept(command, temporary=temporary),
                cwd=folder,
                env=dict(environment),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise PlatformError(f"nothing can be run in {folder}: {error.strerror}") from error
        assert keeper.stdout is not None, "the pipe was asked for"
        pid = await keeper.stdout.readline()
        if not pid:
            await keeper.wait()
            raise PlatformError(f"{command[0]} cannot be run in {folder}")
        return cls(keeper, int(pid), write)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return not self.ended.done()

    async def end(self, patience_seconds: float) -> None:
        """Ask it to end, kill it when it takes longer, and return when it is gone."""
        self._order(ASK)
        try:
            await asyncio.wait([self.ended], timeout=patience_seconds)
        finally:
            self.kill()
        await self.ended

    def kill(self) -> None:
        """End it at once."""
        self._order(KILL)

    def _order(self, order: bytes) -> None:
        assert self._keeper.stdin is not None, "the pipe was asked for"
        if self.is_running:
            self._keeper.stdin.write(order)

    async def _wait(self) -> int:
        """Return the exit status when it is gone and its last lines are shown."""
        status = await self._keeper.wait()
        # A process of its own that it left behind may hold the pipe open.
        await asyncio.wait([self._output], timeout=_LAST_LINES_SECONDS)
        self._output.cancel()
        return status


async def _pump(stream: asyncio.StreamReader, write: Callable[[bytes], None]) -> None:
    async for line in lines_of(stream):
        write(line)
