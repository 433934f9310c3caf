"""The attacks as a command: what a service's own tests run."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "strategy_service"
SOUND = """
from mysingle.core import create_fastapi_app, create_service_config

app = create_fastapi_app(create_service_config("items-service", enable_database=False, public_paths=["/news"]))

@app.get("/items")
async def items() -> list[str]:
    return []

@app.get("/other")
async def other() -> list[str]:
    return []

@app.get("/news")
async def news() -> list[str]:
    return []
"""
PLUGIN = "mysingle.testing.plugin"
HEAVY = ("fastapi", "httpx", "joserfc", "uvicorn", "starlette", "pydantic", "mysingle.testing.attacks")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Give a function that runs pytest in a folder with a sound service and one test; plugins make a start slow."""
    (tmp_path / "service.py").write_text(SOUND)
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")

    def call(
        *arguments: str, directory: Path = tmp_path, plugins: tuple[str, ...] = (PLUGIN,)
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=", *arguments]
        environment = {**os.environ, **({"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} if plugins else {})}
        for plugin in plugins:
            command += ["-p", plugin]
        return subprocess.run(
            command, cwd=directory, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    return call


def test_example(run: Run) -> None:
    """The example service stands every attack, and each of its routes is closed."""
    done = run("--mysingle-auth-attacks", "app.main:app", "-v", directory=EXAMPLE, plugins=())
    passed = set(re.findall(r"attacks::(.*?) PASSED", done.stdout))
    summary = re.search(r"(\d+) passed, (\d+) skipped in", done.stdout)

    assert done.returncode == 0, done.stdout
    assert summary is not None
    assert int(summary[1]) > 500
    assert {"control-signed", "control-token", "A01-superuser", "A29-bypass-staging", "A32-no-material"} <= passed
    assert {f"closed-{method} /strategies/{{strategy_id}}" for method in ("DELETE", "GET", "PUT")} <= passed


def test_holes(run: Run) -> None:
    """A route that is open and should be closed fails, and the other way round; the report says which and how."""
    chosen = ("--mysingle-auth-open", "/other", "-k", "closed or open-GET or control-signed")
    done = run("--mysingle-auth-attacks", "service:app", *chosen)

    assert done.returncode == 1
    assert "2 failed, 2 passed" in done.stdout
    assert "An attacker calls GET /news." in done.stdout
    assert "the handler was reached" in done.stdout
    assert "> GET /news HTTP/1.1" in done.stdout
    assert "An attacker calls GET /other." in done.stdout
    assert "the handler was not reached" in done.stdout


def test_declared(run: Run) -> None:
    """A route that is declared open is attacked as one, what the service lacks is skipped, and no other test runs."""
    chosen = ("--mysingle-auth-path", "/other", "-k", "closed or open-GET or public or A25-claims or test_own")
    done = run("--mysingle-auth-attacks", "service:app", "--mysingle-auth-open", "/news", *chosen, "-v", "-rs")

    assert done.returncode == 0, done.stdout
    assert "open-GET /news PASSED" in done.stdout
    assert "public-claims PASSED" in done.stdout
    assert "the service has no protected WebSocket" in done.stdout
    assert "test_own" not in done.stdout


def test_beside_other_tests(run: Run) -> None:
    """Tests that are named run as well."""
    done = run("--mysingle-auth-attacks", "service:app", "-k", "A01-nobody or test_own", "test_own.py")

    assert "2 passed" in done.stdout


def test_several_processes(run: Run) -> None:
    """The attacks may be spread over processes, each with a service of its own."""
    done = run("--mysingle-auth-attacks", "service:app", "-k", "A06", "-n", "2", plugins=(PLUGIN, "xdist"))

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("service:items",), "create_fastapi_app"),
        (("service:app", "--mysingle-auth-open", "news"), "must start with '/'"),
    ],
    ids=["no app", "no path"],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...], said: str) -> None:
    """What cannot be attacked is a usage error that says why."""
    done = run("--mysingle-auth-attacks", *arguments)

    assert done.returncode == 4
    assert said in done.stderr


def test_costs_nothing(run: Run, tmp_path: Path) -> None:
    """Without the option the plugin loads no library, and runs nothing."""
    (tmp_path / "test_own.py").write_text(
        f"import sys\n\ndef test_own():\n    assert [name for name in {HEAVY} if name in sys.modules] == []\n"
    )
    done = run()

    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
