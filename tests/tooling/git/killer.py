"""
Kill a command at each of its steps, run it again, and say how both ended. A program of its own, because it forks.

Arguments: the folder that is copied for each try, the folder to try in (below the copy), a folder for the copies, and
the words of the command. A step is a file written, renamed or removed, or a git started that changes something; what
only reads makes no difference to the next run. Prints a JSON list, one item a try: the copy, the signal or exit code of
the first run, of the second one.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

from mysingle.cli import main

CHANGING = {"add", "checkout", "clone", "commit", "fetch", "push", "reset", "rm", "submodule", "switch", "tag"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Countdown:
    """Kills this process before its n-th step."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if not _is_step(event, arguments):
            return
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


def _is_step(event: str, arguments: tuple[object, ...]) -> bool:
    if event == "open" and isinstance(arguments[0], str):
        mode, flags = arguments[1], arguments[2]
        return (isinstance(mode, str) and mode[:1] in "wax") or (isinstance(flags, int) and bool(flags & WRITING))
    if event == "subprocess.Popen":
        return isinstance(arguments[1], list) and not CHANGING.isdisjoint(arguments[1])
    return event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree")


def run(folder: Path, words: list[str], steps: int | None) -> int:
    """Run the command in a child; return its exit code, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        sys.stdout = sys.stderr
        if steps is not None:
            sys.addaudithook(Countdown(steps))
        try:
            main(words)
        except SystemExit as ended:
            sys.stderr.flush()
            os._exit(int(ended.code or 0))
        finally:
            os._exit(70)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def try_all(template: Path, inside: str, copies: Path, words: list[str]) -> None:
    tries = []
    for steps in range(200):
        copy = copies / str(steps)
        shutil.copytree(template, copy, symlinks=True)
        first = run(copy / inside, words, steps)
        second = run(copy / inside, words, None)
        tries.append([str(copy), first, second])
        if first != -signal.SIGKILL:
            break
    sys.stdout.write(json.dumps(tries))


if __name__ == "__main__":
    try_all(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
