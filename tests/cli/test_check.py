"""`mysingle check` as people and pipelines call it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BAD = "import time\n\n\nasync def f():\n    time.sleep(1)\n"
MAIN = "from mysingle.cli import main; main()"
PYPROJECT = '[tool.mysingle.check]\nignore = ["MS601"]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with a clean file and one that breaks a rule."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "bad.py").write_text(BAD)
    (tmp_path / "app" / "good.py").write_text("x = 1\n")
    return tmp_path


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", MAIN, "check", *arguments]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **environment}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("paths", [["app/routes.py"], ["app/routes.py", "app/models.py"], ["app/api"], ["."]])
@pytest.mark.parametrize("place", [".", "app"])
def test_some_files_of_a_service(tmp_path: Path, place: str, paths: list[str]) -> None:
    """Which files are named does not change what is known of their service, as when a hook names the changed ones."""
    route = "from fastapi import APIRouter\n\nrouter = APIRouter()\n\n\n@router.get('{}')\nasync def f(): return 1\n"
    files = {
        "app/main.py": "from app.routes import router\nfrom app.api.more import router as more\n"
        "from mysingle.core import create_fastapi_app, create_service_config, ServiceType\n\n"
        "config = create_service_config('iam-service', ServiceType.IAM_SERVICE, public_paths=['/v1/a', '/v1/b'])\n"
        "app = create_fastapi_app(config)\napp.include_router(router, prefix='/v1')\n"
        "app.include_router(more, prefix='/v1')\n",
        "app/routes.py": route.format("/a"),
        "app/api/more.py": route.format("/b"),
        "app/models.py": "from mysingle.auth import User\n\n\nclass Account(User):\n    nickname: str\n",
        "pyproject.toml": "[project]\nname = 'x'\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    named = [os.path.relpath(tmp_path / path, tmp_path / place) for path in paths]

    assert "nothing found" in run(tmp_path / place, *named).stdout


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_any_name_and_any_output(tmp_path: Path, form: str, encoding: str) -> None:
    """Names that are no text, and texts that the terminal cannot show, are written with escapes."""
    Path(os.fsdecode(bytes(tmp_path) + b"/\xff.py")).write_text(
        "v = eval('\N{HANGUL SYLLABLE GA}\N{CHART WITH UPWARDS TREND}')\n"
    )
    done = run(tmp_path, "--format", form, PYTHONIOENCODING=encoding, PYTHONUTF8="0")

    assert (done.returncode, done.stderr) == (1, "")
    assert "MS812" in done.stdout
    assert form not in ("json", "sarif") or json.loads(done.stdout)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 1, "app/bad.py:5:5: MS601"),
        (["app"], 1, "app/bad.py:5:5: MS601"),
        (["app/good.py"], 0, "1 file checked: nothing found"),
        (["app/good.py", "app/bad.py"], 1, "2 files checked: 1 finding"),
        (["--ignore", "MS6"], 0, "nothing found"),
        (["--ignore", "MS5,MS6"], 0, "nothing found"),
        (["--select", "MS1", "--select", "MS2"], 0, "nothing found"),
        (["--format", "github"], 1, "::error file=app/bad.py,line=5"),
        (["--list"], 0, "MS601  Sleeping in the event loop  (fix)"),
        (["--explain", "ms601"], 0, "Instead: `await asyncio.sleep(...)`."),
    ],
)
def test_exit_codes(folder: Path, arguments: list[str], code: int, said: str) -> None:
    """0 is clean, 1 is a finding; what is said goes to standard output, without colours in a pipe."""
    done = run(folder, *arguments)

    assert (done.returncode, done.stderr) == (code, "")
    assert said in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: there is no such file or folder"),
        (["--select", "XX"], "there is no rule 'XX'"),
        (["--ignore", "MS6,XX"], "there is no rule 'XX'"),
        (["--explain", "MS999"], "there is no rule 'MS999'"),
        (["--config", "nowhere.toml"], "nowhere.toml: there is no such file"),
        (["--baseline", "nowhere.json"], "nowhere.json: the baseline cannot be read"),
        (["--write-baseline", "no/where.json"], "no/where.json: the file cannot be written"),
    ],
)
def test_usage(folder: Path, arguments: list[str], said: str) -> None:
    """What cannot be done is one line on standard error, and exit code 2."""
    done = run(folder, *arguments)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr


def test_configuration_is_found(folder: Path) -> None:
    """The nearest pyproject.toml counts, also from a folder below, and the command line stands above it."""
    (folder / "pyproject.toml").write_text(PYPROJECT)

    assert run(folder).returncode == 0
    assert run(folder / "app").returncode == 0
    assert "bad.py:5:5: MS812" not in run(folder / "app", "--select", "MS601").stdout


def test_paths_from_below(folder: Path) -> None:
    """Paths in the text can be opened from where the command runs; those for programs begin at the project."""
    (folder / "pyproject.toml").write_text("")

    assert run(folder / "app").stdout.startswith("bad.py:5:5: MS601")
    assert json.loads(run(folder / "app", "--format", "json").stdout)["findings"][0]["path"] == "app/bad.py"


def test_fix(folder: Path) -> None:
    """`--fix` repairs and says so, a second run finds nothing, and `--dry-run` only shows what would change."""
    shown = run(folder, "--fix", "--dry-run")
    before = (folder / "app" / "bad.py").read_text()
    done = run(folder, "--fix")

    assert (shown.returncode, before) == (1, BAD)
    assert "+    await asyncio.sleep(1)\n" in shown.stdout
    assert (done.returncode, done.stdout) == (0, "2 files checked, 1 repaired: nothing found\n")
    assert (folder / "app" / "bad.py").read_text() == "import asyncio\n" + BAD.replace("time.s", "await asyncio.s")
    assert run(folder, "--fix", "--dry-run").returncode == 0


def test_baseline(folder: Path) -> None:
    """What is in the baseline does not fail the check, what is new does."""
    written = run(folder, "--write-baseline", "known.json")
    known = run(folder, "--baseline", "known.json")
    (folder / "app" / "new.py").write_text("x = eval('1')\n")
    new = run(folder, "--baseline", "known.json")

    assert (written.returncode, known.returncode, new.returncode) == (0, 0, 1)
    assert "MS812" in new.stdout
    assert "MS601" not in new.stdout


def test_syntax_error(folder: Path) -> None:
    """A file with a syntax error is a finding with its place, and the others are checked."""
    (folder / "app" / "broken.py").write_text("def f(:\n")
    done = run(folder)

    assert done.returncode == 1
    assert "app/broken.py:1:7: MS001 the file cannot be parsed: invalid syntax" in done.stdout
    assert "MS601" in done.stdout


def test_reader_goes_away(folder: Path) -> None:
    """A pipe whose reader has enough is no traceback."""
    (folder / "app" / "many.py").write_text("x = eval('1')\n" * 5000)
    command = f'"{sys.executable}" -c "{MAIN}" check . | head -1'
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_needs_no_library(folder: Path) -> None:
    """The check runs on the base install: it loads no library but the standard one."""
    code = f"import atexit, sys; atexit.register(lambda: print(*sys.modules)); sys.argv = ['mysingle', 'check']; {MAIN}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}

    assert loaded - set(sys.stdlib_module_names) - {"__main__", "mysingle"} <= _at_start()


def _at_start() -> set[str]:
    """Return what an interpreter of this environment has loaded before it does anything."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return {name.partition(".")[0] for name in done.stdout.split()}
