import re
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

MAIN = "from mysingle.cli import main; main()"
PROTO = "from mysingle.cli import proto_main; proto_main()"
APP = """
from mysingle.core import create_fastapi_app, create_service_config

app = create_fastapi_app(create_service_config("cli-service"))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with an app, a module without one, and an app that is not ours."""
    (tmp_path / "service.py").write_text(APP)
    (tmp_path / "foreign.py").write_text("from fastapi import FastAPI\napp = FastAPI()\n")
    return tmp_path


def run(*arguments: str, folder: Path | None = None, code: str = MAIN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [(["--help"], "run"), (["run", "--help"], "--port"), (["run", "--help"], "--fd"), ([], "sage: mysingle")],
    ids=["help", "run-port", "run-fd", "nothing"],
)
def test_help(arguments: list[str], shown: str) -> None:
    """Help lists the commands and their options, and ends with 0; no command at all is a usage error with help."""
    done = run(*arguments)

    assert done.returncode == (0 if arguments else 2)
    assert shown in re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


def test_help_loads_no_web_framework() -> None:
    """`mysingle --help` is quick because it imports neither FastAPI nor a driver."""
    heavy = {"fastapi", "uvicorn", "pymongo", "redis", "beanie", "pydantic"}
    code = f"import atexit, sys; atexit.register(lambda: print(sorted({heavy} & set(sys.modules)))); "
    done = run("--help", code=code + MAIN)

    assert done.stdout.splitlines()[-1] == "[]"


def test_version() -> None:
    """`mysingle --version` prints the version of the package and nothing else."""
    done = run("--version")

    assert (done.returncode, done.stdout.strip()) == (0, metadata.version("mysingle"))


def test_module() -> None:
    """`python -m mysingle` is the same command."""
    done = subprocess.run([sys.executable, "-m", "mysingle", "--version"], capture_output=True, text=True, timeout=30)

    assert (done.returncode, done.stdout.strip()) == (0, metadata.version("mysingle"))


def test_proto_help() -> None:
    """`mysingle-proto --help` ends with 0."""
    assert run("--help", code=PROTO).returncode == 0


@pytest.mark.parametrize(
    ("app", "said"),
    [
        pytest.param("nowhere:app", "'nowhere:app' cannot be imported", id="no-module"),
        pytest.param("service:nothing", "'service:nothing' cannot be imported", id="no-attribute"),
        pytest.param("service", "'service' cannot be imported", id="no-colon"),
        pytest.param("foreign:app", "apps that create_fastapi_app made", id="not-ours"),
    ],
)
def test_app_that_cannot_be_served(folder: Path, app: str, said: str) -> None:
    """An app that cannot be found, or is not ours, is one clear line and exit code 2."""
    done = run("run", app, folder=folder)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


def test_port_taken(folder: Path) -> None:
    """A port that is taken is one clear line and exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = run("run", "service:app", "--port", str(port), folder=folder)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: cannot listen on 127.0.0.1:{port}: Address already in use")


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_port_that_is_none(folder: Path, port: str) -> None:
    """A port that cannot be one is a usage error."""
    done = run("run", "service:app", "--port", port, folder=folder)

    assert done.returncode == 2
    assert "--port" in re.sub(r"\x1b\[[0-9;]*m", "", done.stderr)


def test_host_that_is_none(folder: Path) -> None:
    """An address that is not ours is one clear line and exit code 2."""
    done = run("run", "service:app", "--host", "192.0.2.1", folder=folder)

    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot listen on 192.0.2.1:8000: ")


def test_wrong_settings(folder: Path) -> None:
    """Wrong settings are one report that names every variable, and exit code 2, without a traceback."""
    (folder / ".env").write_text("REDIS_PORT=seventy\nLOG_LEVEL=loud\n")
    done = run("run", "service:app", folder=folder)

    assert done.returncode == 2
    assert "REDIS_PORT" in done.stderr
    assert "LOG_LEVEL" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_extra(folder: Path) -> None:
    """Without the web extra the command says which pip command installs it, and ends with 2."""
    code = "import sys; sys.modules.update(dict.fromkeys(['fastapi', 'starlette', 'uvicorn'])); "
    done = run("run", "service:app", folder=folder, code=code + MAIN)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert 'pip install "mysingle[web]"' in done.stderr
