"""One run of one server, as a supervised process."""

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from mysingle.embedded._errors import PortInUseError, ServerStartError
from mysingle.embedded._home import Home
from mysingle.embedded._keeper import GRACE_SECONDS, KILL, TERMINATE
from mysingle.embedded.keeping import kept

__all__ = ["ServerProcess"]

_SPAWN_SECONDS = 10.0
_STOP_SECONDS = GRACE_SECONDS + 3.0
_POLL_SECONDS = 0.02
_TAIL_BYTES = 2_000


class ServerProcess:
    """
    A server that a keeper ends when this process ends, in whatever way; Ctrl-C in the terminal does not reach it.

    Args:
        name: the server, as messages call it.
        command: an executable and its arguments; it runs in the foreground, in the home directory.
        home: holds the log; the server inherits its lock.
        port: where it will listen.
        environment: variables for the server beside those of this process; no list of processes shows them.
    """

    def __init__(
        self, name: str, command: Sequence[str], home: Home, port: int, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.port = port
        self._log = home.log
        self._keeper = _spawn_keeper(command, home, environment)
        try:
            self.pid = self._read_pid()
        except BaseException:
            self.stop(at_once=True)
            raise

    @property
    def is_running(self) -> bool:
        """Whether the server is alive, healthy or not."""
        return self._keeper.poll() is None

    def wait_until(self, is_healthy: Callable[[int, int], bool], timeout_seconds: float) -> None:
        """
        Wait until `is_healthy(port, pid)`; an OSError of the probe counts as no.

        Raises:
            PortInUseError: the server ended because the port is taken.
            ServerStartError: the server ended, or is not healthy in time; with the end of its log.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self._answers(is_healthy):
            if not self.is_running:
                raise self._ended()
            if time.monotonic() > deadline:
                raise self._failure(f"is not healthy after {timeout_seconds:g} s", "START_TIMEOUT")
            time.sleep(_POLL_SECONDS)

    def stop(self, *, at_once: bool = False) -> None:
        """End the server and return when it is gone: SIGTERM, after three seconds SIGKILL, or SIGKILL `at_once`."""
        self._order(KILL if at_once else TERMINATE)
        try:
            self._keeper.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # Its death ends the server too: by the kernel on Linux, not elsewhere.
            self._keeper.kill()
            self._keeper.wait(_STOP_SECONDS)
        finally:
            _pipe(self._keeper.stdin).close()

    def _answers(self, is_healthy: Callable[[int, int], bool]) -> bool:
        with suppress(OSError):
            return is_healthy(self.port, self.pid)
        return False

    def _order(self, order: bytes) -> None:
        with suppress(BrokenPipeError, ValueError):  # the keeper has ended, or was stopped before
            _pipe(self._keeper.stdin).write(order)

    def _read_pid(self) -> int:
        with _pipe(self._keeper.stdout) as stdout, selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            line = stdout.readline() if selector.select(_SPAWN_SECONDS) else b""
        if not line:
            raise self._failure("could not be started", "SPAWN_FAILED")
        return int(line)

    def _ended(self) -> ServerStartError:
        if "address already in use" in _tail(self._log).lower():
            return PortInUseError(self.name, self.port)
        return self._failure(f"ended with status {self._keeper.returncode} while it started", "SERVER_ENDED")

    def _failure(self, what: str, reason: str) -> ServerStartError:
        return ServerStartError(f"{self.name} {what}. The end of {self._log}:\n{_tail(self._log)}", reason=reason)


def _spawn_keeper(command: Sequence[str], home: Home, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    with _new_log(home.log) as log:
        return subprocess.Popen(  # noqa: S603 - our own program and a command that we composed
            kept(command, lock=home.lock, temporary=home.path if home.is_temporary else None),
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=home.path,
            env={**os.environ, **environment},
            pass_fds=(home.lock,),
            start_new_session=True,
        )


def _new_log(path: Path) -> IO[bytes]:
    with suppress(FileNotFoundError):
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("wb")


def _tail(path: Path) -> str:
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return log.read().decode(errors="replace").strip()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "both pipes were asked for"
    return pipe
