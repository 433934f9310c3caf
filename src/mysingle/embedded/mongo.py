"""SecantusDB: the MongoDB wire protocol in a process of its own. It is licensed under the GPL and never imported."""

import socket
import struct
import sys
from pathlib import Path

from mysingle.embedded._server import HOST, EmbeddedServer

__all__ = ["EmbeddedMongo"]

_PROBE_SECONDS = 1.0
_OP_MSG = 2013


class EmbeddedMongo(EmbeddedServer):
    """
    A SecantusDB server with the extra `embedded`.

    Args:
        data_dir: where data, log and lock live; None keeps the data in memory until the server ends.
        port: a fixed port; None takes a free one at the first start and keeps it.
        sync_on_commit: write every commit through to the disk, so that a kill loses nothing that was acknowledged.

    Raises:
        MissingExtraError: the extra is not installed.
    """

    name = "SecantusDB"

    def __init__(self, data_dir: Path | None = None, port: int | None = None, *, sync_on_commit: bool = False) -> None:
        super().__init__(data_dir, port)
        self._sync_on_commit = sync_on_commit

    @property
    def url(self) -> str:
        """The connection string."""
        return f"mongodb://{self.host}:{self.port}"

    def _command(self, home: Path, port: int) -> tuple[str, ...]:
        # Without --config it would pick up any secantusd.toml of the working or home directory.
        config = home / "secantusd.toml"
        config.touch()
        # In memory the cache is the database: 256M would be the limit of the data, not of the cache.
        storage, cache = (":memory:", "1G") if self._data_dir is None else (str(home / "data"), "256M")
        return (
            *("env", f"TMPDIR={home}", sys.executable, "-P", "-m", "secantus"),
            *("--config", str(config), "--host", HOST, "--port", str(port)),
            *("--storage-path", storage, "--cache-size", cache),
            *(("--sync-on-commit",) if self._sync_on_commit else ()),
        )

    def _is_healthy(self, port: int, pid: int) -> bool:
        """Ask who answers, because another server may listen on the port."""
        return b"\x10pid\x00" + struct.pack("<i", pid) in _run_command(port, "serverStatus")


def _run_command(port: int, name: str) -> bytes:
    """Return the reply to `{name: 1}` on the admin database, as it came."""
    with socket.create_connection((HOST, port), timeout=_PROBE_SECONDS) as connection:
        connection.sendall(_command_message(name))
        with connection.makefile("rb") as reply:
            (length,) = struct.unpack("<i", reply.read(4).ljust(4, b"\x00"))
            return reply.read(max(0, length - 4))


def _command_message(name: str) -> bytes:
    """Encode OP_MSG (https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/) with one body section."""
    elements = b"\x10" + name.encode() + b"\x00" + struct.pack("<i", 1) + b"\x02$db\x00\x06\x00\x00\x00admin\x00"
    document = struct.pack("<i", 4 + len(elements) + 1) + elements + b"\x00"
    body = struct.pack("<IB", 0, 0) + document
    return struct.pack("<iiii", 16 + len(body), 1, 0, _OP_MSG) + body
