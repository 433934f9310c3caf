"""Run any command so that it ends when this process does, however that happens."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mysingle.embedded._keeper import ASK, KILL

__all__ = ["ASK", "KILL", "kept"]

_KEEPER = Path(__file__).with_name("_keeper.py")


def kept(command: Sequence[str], *, lock: int | None = None, temporary: Path | None = None) -> tuple[str, ...]:
    """
    Return the command that runs another one under a keeper.

    Start it as a direct child of this process, with pipes as standard input and output. It first writes the process
    id of what it runs, one line; its standard error gets all that is written, and its exit status is the one of the
    command. Write `ASK` to ask the command to end, and `KILL` when it has had its time.

    Args:
        command: an executable and its arguments.
        lock: a descriptor that the command keeps open; pass it on to the keeper.
        temporary: a directory that the keeper removes when this process cannot.
    """
    keeper = (sys.executable, "-I", "-S", str(_KEEPER), str(os.getpid()))
    return (*keeper, "" if lock is None else str(lock), "" if temporary is None else str(temporary), *command)
