"""Services as processes of their own, on real servers; every process that a test starts ends with the test."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any, Self

import httpx
import pytest

from mysingle.embedded import EmbeddedMongo, EmbeddedRedis

MYSINGLE = (sys.executable, "-c", "from mysingle.cli import main; main()")
ALICE = "a11ce0000000000000000001"
NOTES = """
    import asyncio
    from beanie import Document
    from fastapi import Request
    from mysingle.auth import get_current_active_verified_user
    from mysingle.core import create_fastapi_app, create_service_config

    class Note(Document):
        text: str

    config = create_service_config("notes"{options})
    app = create_fastapi_app(config, [Note])

    @app.post("/notes")
    async def write(note: Note) -> str:
        return str((await note.insert()).id)

    @app.get("/notes")
    async def count() -> int:
        return await Note.count()
"""


class Service:
    """One service process, its clients and its log."""

    def __init__(self, folder: Path, command: tuple[str, ...], environment: dict[str, str], fds: tuple[int, ...]):
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = folder / f"service-{self.port}.log"
        self.output_file = folder / f"output-{self.port}.txt"
        inherited = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
        with self.output_file.open("wb") as output:
            self.process = subprocess.Popen(
                [part.format(port=self.port) for part in command],
                cwd=folder,
                env={**inherited, "ENVIRONMENT": "testing", "LOG_FILE": str(self.log_file), **environment},
                stdout=output,
                stderr=output,
                pass_fds=fds,
                start_new_session=True,
            )
        self.http = httpx.Client(base_url=self.url, headers={"X-User-Id": ALICE}, timeout=20, trust_env=False)

    def wait_until(self, condition: Callable[[], object], seconds: float = 20.0) -> Self:
        """Wait for a condition while the process lives."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return self
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.said}"
            time.sleep(0.02)
        raise AssertionError(f"not within {seconds} s: {self.said}")

    def answers(self, path: str = "/ready", status: int = 200) -> bool:
        try:
            return self.http.get(path).status_code == status
        except httpx.TransportError:
            return False

    def wait_ready(self) -> Self:
        return self.wait_until(self.answers)

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 20.0) -> int:
        return self.process.wait(seconds)

    def logged(self, body: str | None = None) -> list[dict[str, Any]]:
        """Return the records of the log, or those of one event."""
        lines = self.log_file.read_text().splitlines() if self.log_file.exists() else []
        records = [json.loads(line) for line in lines if line.endswith("}")]
        return [record for record in records if body in (None, record["body"])]

    @property
    def output(self) -> str:
        return self.output_file.read_text()

    @property
    def said(self) -> str:
        """Everything that the process has written anywhere."""
        return self.output + (self.log_file.read_text() if self.log_file.exists() else "")

    def end(self) -> None:
        self.http.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


_UNWANTED = {"ENVIRONMENT", "MONGODB_URL", "MONGODB_SERVER", "REDIS_HOST", "REDIS_PORT", "LOG_FILE", "LOG_FORMAT"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Starter:
    """Writes an app into a folder and starts it, by default with `mysingle run`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._services: list[Service] = []

    def __call__(
        self,
        source: str,
        *,
        command: tuple[str, ...] = (*MYSINGLE, "run", "main:app", "--port", "{port}"),
        fds: tuple[int, ...] = (),
        **environment: object,
    ) -> Service:
        (self.folder / "main.py").write_text(dedent(source))
        values = {name: str(value) for name, value in environment.items()}
        service = Service(self.folder, command, values, fds)
        self._services.append(service)
        return service

    def end(self) -> None:
        for service in self._services:
            service.end()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    """Give a function that starts a service: `start(source, NAME=value)`."""
    starter = Starter(tmp_path)
    yield starter
    starter.end()


@pytest.fixture(scope="module")
def start_shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """Give the same for a service that the tests of one module share."""
    starter = Starter(tmp_path_factory.mktemp("shared"))
    yield starter
    starter.end()


@pytest.fixture(scope="session")
def mongo() -> Iterator[EmbeddedMongo]:
    """Give a server that nobody may stop."""
    with EmbeddedMongo() as server:
        yield server


@pytest.fixture
def own_mongo(tmp_path: Path) -> Iterator[EmbeddedMongo]:
    """Give a server that the test may kill, and that keeps what it acknowledged."""
    server = EmbeddedMongo(tmp_path / "mongo", sync_on_commit=True)
    yield server.start()
    server.stop()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """Give a server that the test may kill."""
    server = EmbeddedRedis(tmp_path / "redis")
    yield server.start()
    server.stop()


@pytest.fixture
def absent_port() -> int:
    """Give a port where nobody listens."""
    return _free_port()


@pytest.fixture
def notes() -> Callable[[str], str]:
    """Give a function that returns the source of a service with documents; `options` go into its configuration."""
    return lambda options="": NOTES.format(options=f", {options}" if options else "")
