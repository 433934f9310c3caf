"""`mysingle dsl playground` as a person uses it: started, opened, ended."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

MAIN = "from mysingle.cli import main; main()"


def command(folder: Path, *words: str, code: str = MAIN, **environment: str) -> "subprocess.Popen[str]":
    """Start the command in an empty folder."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("DSL_")}
    return subprocess.Popen(
        [sys.executable, "-c", code, "dsl", "playground", *words], cwd=folder, env=known | environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.fixture(params=["", "production"], ids=["no environment", "production"])
def playground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Start the playground on a free port; give the process and the address that it prints."""
    (tmp_path / ".env").write_text("ENVIRONMENT=staging\nMONGODB_SERVER=[broken\n")
    process = command(tmp_path, "--port", "0", ENVIRONMENT=request.param)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        yield process, re.search(r"http://127\.0\.0\.1:\d+/dsl/playground", line)[0]  # type: ignore[index]  # fails then
    finally:
        process.kill()
        process.communicate(timeout=30)


def test_serves_and_ends(playground: tuple["subprocess.Popen[str]", str]) -> None:
    """The printed address has the page and runs strategies, whatever the environment says; Ctrl-C ends it with 0."""
    process, address = playground
    with httpx.Client(timeout=60, transport=httpx.HTTPTransport(retries=5)) as client:
        page = client.get(address)
        found = client.post(address.replace("playground", "run"), json={"source": "result = close > SMA(close, 5)"})
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)

    assert "<title>Strategy playground</title>" in page.text
    assert found.json()["signals"]["result"] > 0
    assert (process.returncode, error) == (0, "")


def test_port_that_is_taken(tmp_path: Path) -> None:
    """A port that somebody has is one line, which says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = command(tmp_path, "--port", str(port))
        out, error = process.communicate(timeout=60)

    assert (process.returncode, out) == (2, "")
    assert error == f"error: cannot listen on 127.0.0.1:{port}: Address already in use; --port 0 takes a free one\n"


@pytest.mark.parametrize(("missing", "extra"), [("fastapi", "web"), ("talib", "dsl")])
def test_missing_extra(tmp_path: Path, missing: str, extra: str) -> None:
    """Without an extra the command says which one to install."""
    process = command(tmp_path, code=f"import sys; sys.modules[{missing!r}] = None; {MAIN}")
    _, error = process.communicate(timeout=60)

    assert process.returncode == 2
    assert error.endswith(f'Run: pip install "mysingle[{extra}]"\n')
    assert "Traceback" not in error


@pytest.mark.parametrize("port", ["-1", "65536", "8k"])
def test_port_that_is_none(tmp_path: Path, port: str) -> None:
    """What is no port is a usage error."""
    process = command(tmp_path, f"--port={port}")
    _, error = process.communicate(timeout=60)

    assert process.returncode == 2
    assert "is not a number between 0 and 65535" in error
