"""Sixty files of version 1, written from the guide, and what becomes of them."""

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mysingle.tooling.migrate import Migration, plan

HERE = Path(__file__).parent
FILES = sorted(path.relative_to(HERE / "corpus/v1").as_posix() for path in (HERE / "corpus/v1").rglob("*.py"))
LATER = ("mysingle.clients", "mysingle.protos")
IMPORT_ALL = """
import importlib, json, pathlib, sys, warnings
warnings.simplefilter("error")
failed = {}
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = f"{type(error).__name__}: {error}"
pathlib.Path("failed.json").write_text(json.dumps(failed))  # standard output is the log of some modules
"""


def module_name(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def is_here(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Migration, float]:
    """Give the corpus in version 2, and what was said about it."""
    folder = tmp_path_factory.mktemp("migrated") / "corpus"
    for file in FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes((HERE / "corpus/v1" / file).read_bytes())
    begin = time.process_time()
    migration = plan(folder)
    seconds = time.process_time() - begin
    migration.apply()
    return folder, migration, seconds


@pytest.fixture(scope="module")
def import_failures(migrated: tuple[Path, Migration, float]) -> dict[str, str]:
    """Give the modules of the corpus that cannot be imported in a fresh process, where every warning is an error."""
    names = json.dumps([module_name(file) for file in FILES])
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, names], cwd=migrated[0], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    failures: dict[str, str] = json.loads((migrated[0] / "failed.json").read_text())
    return failures


def test_size() -> None:
    """The corpus has at least fifty files."""
    assert len(FILES) >= 50


@pytest.mark.parametrize("file", FILES)
def test_golden(file: str, migrated: tuple[Path, Migration, float]) -> None:
    """A file of version 1 becomes the file of version 2 that a person has looked at."""
    expected = (HERE / "corpus/v2" / file).read_bytes()

    assert expected.decode() == (migrated[0] / file).read_bytes().decode()


@pytest.mark.parametrize("file", FILES)
def test_importable(file: str, import_failures: dict[str, str]) -> None:
    """Each migrated module is imported, with no warning of ours, as soon as the packages that it needs are there."""
    text = (HERE / "corpus/v2" / file).read_text(encoding="utf-8-sig")
    absent = [package for package in LATER if f"from {package}" in text and not is_here(package)]
    failure = import_failures.get(module_name(file))
    if absent and failure == f"ModuleNotFoundError: No module named {absent[0]!r}":
        pytest.skip(f"{absent[0]} is not in this version")

    assert failure is None


def test_nothing_fails(migrated: tuple[Path, Migration, float]) -> None:
    """No file of the corpus is left behind."""
    assert migrated[1].failures == []


def test_twice(migrated: tuple[Path, Migration, float]) -> None:
    """A second run changes nothing."""
    assert plan(migrated[0]).changes == []


def test_golden_files_stay() -> None:
    """What is in version 2 already is not touched."""
    assert plan(HERE / "corpus/v2").changes == []


def test_findings_point_at_their_lines(migrated: tuple[Path, Migration, float]) -> None:
    """The report names lines of the new files: the word that a finding begins with stands near its line."""
    lost = []
    for item in migrated[1].findings:
        lines = Path(item.file).read_text(encoding="utf-8").splitlines()
        assert 1 <= item.line <= len(lines)
        subject = item.what.split()[0].rpartition(".")[2]
        near = "\n".join(lines[max(0, item.line - 3) : item.line + 3])
        if item.what.endswith("was removed") and subject not in near and "token" not in subject:
            lost.append((item.file, item.line, item.what))

    assert lost == []


def test_speed(migrated: tuple[Path, Migration, float], capsys: pytest.CaptureFixture[str]) -> None:
    """The figure is printed: files a second, where nearly all have something to change."""
    with capsys.disabled():
        print(f"\nmigrate: {len(FILES) / migrated[2]:.0f} files a second of processor time, {len(FILES)} files")

    assert len(migrated[1].changes) >= 50
