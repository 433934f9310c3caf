"""What the embedded servers have in common: a port that stays, a home, and a process that comes and goes."""

import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from mysingle._kernel.extras import require
from mysingle.embedded._errors import PortInUseError
from mysingle.embedded._home import Home
from mysingle.embedded._process import ServerProcess

__all__ = ["HOST", "EmbeddedServer"]

HOST = "127.0.0.1"
_START_SECONDS = 30.0
_PORT_ATTEMPTS = 5


class EmbeddedServer(ABC):
    """
    A server on a loopback port that can be stopped, killed and started again with the same port and data.

    A subclass says how it is called (`name`), started (`_command`) and recognized (`_is_healthy`).
    """

    name: str

    def __init__(self, data_dir: Path | None, port: int | None) -> None:
        require("embedded", f"mysingle.embedded.{type(self).__name__}")
        self._data_dir = data_dir
        self._port = port
        self._home: Home | None = None
        self._process: ServerProcess | None = None

    @property
    def host(self) -> str:
        """Always the loopback address."""
        return HOST

    @property
    def port(self) -> int:
        """The port, also while the server is away; known after the first start unless the caller fixed it."""
        if self._port is None:
            raise RuntimeError(f"{self.name} has no port before its first start")
        return self._port

    @property
    def pid(self) -> int:
        """The process id of the server itself, not of its keeper."""
        if self._process is None:
            raise RuntimeError(f"{self.name} is not started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the server's process is alive."""
        return self._process is not None and self._process.is_running

    def start(self) -> Self:
        """
        Start the server and return when it answers; do nothing if it runs.

        Raises:
            DataDirectoryInUseError: a running stack owns the data directory.
            PortInUseError: the fixed port, or the port of the run before, is taken.
            ServerStartError: the server ended or was not healthy within 30 seconds.
        """
        if self.is_running:
            return self
        self.kill()
        home = Home.open(self._data_dir)
        try:
            self._process = self._launch_on_some_port(home) if self._port is None else self._launch(home, self._port)
        except BaseException:
            home.discard()
            raise
        finally:
            home.unlock()
        self._home, self._port = home, self._process.port
        return self

    def stop(self) -> None:
        """End the server in order, within six seconds, and return when it is gone; data in memory are dropped."""
        self._end(at_once=self._data_dir is None)

    def kill(self) -> None:
        """End the server at once with SIGKILL, as a crash would."""
        self._end(at_once=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _environment(self) -> Mapping[str, str]:
        """Variables for the server alone."""
        return {}

    @abstractmethod
    def _command(self, home: Path, port: int) -> tuple[str, ...]: ...

    @abstractmethod
    def _is_healthy(self, port: int, pid: int) -> bool: ...

    def _launch_on_some_port(self, home: Home) -> ServerProcess:
        # A port that was free a moment ago may be taken when the server binds it.
        for _ in range(_PORT_ATTEMPTS - 1):
            try:
                return self._launch(home, _free_port())
            except PortInUseError:
                continue
        return self._launch(home, _free_port())

    def _launch(self, home: Home, port: int) -> ServerProcess:
        process = ServerProcess(self.name, self._command(home.path, port), home, port, self._environment)
        try:
            process.wait_until(self._is_healthy, _START_SECONDS)
        except BaseException:
            process.stop(at_once=True)
            raise
        return process

    def _end(self, *, at_once: bool) -> None:
        if self._process is not None:
            self._process.stop(at_once=at_once)
        if self._home is not None:
            self._home.discard()
        self._process = self._home = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
