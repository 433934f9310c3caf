"""A platform in a process of its own, with small services, as somebody would have it in a terminal."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

SERVICE = """
import asyncio
import os

from mysingle.core import create_fastapi_app, create_service_config

app = create_fastapi_app(
    create_service_config("{name}", enable_database=False, public_paths=["/{name}/*"])
)


@app.get("/{name}/facts")
def facts() -> dict[str, object]:
    return {{"pid": os.getpid(), "answer": 1, "variables": dict(os.environ)}}


@app.get("/{name}/crash")
def crash() -> None:
    os._exit(7)


@app.get("/{name}/slow")
async def slow() -> str:
    print("slow begins", flush=True)
    await asyncio.sleep(0.6)
    return "done"
"""
STARTED = "started in"
SECONDS = 40.0


def write_service(folder: Path, name: str) -> Path:
    """Write a service that needs no database; return the file of its app."""
    file = folder / name / "app" / "main.py"
    file.parent.mkdir(parents=True)
    (file.parent / "__init__.py").touch()
    file.write_text(SERVICE.format(name=name))
    return file


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has, each another one; other tests choose theirs at the same time."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def free_port() -> int:
    return free_ports(1)[0]


def wait_until(condition: Callable[[], bool], seconds: float = SECONDS) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def environment(temporary: Path, more_code: str = "", **more: str) -> dict[str, str]:
    """Return the variables of a terminal in which this package can be imported, and more code."""
    places = os.pathsep.join(path for path in (*sys.path, more_code) if path)
    return {**os.environ, "PYTHONPATH": places, "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1", **more}


class Platform:
    """`mysingle dev` in a folder; everything that it writes is read as it comes."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self._more = threading.Condition()
        temporary = folder / "temporary"
        temporary.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mysingle", "dev", *arguments],
            cwd=folder,
            env=environment(temporary, **variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._more:
                self.lines.append(line.rstrip("\n"))
                self._more.notify_all()

    def mark(self) -> int:
        """Return how many lines there are; `wait_for` can look behind them."""
        return len(self.lines)

    def wait_for(self, text: str, since: int = 0) -> str:
        """Return the first line with a text, when it comes."""
        deadline = time.monotonic() + SECONDS
        with self._more:
            while True:
                found = next((line for line in self.lines[since:] if text in line), None)
                if found is not None:
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or (self.process.poll() is not None and not self._reader.is_alive()):
                    raise AssertionError(f"no line with {text!r} in:\n" + "\n".join(self.lines[-60:]))
                self._more.wait(min(left, 0.2))

    def address(self, name: str) -> str:
        """Return where something is, from the table of addresses."""
        return next(line.split("\t")[1] for line in self.lines if line.startswith(f"{name}\t"))

    def facts(self, name: str) -> Any:
        return httpx.get(f"{self.address(name)}/{name}/facts").json()

    def crash(self, name: str) -> None:
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{self.address(name)}/{name}/crash")

    def children(self) -> list[str]:
        """Return what runs for it."""
        return processes_of(self.folder)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        code = self.process.wait(SECONDS)
        self.close()
        return code

    def close(self) -> None:
        """Forget the process, which has ended."""
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()


def processes_of(folder: Path) -> list[str]:
    """Return the processes that work for a platform: its temporary folder stands in their words."""
    listing = subprocess.run(["ps", "-axww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(folder / "temporary") in line]


@contextmanager
def running(folder: Path, *arguments: str, **variables: str) -> Iterator[Platform]:
    """Run a platform until the block ends, whatever happens in it."""
    where = () if (folder / "mysingle.toml").exists() else ("--port", str(free_port()))
    platform = Platform(folder, *where, *arguments, **variables)
    try:
        yield platform
    finally:
        if platform.process.poll() is None:
            platform.process.kill()
            platform.process.wait()
        platform.close()
        wait_until(lambda: not platform.children(), 10)
