"""A folder with files, and the check of it; the labelled set."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from mysingle.tooling.check import CheckConfig, CheckReport, check_paths

CASES_FOLDER = Path(__file__).parent / "cases"
_HEAD = re.compile(r"^=== ([\w-]+):(.*)\n", re.MULTILINE)
_FILE = re.compile(r"^-- (\S+)\n", re.MULTILINE)

Check = Callable[..., CheckReport]


@dataclass(frozen=True)
class Case:
    """One snippet of one or more files; `codes` are expected, none for a look-alike."""

    name: str
    codes: frozenset[str]
    files: Mapping[str, str]

    def write(self, folder: Path) -> None:
        for path, text in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")


def _read(file: Path) -> list[Case]:
    parts = _HEAD.split(file.read_text(encoding="utf-8"))[1:]
    cases = []
    for name, options, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        words = options.split()
        path = next((word.removeprefix("path=") for word in words if word.startswith("path=")), "app/service.py")
        codes = frozenset(word for word in words if word.startswith("MS"))
        cases.append(Case(f"{file.stem}-{name}", codes, _files(body, path)))
    return cases


def _files(body: str, path: str) -> dict[str, str]:
    """Split a snippet at lines such as `-- app/models.py`."""
    first, *rest = _FILE.split(body)
    files = {path: first} if first.strip() else {}
    return files | dict(zip(rest[::2], rest[1::2], strict=True))


CASES = [case for file in sorted(CASES_FOLDER.glob("*.txt")) for case in _read(file)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `case` once for each of the labelled set."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES, ids=[case.name for case in CASES])


@pytest.fixture
def labelled() -> list[Case]:
    """Give the whole labelled set."""
    return CASES


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Give a function that writes files into a folder, the working directory, and checks it."""
    monkeypatch.chdir(tmp_path)

    def run(files: Mapping[str, str | bytes], **options: object) -> CheckReport:
        for path, content in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content if isinstance(content, bytes) else content.encode())
        return check_paths([tmp_path], CheckConfig(base=tmp_path, **options))  # type: ignore[arg-type]  # any option

    return run
