"""Finds the files to check, and reads them as Python reads them."""

import codecs
import io
import os
import re
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

from mysingle.tooling.check.errors import CheckError

__all__ = ["ALWAYS_EXCLUDED", "Source", "UnreadableError", "discover", "is_test", "read_source", "relative"]

ALWAYS_EXCLUDED = frozenset(
    [
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "venv",
        ".tox",
        ".nox",
        "node_modules",
        "__pycache__",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        ".eggs",
        "build",
        "dist",
        "site-packages",
        ".mysingle",
    ]
)
_GENERATED = ("_pb2.py", "_pb2_grpc.py")
_LINE_END = re.compile(r"\r\n|\r|\n")
_TEST_FOLDERS = frozenset({"tests", "test", "testing"})


class UnreadableError(Exception):
    """A file is no Python text; the message says why."""


@dataclass(frozen=True)
class Source:
    """The text of a file, with its encoding and its line ends."""

    path: Path
    shown: str
    text: str
    encoding: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends."""
        return _LINE_END.split(self.text)

    @cached_property
    def starts(self) -> list[int]:
        """The offset at which each line begins."""
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    @property
    def line_end(self) -> str:
        """The line end that the file uses first."""
        found = _LINE_END.search(self.text)
        return found[0] if found else "\n"

    def column(self, line: int, offset: int) -> int:
        """Turn an offset in UTF-8 bytes, as the parser counts, into a column in characters from 1."""
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return (offset if text.isascii() else len(text.encode()[:offset].decode(errors="replace"))) + 1

    def encoded(self, text: str) -> bytes:
        """Return a text as the file would hold it."""
        return text.encode(self.encoding)


def relative(path: Path, base: Path) -> str:
    """Return a path as findings show it."""
    try:
        return path.relative_to(base).as_posix()
    except ValueError:
        return path.as_posix()


def is_test(shown: str) -> bool:
    """Tell whether a file holds tests, for which some rules are looser."""
    *folders, name = shown.split("/")
    if name.startswith(("test_", "conftest.")) or name.endswith(("_test.py", "_tests.py")):
        return True
    return not _TEST_FOLDERS.isdisjoint(folders)


def discover(
    paths: Sequence[Path], base: Path, exclude: Sequence[str], on_error: Callable[[Path, OSError], None]
) -> Iterator[Path]:
    """
    Return the Python files below the paths, each once, in order; generated stubs, links and pipes are left out.

    Repositories inside, such as submodules, are somebody else's; one that is named itself is checked.

    Raises:
        CheckError: a path does not exist.
    """
    seen: set[Path] = set()
    for path in paths:
        if not os.path.lexists(path):
            raise CheckError(f"{path}: there is no such file or folder")
        for found in _below(path, base, exclude, on_error):
            if found not in seen:
                seen.add(found)
                yield found


def _below(path: Path, base: Path, exclude: Sequence[str], on_error: Callable[[Path, OSError], None]) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, files in os.walk(path, onerror=lambda error: on_error(Path(error.filename), error)):
        here = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if name not in ALWAYS_EXCLUDED
            and not name.endswith(".egg-info")
            and not _excluded(relative(here / name, base), exclude)
            and not os.path.lexists(here / name / ".git")
        )
        for name in sorted(files):
            file = here / name
            is_wanted = name.endswith(".py") and not name.endswith(_GENERATED)
            if is_wanted and not _excluded(relative(file, base), exclude) and not _is_left_out(file):
                yield file


def _is_left_out(path: Path) -> bool:
    """Leave out links to files, and what is no file, such as a named pipe without an end; report broken links."""
    return path.is_symlink() if path.is_file() else path.exists()


def _excluded(shown: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(shown, pattern) or fnmatch(shown, f"{pattern.rstrip('/')}/*") for pattern in patterns)


def read_source(path: Path, shown: str) -> Source:
    """
    Read a file with the encoding that it declares.

    Raises:
        UnreadableError: the file cannot be read, is binary, or is not in its encoding.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"the file cannot be read: {error.strerror or error}") from error
    if b"\0" in data:
        raise UnreadableError("the file is binary, not Python text")
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
        text = codecs.decode(data, encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise UnreadableError(f"the file is not text in its encoding: {error}") from error
    return Source(path, shown, text, encoding)
