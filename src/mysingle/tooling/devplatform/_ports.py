"""Ports of this machine: whether one is free, and who has it."""

import re
import socket
from collections.abc import Mapping
from pathlib import Path

from mysingle.tooling.devplatform.errors import PlatformError

__all__ = ["HOST", "Ports", "describe_owner", "is_free"]

HOST = "127.0.0.1"
_LISTENING = "0A"
_MAX_PORT = 65_535


class Ports:
    """The ports of a platform: those that somebody asks for, and free ones for the rest; none is given twice."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._users: dict[int, str] = {}

    def give(self, kind: str, wanted: Mapping[str, int | None], start: int) -> dict[str, int]:
        """
        Return a port for each name; those that may have any get the first free ones from `start` on.

        Raises:
            PlatformError: a port is asked for twice, or somebody else on this machine has it.
        """
        for name, port in wanted.items():
            if port is not None:
                self._take(f"{kind} of {name}", port)
        return {name: port or self._next(f"{kind} of {name}", start) for name, port in wanted.items()}

    def _take(self, user: str, port: int) -> None:
        if port in self._users:
            raise PlatformError(f"{self._where}: {user} is {port}, as {self._users[port]}; choose another")
        if not is_free(port):
            raise PlatformError(
                f"{user} is {port}, and there listens {describe_owner(port)}; stop it, or choose another port"
            )
        self._users[port] = user

    def _next(self, user: str, start: int) -> int:
        found = next(port for port in range(start, _MAX_PORT) if port not in self._users and is_free(port))
        self._users[found] = user
        return found


def is_free(port: int) -> bool:
    """Tell whether a service could listen there now."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def describe_owner(port: int) -> str:
    """Return who listens on a port, as far as the system tells: `process 12 (python -m http.server)`."""
    inodes = _inodes(port)
    for folder in Path("/proc").glob("[0-9]*") if inodes else ():
        if _has_socket(folder, inodes):
            return f"process {folder.name} ({_command(folder)})"
    return "another process"


def _inodes(port: int) -> set[str]:
    """Return the sockets that listen on a port (Linux)."""
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        fields = (line.split() for line in lines)
        found |= {row[9] for row in fields if row[3] == _LISTENING and row[1].endswith(f":{port:04X}")}
    return found


def _has_socket(folder: Path, inodes: set[str]) -> bool:
    try:
        links = list((folder / "fd").iterdir())
    except OSError:  # it has ended, or belongs to somebody else
        return False
    targets = (_target(link) for link in links)
    return any(match[1] in inodes for target in targets if (match := re.fullmatch(r"socket:\[(\d+)\]", target)))


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed meanwhile
        return ""


def _command(folder: Path) -> str:
    try:
        words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "ended meanwhile"
    text = " ".join(word for word in words if word)[:80]
    return "".join(character if character.isprintable() else "?" for character in text)
