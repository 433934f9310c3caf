"""One example service as a process of its own."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

EXAMPLES = Path(__file__).parents[1]


class Answer(NamedTuple):
    status: int
    body: Any
    seconds: float


class Service:
    """Runs `mysingle run` in the folder of an example; the log goes to a file."""

    def __init__(self, name: str, environment: Mapping[str, str], log_file: Path) -> None:
        self.port = _free_port(preferred=8000)
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = EXAMPLES / name
        self._environment = {**os.environ, **environment, "LOG_FORMAT": "json"}
        self._log_file = log_file
        self._connection = HTTPConnection("127.0.0.1", self.port, timeout=10)

    def __enter__(self) -> Self:
        command = [sys.executable, "-c", "from mysingle.cli import main; main()", "run", "app.main:app"]
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port)],
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait_until_ready(seconds=40)
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def wait(self) -> None:
        self._process.wait()

    def call(self, method: str, path: str, user: str | None = None, body: object = None) -> Answer:
        headers = {"Content-Type": "application/json"} | ({"X-User-Id": user} if user else {})
        started = time.perf_counter()
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = self._connection.getresponse()
            content = response.read()
        except OSError:
            self._connection.close()
            raise
        seconds = time.perf_counter() - started
        is_json = "json" in response.getheader("Content-Type", "")
        return Answer(response.status, json.loads(content) if is_json and content else content.decode(), seconds)

    def _wait_until_ready(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the service ended with code {self._process.returncode}; see {self._log_file}")
            try:
                if self.call("GET", "/ready").status == 200:
                    return
            except OSError:
                self._connection.close()
            time.sleep(0.05)
        raise RuntimeError(f"the service was not ready within {seconds:g} s; see {self._log_file}")


def _free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise RuntimeError("no free port")
