"""`mysingle dev`: its words, and what it says when it cannot start."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

MAIN = "from mysingle.cli import main; main()"
WITHOUT = "import sys; sys.modules[{missing!r}] = None; from mysingle.cli import main; main()"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with two services and a stack file; nothing in it can run."""
    for name in ("orders", "prices"):
        (tmp_path / name / "app").mkdir(parents=True)
        (tmp_path / name / "app" / "main.py").touch()
    (tmp_path / "mysingle.toml").write_text('[services.orders]\npaths = ["/orders"]\n[services.prices]\n')
    return tmp_path


def dev(folder: Path, *arguments: str, code: str = MAIN, **variables: str) -> "subprocess.CompletedProcess[str]":
    places = os.pathsep.join(path for path in sys.path if path)
    return subprocess.run(
        [sys.executable, "-c", code, "dev", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": places, **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_dry_run(folder: Path) -> None:
    """A dry run shows each server and service, with its address and how it would be started, and no secret."""
    done = dev(folder, "--dry-run", MONGODB_URL="mongodb://user:secret@db")
    rows = {line.split("\t")[0]: line for line in done.stdout.splitlines()}

    assert (done.returncode, done.stderr) == (0, "")
    assert set(rows) == {"MongoDB", "Redis", "orders", "prices", "gateway", "note"}
    assert "as MONGODB_URL says" in rows["MongoDB"]
    assert "mysingle run app.main:app" in rows["orders"]
    assert "/orders -> orders" in rows["gateway"]
    assert "secret@" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (["--only", "orders"], {"orders"}),
        (["--no-gateway"], {"orders", "prices"}),
        (["--file", "orders/../mysingle.toml", "--no-gateway"], {"orders", "prices"}),
    ],
    ids=["only", "no-gateway", "file"],
)
def test_choices(folder: Path, arguments: list[str], rows: set[str]) -> None:
    """The words choose what would be started."""
    done = dev(folder, "--dry-run", *arguments)

    assert {line.split("\t")[0] for line in done.stdout.splitlines()} == {"MongoDB", "Redis", *rows}


def test_one_service(folder: Path) -> None:
    """In the folder of a service it is that service, where the words say."""
    done = dev(folder / "orders", "--dry-run", "--port", "18654")

    assert "orders\thttp://127.0.0.1:18654\t" in done.stdout


@pytest.mark.parametrize(
    ("place", "arguments", "said"),
    [
        ("orders/app", [], "there is neither a mysingle.toml nor an app/main.py"),
        (".", ["--only", "nobody"], "there is no service 'nobody'; there are orders, prices"),
        (".", ["--port", "8000"], "--port is for one app; mysingle.toml says where its services listen"),
        (".", ["--file", "none.toml"], "none.toml: the file cannot be read"),
        (".", ["app.main:app", "--file", "mysingle.toml"], "give an app or a stack file, not both"),
        ("orders", ["main"], "'main' is no app"),
        ("orders", ["--port", "99999"], "'99999' is not a number between 1 and 65535"),
    ],
)
def test_refused(folder: Path, place: str, arguments: list[str], said: str) -> None:
    """What cannot be started is one clear line and exit code 2."""
    done = dev(folder / place, *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr.splitlines()[-1]


def test_port_taken(folder: Path) -> None:
    """A port that is taken is said before anything starts, with who wants it and who has it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = dev(folder / "orders", "--port", str(port))

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"port of orders is {port}, and there listens " in done.stderr


@pytest.mark.parametrize("missing", ["secantus", "watchfiles"])
def test_missing_extra(folder: Path, missing: str) -> None:
    """Without the extra the message is the command that installs it."""
    done = dev(folder, "--no-gateway", code=WITHOUT.format(missing=missing))

    assert done.returncode == 2
    assert f"needs {missing!r}" in done.stderr
    assert 'Run: pip install "mysingle[embedded]"' in done.stderr


def test_nobody_reads(folder: Path) -> None:
    """When nobody reads the lines any more, everything ends."""
    places = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-c", MAIN, "dev", "--no-reload", "--no-gateway"]
    variables = {"PYTHONPATH": places, "MONGODB_URL": "mongodb://127.0.0.1:9"}
    with subprocess.Popen(
        command, cwd=folder, env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()

        code = process.wait(30)

        assert process.stderr is not None
        assert (code in (0, 1), process.stderr.read()) == (True, b"")
