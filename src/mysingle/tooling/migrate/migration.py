"""A tree from version 1 to version 2: everything is worked out first, then written file by file."""

import difflib
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mysingle._kernel.errors import ErrorCode, MySingleError
from mysingle._kernel.extras import MissingExtraError
from mysingle.tooling.migrate._findings import Finding, follow
from mysingle.tooling.migrate._project import Project
from mysingle.tooling.migrate._texts import (
    is_document,
    is_environment,
    is_script,
    look_into,
    migrate_environment,
    migrate_script,
)
from mysingle.tooling.migrate._tree import find, is_writable, read, write

__all__ = ["Change", "Failure", "Migration", "MigrationError", "plan"]

_SECRET = re.compile(r"(?<=:)[^:@/\s]+(?=@)|(?<=PASSWORD=).+")
_MARKERS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")


class MigrationError(MySingleError):
    """The command cannot begin; the message says why."""

    default_code = ErrorCode.INVALID_ARGUMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file, before and after; `mark` is its byte order mark, `encoding` the one that it declares."""

    file: str
    path: Path
    mark: bytes
    encoding: str
    before: str
    after: str

    def diff(self) -> Iterator[str]:
        """Return a unified diff; passwords in .env files are masked."""
        lines = (self.before.splitlines(keepends=True), self.after.splitlines(keepends=True))
        for line in difflib.unified_diff(*lines, fromfile=f"a/{self.file}", tofile=f"b/{self.file}"):
            text = line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            yield _SECRET.sub("***", text) if is_environment(self.path) else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One file that stays as it is, and why."""

    file: str
    line: int | None
    why: str


@dataclass(slots=True, kw_only=True)
class Migration:
    """What happens to a tree. `apply` writes it; `findings` are what a person must do afterwards."""

    looked_at: int = 0
    changes: list[Change] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def apply(self) -> None:
        """Write the changed files, each at once; one that cannot be written becomes a failure."""
        for change in self.changes:
            try:
                write(change.path, change.mark + change.after.encode(change.encoding))
            except OSError as error:
                self.failures.append(Failure(file=change.file, line=None, why=_reason(error)))
            else:
                self.written.append(change.file)

    def as_before(self) -> list[Finding]:
        """Return the findings with the lines that the files have without the changes."""
        texts = {change.file: change for change in self.changes}
        return [
            follow([item], texts[item.file].after, texts[item.file].before)[0] if item.file in texts else item
            for item in self.findings
        ]


def plan(path: Path) -> Migration:
    """
    Work out what changes in a file, or in a tree; nothing is written.

    Raises:
        MigrationError: there is no such path. MissingExtraError: LibCST is not installed.
    """
    if importlib.util.find_spec("libcst") is None:
        raise MissingExtraError("dev", "libcst", "mysingle migrate")
    if not path.exists():
        raise MigrationError(f"{path} does not exist", reason="MIGRATION_PATH")
    root = path.resolve()
    folder = _root(root)
    project = Project(folder, find(folder))
    result = Migration()
    for file in find(root):
        _add(result, project, file, _shown(file, path, root))
    return result


def _root(path: Path) -> Path:
    """Return the folder of the service: the first one upwards from a file that looks like it."""
    if path.is_dir():
        return path
    return next((folder for folder in path.parents if any((folder / name).exists() for name in _MARKERS)), path.parent)


def _shown(file: Path, path: Path, root: Path) -> str:
    return str(path if file == root else path / file.relative_to(root))


def _add(result: Migration, project: Project, file: Path, shown: str) -> None:
    result.looked_at += 1
    try:
        mark, before, encoding = read(file)
    except UnicodeDecodeError:
        if file.suffix == ".py":
            result.failures.append(
                Failure(
                    file=shown,
                    line=None,
                    why="the file is not in the encoding that it declares, or UTF-8; convert it first",
                )
            )
        return
    except OSError as error:
        result.failures.append(Failure(file=shown, line=None, why=_reason(error)))
        return
    try:
        after, findings = _migrated(before, project, file)
    except _NoPythonError as error:
        result.failures.append(Failure(file=shown, line=error.line, why=str(error)))
        return
    change = Change(file=shown, path=file, mark=mark, encoding=encoding, before=before, after=after)
    if after != before and not is_writable(file):
        result.failures.append(Failure(file=shown, line=None, why="the file is read-only"))
        return
    if after != before:
        result.changes.append(change)
    result.findings += [replace(item, file=shown) for item in findings]


class _NoPythonError(Exception):
    """A text that cannot be parsed, and the line where that shows."""

    def __init__(self, why: str, line: int | None) -> None:
        super().__init__(why)
        self.line = line


def _migrated(text: str, project: Project, file: Path) -> tuple[str, list[Finding]]:
    if is_environment(file):
        return migrate_environment(text)
    if is_script(file):
        return migrate_script(text)
    if is_document(file):
        return text, list(look_into(text))
    import libcst

    from mysingle.tooling.migrate._python import migrate_python

    try:
        after, findings = migrate_python(text, project, is_package=file.stem == "__init__")
        required = look_into(text) if file.name == "setup.py" else ()
        return after, [*findings, *(item for item in required if item.section == "requirements")]
    except SyntaxError as error:
        raise _NoPythonError(f"no valid Python: {error.msg}", error.lineno) from error
    except libcst.ParserSyntaxError as error:
        raise _NoPythonError(f"no valid Python: {error.message.splitlines()[0]}", error.raw_line) from error
    except (RecursionError, MemoryError):
        raise _NoPythonError("too deeply nested to be read", None) from None
    except Exception as error:  # one file must not keep all the others from being changed
        why = f"the migration does not understand it ({type(error).__name__}); change it by hand, and tell us"
        raise _NoPythonError(why, None) from error


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
