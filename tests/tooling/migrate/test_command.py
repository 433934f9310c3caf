"""`mysingle migrate v2` as a person runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.tooling.migrate.conftest import MAIN, Run

from mysingle.tooling.migrate import plan

OLD = "from mysingle.base import BaseDocument\n"
NEW = "from mysingle.core.base import BaseDocument\n"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_writes(tmp_path: Path, run: Run) -> None:
    """Without options the files change, and the last line counts them."""
    (tmp_path / "a.py").write_text(OLD)
    (tmp_path / "b.py").write_text("x = 1\n")
    done = run(tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "2 files looked at, 1 changed, 0 to do by hand"
    assert (tmp_path / "a.py").read_text() == NEW


@pytest.mark.parametrize("option", ["--diff", "--dry-run", "--check"])
def test_writes_nothing(service: Path, run: Run, option: str) -> None:
    """With `--diff` or `--check` every file stays as it is."""
    before = tree(service)
    done = run(service, ".", option)

    assert done.returncode == (1 if option == "--check" else 0)
    assert before == tree(service)


def test_diff_is_a_patch(service: Path, run: Run) -> None:
    """What `--diff` shows is what a run writes: git applies it and gets the same files."""
    (service / "settings.env").unlink()  # its passwords are masked
    shown = run(service, ".", "--diff").stdout
    patch = "".join(
        line for line in shown.splitlines(keepends=True) if line.startswith(("---", "+++", "@@", "+", "-", " "))
    )
    subprocess.run(["git", "init", "-q"], cwd=service, check=True)
    subprocess.run(["git", "apply", "-"], cwd=service, input=patch, text=True, check=True)
    applied = {name: data for name, data in tree(service).items() if not name.startswith(".git/")}

    assert plan(service).changes == []
    assert b"mysingle.core.base" in applied["app/models.py"]


def test_check(service: Path, run: Run) -> None:
    """`--check` ends with 1 before the migration and with 0 after it."""
    assert run(service, ".", "--check").returncode == 1
    assert run(service).returncode == 0
    assert run(service, ".", "--check").returncode == 0


def test_json(service: Path, run: Run) -> None:
    """`--json` holds what the text says, and each task with its file, line, reason and section of the guide."""
    report = json.loads(run(service, ".", "--json").stdout)

    assert report["written"] == report["changes"]
    assert "app/main.py" in report["written"]
    assert report["failures"] == []
    assert {"file", "line", "what", "why", "section", "guide"} == set(report["to_do"][0])


def test_sections_exist(service: Path, corpus: Path) -> None:
    """Every task names a section that the guide has."""
    guide = (Path(__file__).parents[3] / "docs/how-to/migrate-from-v1.md").read_text(encoding="utf-8")
    headings = {line.lstrip("# ").lower().replace(" ", "-") for line in guide.splitlines() if line.startswith("## ")}
    named = {item.section for folder in (service, corpus) for item in plan(folder).findings}

    assert named <= headings


def test_secrets_are_masked(service: Path, run: Run) -> None:
    """Neither the diff nor the report shows a password out of a .env file."""
    done = run(service, ".", "--diff")

    assert "crét" not in done.stdout
    assert "s%40" not in done.stdout


def test_missing_path(tmp_path: Path, run: Run) -> None:
    """A path that is not there is one line and exit code 2."""
    done = run(tmp_path, "nowhere")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: nowhere does not exist\n"


@pytest.mark.parametrize("arguments", [["v3", "."], []], ids=["other", "none"])
def test_usage(tmp_path: Path, arguments: list[str]) -> None:
    """Only version 2 can be asked for."""
    command = [sys.executable, "-c", MAIN, "migrate", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 2


def test_missing_library(tmp_path: Path) -> None:
    """Without LibCST the command says which pip command installs it, and nothing changes."""
    (tmp_path / "a.py").write_text(OLD)
    block = (
        "import importlib.util as u; f = u.find_spec; u.find_spec = lambda n, *a: None if n == 'libcst' else f(n, *a); "
    )
    command = [sys.executable, "-c", block + MAIN, "migrate", "v2", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 2
    assert 'pip install "mysingle[dev]"' in done.stderr
    assert (tmp_path / "a.py").read_text() == OLD


def test_closed_pipe(service: Path) -> None:
    """A reader that stops early is no error."""
    command = f'"{sys.executable}" -c "{MAIN}" migrate v2 . --diff | head -1'
    done = subprocess.run(command, shell=True, cwd=service, capture_output=True, text=True, timeout=60, check=False)

    assert done.stderr == ""


def test_interrupted(corpus: Path) -> None:
    """Ctrl-C leaves every file whole, old or new; a second run finishes the work."""
    before = tree(corpus)
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "migrate", "v2", "."],
        cwd=corpus,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    between = tree(corpus)
    plan(corpus).apply()
    after = tree(corpus)

    assert process.returncode in (0, 130)
    told = "Run the command again" in said or (said == "error: interrupted\n" and between == before)  # before it began
    assert process.returncode == 0 or told
    assert set(before) == set(between)
    assert all(data in (before[name], after[name]) for name, data in between.items())
    assert b"mysingle.base" not in after["base_document.py"]
