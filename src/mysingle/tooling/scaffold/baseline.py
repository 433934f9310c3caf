"""What a service remembers of its template: the answers, and every file as it was rendered."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from mysingle.tooling.scaffold.answers import Answers, ScaffoldError

__all__ = ["BASELINE", "Baseline", "read_baseline", "read_files"]

BASELINE = ".mysingle-template.json"


class Baseline(NamedTuple):
    """The rendering that a service was made from, or last updated to."""

    version: str
    answers: Answers
    files: Mapping[str, str]

    def text(self) -> str:
        """Return what is kept in the service; the same for the same rendering."""
        values = {"mysingle": self.version, "answers": asdict(self.answers), "files": dict(self.files)}
        return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def read_files(folder: Path) -> dict[str, str]:
    """Return every file of a rendering, by its path with forward slashes."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def read_baseline(folder: Path) -> Baseline:
    """
    Return what a service remembers.

    Raises:
        ScaffoldError: it was not made by `mysingle new`, or the file that says so was changed.
    """
    path = folder / BASELINE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ScaffoldError(f"{folder} was not made by `mysingle new`: it has no {BASELINE}") from None
    except OSError as error:
        raise ScaffoldError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError:
        raise _damaged(path) from None
    return _checked(path, values)


def _checked(path: Path, values: Any) -> Baseline:
    if not isinstance(values, dict):
        raise _damaged(path)
    files, made_by = values.get("files"), values.get("mysingle")
    if not isinstance(made_by, str) or not isinstance(files, dict):
        raise _damaged(path)
    if not all(isinstance(text, str) and _is_inside(name) for name, text in files.items()):
        raise _damaged(path)
    return Baseline(made_by, Answers.read(values.get("answers")), files)


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts


def _damaged(path: Path) -> ScaffoldError:
    return ScaffoldError(f"{path} cannot be read: restore it with `git checkout -- {path.name}`")
