"""The labelled set: snippets with the codes that the check has to find in them, and look-alikes that are clean."""

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CASES", "Case"]

_FOLDER = Path(__file__).parent / "cases"
_HEAD = re.compile(r"^=== ([\w-]+):(.*)\n", re.MULTILINE)
_FILE = re.compile(r"^-- (\S+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One snippet of one or more files; `codes` are expected, none for a look-alike."""

    name: str
    codes: frozenset[str]
    files: dict[str, str]

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
    first, *rest = _FILE.split(body)
    files = {path: first} if first.strip() else {}
    return files | dict(zip(rest[::2], rest[1::2], strict=True))


CASES = [case for file in sorted(_FOLDER.glob("*.txt")) for case in _read(file)]
