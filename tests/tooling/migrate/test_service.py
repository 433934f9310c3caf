"""A whole service of version 1: migrated, started, used."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.tooling.migrate.conftest import MAIN, Run

from mysingle.embedded import EmbeddedStack
from mysingle.tooling.migrate import plan

ALICE = {"X-User-Id": "a11ce0000000000000000001"}


@pytest.fixture
def url(service: Path, run: Run) -> Iterator[str]:
    """Migrate the service, start it with `mysingle run`, and give its address."""
    assert run(service).returncode == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with EmbeddedStack(None, environ={}) as stack:
        process = subprocess.Popen(
            [sys.executable, "-W", "error::DeprecationWarning", "-c", MAIN, "run", "app.main:app", "--port", port],
            cwd=service,
            env={**os.environ, "ENVIRONMENT": "testing", "DRAIN_DELAY_SECONDS": "0", **stack.environment},
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait(f"http://127.0.0.1:{port}/ready", process)
            yield f"http://127.0.0.1:{port}"
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the service ended"
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail("the service was not ready within 60 s")


def test_service(url: str) -> None:
    """The service starts, answers its probes, knows the caller, and stores what it is given."""
    with httpx.Client(base_url=url) as client:
        assert client.get("/health").status_code == 200
        placed = client.post("/orders", params={"symbol": "SPY"}, headers=ALICE)
        assert (placed.status_code, placed.json()["status"]) == (201, "pending")
        assert [order["symbol"] for order in client.get("/orders", headers=ALICE).json()] == ["SPY"]
        assert client.post("/orders", params={"symbol": "SPY"}).status_code == 401
        assert client.get("/orders/all", headers=ALICE).status_code == 403
        assert client.get("/orders/1/strategy", headers=ALICE).status_code == 501


def test_tasks(service: Path) -> None:
    """What a person must still do is listed: the HTTP calls, the enumeration, the requirements, the database number."""
    found = {(Path(item.file).name, item.section) for item in plan(service).findings}

    assert {
        ("clients.py", "http-clients"),
        ("models.py", "enums"),
        ("pyproject.toml", "requirements"),
        ("settings.env", "settings"),
        ("Makefile", "releases"),
    } <= found
