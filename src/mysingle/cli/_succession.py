"""How one process of a service takes the place of another: all libraries are loaded before the one has ended."""

import contextlib
import importlib
import os
import select
import sys
import time
from pathlib import Path
from typing import NoReturn

__all__ = ["await_end", "libraries_changed", "load_libraries", "note_libraries", "start_over"]

_POLL_SECONDS = 0.05


def note_libraries(file: Path | None) -> None:
    """Write the names of the loaded modules that do not belong to the working directory, where edits happen."""
    if file is None:
        return
    here = Path.cwd().resolve()
    names = [name for name, module in sys.modules.items() if _is_library(getattr(module, "__file__", None), here)]
    with contextlib.suppress(OSError):  # it only makes the next start quicker
        file.write_text("\n".join(names), encoding="utf-8")


def load_libraries(file: Path | None) -> None:
    """Import what the process before has noted; what cannot be imported alone comes with the app."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for name in file.read_text(encoding="utf-8").splitlines() if file is not None else ():
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def await_end(pid: int) -> None:
    """Return when a process is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or its number is somebody else's by now
        if hasattr(os, "pidfd_open"):
            _await_descriptor(os.pidfd_open(pid))
            return
        while True:
            os.kill(pid, 0)
            time.sleep(_POLL_SECONDS)


def libraries_changed(since: float) -> bool:
    """Tell whether a loaded module is not what its file says any more, or its file is gone."""
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return any(_has_changed(file, since) for file in files if file)


def start_over() -> NoReturn:
    """Become a new process of the same command, which has nobody to wait for."""
    words = list(sys.orig_argv)
    if "--after" in words:
        place = words.index("--after")
        del words[place : place + 2]
    os.execv(sys.executable, [sys.executable, *words[1:]])  # noqa: S606  # the command that this process was started with


def _has_changed(file: str, since: float) -> bool:
    try:
        return os.stat(file).st_mtime > since  # noqa: PTH116  # of a thousand files, and a Path costs as much again
    except OSError:
        return True


def _await_descriptor(descriptor: int) -> None:
    try:
        select.select([descriptor], [], [])
    finally:
        os.close(descriptor)


def _is_library(file: str | None, here: Path) -> bool:
    if file is None:
        return False
    path = Path(file).resolve()
    return "site-packages" in path.parts or not path.is_relative_to(here)
