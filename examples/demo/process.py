"""One example service as a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from examples.demo.caller import Caller

EXAMPLES = Path(__file__).parents[1]


class Service:
    """Runs `mysingle run` in the folder of an example; the log goes to a file."""

    def __init__(
        self, name: str, environment: Mapping[str, str], log_file: Path, preferred_port: int, app: str = "app.main:app"
    ) -> None:
        self.name = name.replace("_", "-")
        self.log_file = log_file
        self.port = free_port(preferred_port)
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = EXAMPLES / name
        self._environment = {**os.environ, **environment, "LOG_FORMAT": "json"}
        self._app = app

    def start(self) -> None:
        """Start the process; `wait_until_ready` tells when it serves."""
        command = [sys.executable, "-m", "mysingle", "run", self._app, "--port", str(self.port)]
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def wait_until_ready(self, seconds: float = 40) -> None:
        deadline = time.monotonic() + seconds
        with Caller(self.url) as caller:
            while not self._is_ready(caller):
                if self._process.poll() is not None:
                    raise RuntimeError(f"{self.name} ended with code {self._process.returncode}; see {self.log_file}")
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} was not ready within {seconds:g} s; see {self.log_file}")
                time.sleep(0.05)

    @staticmethod
    def _is_ready(caller: Caller) -> bool:
        try:
            return caller.call("GET", "/ready").status == 200
        except OSError:
            return False

    def wait(self) -> None:
        self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def logged(self, key: str, value: str) -> list[dict[str, Any]]:
        """Return the records of the log in which a key has a value."""
        lines = self.log_file.read_text(encoding="utf-8").splitlines()
        records = [json.loads(line) for line in lines if line.startswith("{")]
        return [record for record in records if record.get(key) == value]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()


def free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise RuntimeError("no free port")
