"""The attacks as a command: what a service's own tests run."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("attacks")

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
HEAVY = ("fastapi", "httpx", "joserfc", "uvicorn", "starlette", "pydantic", "mysingle.testing.attacks")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Give a function that runs pytest in a folder with a sound service and one test."""
    (tmp_path / "service.py").write_text(SOUND)
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")

    def call(*arguments: str, directory: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=", *arguments]
        return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, check=False)

    return call


def test_example(run: Run) -> None:
    """The example service stands every attack, and each of its routes is closed."""
    done = run("--mysingle-auth-attacks", "app.main:app", "-v", directory=EXAMPLE)
    passed = set(re.findall(r"::(\S.*?) PASSED", done.stdout))
    summary = re.search(r"(\d+) passed, (\d+) skipped in", done.stdout)

    assert done.returncode == 0, done.stdout
    assert summary is not None
    assert int(summary[1]) > 500
    assert {"control-signed", "control-token", "A01-superuser", "A29-bypass-staging", "A32-no-material"} <= passed
    assert {f"closed-{method} /strategies/{{strategy_id}}" for method in ("DELETE", "GET", "PUT")} <= passed


def test_hole(run: Run) -> None:
    """A route that nobody has declared open makes the run fail, and the report says which and how."""
    done = run("--mysingle-auth-attacks", "service:app", "-k", "closed or control-signed")

    assert done.returncode == 1
    assert "closed-GET /news" in done.stdout
    assert "the handler was reached" in done.stdout
    assert "> GET /news HTTP/1.1" in done.stdout
    assert "1 failed, 3 passed" in done.stdout


def test_declared(run: Run) -> None:
    """A route that is declared open is no hole, and is attacked as a public one."""
    arguments = (
        "--mysingle-auth-open",
        "/news",
        "--mysingle-auth-path",
        "/other",
        "-k",
        "closed or open or public",
        "-v",
    )
    done = run("--mysingle-auth-attacks", "service:app", *arguments)

    assert done.returncode == 0, done.stdout
    assert "open-GET /news PASSED" in done.stdout
    assert "public-claims PASSED" in done.stdout


def test_open_but_declared_closed(run: Run) -> None:
    """A path that is said to be open and is not fails, too."""
    done = run("--mysingle-auth-attacks", "service:app", "--mysingle-auth-open", "/other", "-k", "open-GET")

    assert done.returncode == 1
    assert "the handler was not reached" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [((), 1), (("test_own.py",), 2)],
    ids=["attacks alone", "with the tests that are named"],
)
def test_beside_other_tests(run: Run, arguments: tuple[str, ...], passed: int) -> None:
    """The attacks run alone, unless tests are named."""
    done = run("--mysingle-auth-attacks", "service:app", "-k", "A01-nobody or test_own", *arguments)

    assert f"{passed} passed" in done.stdout


def test_several_processes(run: Run) -> None:
    """The attacks may be spread over processes, each with a service of its own."""
    done = run("--mysingle-auth-attacks", "service:app", "-k", "A01 or A06", "-n", "2")

    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


def test_reason_of_a_skip(run: Run) -> None:
    """An attack that makes no sense is skipped, and says what the service lacks."""
    done = run("--mysingle-auth-attacks", "service:app", "-k", "A25-claims", "-rs")

    assert "the service has no protected WebSocket" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing:app",), "nothing"),
        (("service:items",), "create_fastapi_app"),
        (("service:app", "--mysingle-auth-open", "news"), "must start with '/'"),
    ],
    ids=["no module", "no app", "no path"],
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
    done = run("-p", "no:asyncio", "-p", "no:hypothesispytest")

    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
