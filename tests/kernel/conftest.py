import io
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from mysingle._kernel.logging import flush_logs, setup_logging

Script: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


class Captured:
    """A log that writes to memory. `lines` and `records` wait until everything is written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        self._monkeypatch = monkeypatch

    def start(self, **options: Any) -> "Captured":
        self._monkeypatch.setattr(sys, "stdout", self._stream)
        setup_logging("forces a new set-up")  # the same arguments as in another test would change nothing
        setup_logging(**{"service_name": "my-service", "log_format": "json", **options})
        return self

    @property
    def raw(self) -> bytes:
        flush_logs()
        buffer = self._stream.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw.splitlines()]

    @property
    def record(self) -> dict[str, Any]:
        (only,) = self.records
        return only


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> Captured:
    """Give a log in memory that is not set up yet."""
    return Captured(monkeypatch)


@pytest.fixture
def logged(captured: Captured) -> Captured:
    """Give a JSON log in memory, level DEBUG."""
    return captured.start(log_level="DEBUG")


@pytest.fixture
def script(tmp_path: Any) -> Script:
    """Give a function that runs Python source in a process of its own, in an empty directory."""

    def run(source: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", source],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            cwd=tmp_path,
            env={"PYTHONPATH": ":".join(path for path in sys.path if path), "PATH": "/usr/bin:/bin", **variables},
        )

    return run
