"""However the process that owns a stack ends, no server is left and the next stack can start."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mysingle.embedded import EmbeddedRedis

OWNER = """
import os, socket, subprocess, sys, time
from pathlib import Path
from mysingle.embedded import EmbeddedStack

data_dir, mongo, child = sys.argv[1:]
if child == "while-starting":
    print("ready", flush=True)
with EmbeddedStack(Path(data_dir) if data_dir else None, environ={}, mongo=bool(mongo)) as stack:
    descendant = 0
    if child == "exec":
        descendant = subprocess.Popen(["sleep", "60"], close_fds=False).pid
    elif child == "fork" and (descendant := os.fork()) == 0:
        time.sleep(60)
        os._exit(0)
    try:  # before the line that says the owner is there: Ctrl-C may follow it at once
        if child != "while-starting":
            print(descendant, flush=True)
        if child == "crash":
            os.abort()
        if child == "forget":
            os._exit(0)
        time.sleep(60)
    except KeyboardInterrupt:
        socket.create_connection((stack.redis.host, stack.redis.port), timeout=1).close()
        print("drained", flush=True)
"""


@contextmanager
def owner(tmp_path: Path, *, on_disk: bool, mongo: bool = True, child: str = "") -> "Iterator[subprocess.Popen[str]]":
    """Start a process that owns a stack; its temporary files and data are under tmp_path."""
    arguments = [str(tmp_path / "stack") if on_disk else "", "yes" if mongo else "", child]
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, *arguments],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def processes_of(directory: Path) -> list[str]:
    listing = subprocess.run(["ps", "-axww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(directory) in line and sys.executable + " -c" not in line]


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("on_disk", [True, False], ids=["disk", "memory"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_owner_is_killed(tmp_path: Path, number: signal.Signals, on_disk: bool) -> None:
    """A signal that ends the owner ends its servers and keepers, within the grace of three seconds."""
    with owner(tmp_path, on_disk=on_disk) as process:
        first_line(process)
        assert len(processes_of(tmp_path)) == 4  # two servers, two keepers

        process.send_signal(number)
        process.wait(5)

        assert wait_until(lambda: not processes_of(tmp_path), 6)
        assert on_disk or list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("child", ["crash", "forget"])
def test_owner_ends_by_itself(tmp_path: Path, child: str) -> None:
    """An owner that crashes, or exits without stop, leaves no server behind."""
    with owner(tmp_path, on_disk=False, mongo=False, child=child) as process:
        first_line(process)
        process.wait(5)

        assert wait_until(lambda: not processes_of(tmp_path), 6)


def test_ctrl_c_lets_the_owner_drain(tmp_path: Path) -> None:
    """Ctrl-C reaches the whole foreground group: the servers still answer until the owner has drained, then end."""
    with owner(tmp_path, on_disk=True) as process:
        first_line(process)

        os.killpg(process.pid, signal.SIGINT)

        assert first_line(process) == "drained"
        assert process.wait(8) == 0
        assert processes_of(tmp_path) == []


def test_ctrl_c_while_starting(tmp_path: Path) -> None:
    """Ctrl-C during the start leaves no server behind."""
    with owner(tmp_path, on_disk=False, child="while-starting") as process:
        first_line(process)
        assert wait_until(lambda: bool(processes_of(tmp_path)), 5)

        os.killpg(process.pid, signal.SIGINT)

        process.wait(10)
        assert wait_until(lambda: list(tmp_path.iterdir()) == processes_of(tmp_path) == [], 6)


@pytest.mark.parametrize("child", ["exec", "fork"])
def test_child_that_outlives_owner(tmp_path: Path, child: str) -> None:
    """A child process of the owner, executed or forked, does not hold the servers alive."""
    with owner(tmp_path, on_disk=False, mongo=False, child=child) as process:
        descendant = int(first_line(process))
        try:
            process.kill()
            process.wait(5)

            assert wait_until(lambda: not processes_of(tmp_path), 6)
        finally:
            os.kill(descendant, signal.SIGKILL)


def test_next_owner_takes_over(tmp_path: Path) -> None:
    """The data directory of an owner that was just killed can be used: the start waits for its server to end."""
    with owner(tmp_path, on_disk=True, mongo=False) as process:
        first_line(process)
        process.kill()
        process.wait(5)

        with EmbeddedRedis(tmp_path / "stack" / "redis") as server:
            assert server.is_running
