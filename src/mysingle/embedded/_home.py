"""The directory of one server: data, log and lock, on disk or temporary."""

import fcntl
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from mysingle.embedded._errors import DataDirectoryInUseError

__all__ = ["Home", "ignored_directory"]

_HANDOVER_SECONDS = 6.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A directory that is ours alone until `unlock` was called and the server that got the lock has ended."""

    path: Path
    lock: int
    is_temporary: bool

    @classmethod
    def open(cls, data_dir: Path | None) -> "Home":
        """
        Take the directory, or a new temporary one; the servers of an owner that just died get time to end.

        Raises:
            DataDirectoryInUseError: a running stack owns it.
        """
        path = ignored_directory(data_dir) if data_dir else Path(tempfile.mkdtemp(prefix="mysingle-"))
        return cls(path=path.resolve(), lock=_lock(path), is_temporary=data_dir is None)

    @property
    def log(self) -> Path:
        """What the server writes; the log of the run before is beside it, as `server.log.1`."""
        return self.path / "server.log"

    def unlock(self) -> None:
        """Give up our share of the lock; a server that inherited it keeps its own until it ends."""
        os.close(self.lock)

    def discard(self) -> None:
        """Remove the directory if it is temporary."""
        if self.is_temporary:
            shutil.rmtree(self.path, ignore_errors=True)


def ignored_directory(path: Path) -> Path:
    """Create the directory if needed, with a `.gitignore` that keeps all of it out of version control."""
    path.mkdir(parents=True, exist_ok=True)
    ignore = path / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    return path


def _lock(directory: Path) -> int:
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _wait_for_lock(descriptor, directory)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _wait_for_lock(descriptor: int, directory: Path) -> None:
    deadline = time.monotonic() + _HANDOVER_SECONDS
    while not _try_lock(descriptor):
        owner = _owner(descriptor)
        if _is_alive(owner) or time.monotonic() > deadline:
            raise DataDirectoryInUseError(directory, owner)
        time.sleep(_POLL_SECONDS)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(descriptor: int) -> int | None:
    text = os.pread(descriptor, 20, 0)
    return int(text) if text.isdigit() else None


def _is_alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
