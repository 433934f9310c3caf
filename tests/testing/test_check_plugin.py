"""`pytest --mysingle-check`: the rules of the guide among the tests of a service."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BAD = "import time\n\n\nasync def f():\n    time.sleep(1)\n"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Give a function that runs pytest in a folder with a service and one test of its own."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "bad.py").write_text(BAD)
    (tmp_path / "app" / "good.py").write_text("x = 1\n")
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")
    (tmp_path / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\nasyncio_default_fixture_loop_scope = 'function'\n"
    )

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    return call


def test_findings(run: Run) -> None:
    """Each file with findings is a failed test, the others are one test, and the own tests run too."""
    done = run("--mysingle-check", "app")

    assert done.returncode == 1
    assert "check::app/bad.py FAILED" in done.stdout
    assert "check::1 other files PASSED" in done.stdout
    assert "app/bad.py:5:5: MS601" in done.stdout
    assert "1 failed, 2 passed" in done.stdout


def test_clean(run: Run) -> None:
    """A clean tree is one test that passes."""
    done = run("--mysingle-check", "app/good.py")

    assert (done.returncode, "2 passed" in done.stdout) == (0, True)


def test_chosen(run: Run) -> None:
    """`-k` chooses among them, as among all tests."""
    done = run("--mysingle-check", "app", "-k", "bad")

    assert "1 failed, 2 deselected" in done.stdout


def test_without_option(run: Run) -> None:
    """Without the option nothing is checked."""
    assert "1 passed" in run().stdout


def test_wrong_path(run: Run) -> None:
    """A path that does not exist is a usage error with one line."""
    done = run("--mysingle-check", "nowhere")

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "there is no such file or folder" in done.stderr
