"""Many files on all processors: the same function in forked processes, which share what was read before."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from mysingle.tooling.check.findings import Finding

__all__ = ["over_files"]

_WORTH_IT = 300
_MOST_WORKERS = 8
_CHUNK = 25

_Check: TypeAlias = Callable[[Path], list[Finding]]
_here: list[_Check] = []
"""What a forked process runs; the process that forks leaves it empty."""


def over_files(check: _Check, files: Sequence[Path]) -> Iterator[Finding]:
    """Check files one by one, or, when there are many and it is safe to fork, on all processors; the order is kept."""
    workers = min(_processors(), _MOST_WORKERS)
    if len(files) < _WORTH_IT or workers < 2 or not _can_fork():
        for file in files:
            yield from check(file)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(workers, get_context("fork"), initializer=_begin, initargs=(check,)) as pool:
        for found in pool.map(_check_here, files, chunksize=_CHUNK):
            yield from found


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _can_fork() -> bool:
    """Fork only where that is usual, and where no other thread could hold a lock at that moment."""
    return sys.platform == "linux" and threading.active_count() == 1


def _begin(check: _Check) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one ends the others
    _here.append(check)


def _check_here(file: Path) -> list[Finding]:
    return _here[0](file)
