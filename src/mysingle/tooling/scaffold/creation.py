"""A new service, whole or not at all."""

import shutil
import tempfile
from pathlib import Path

from mysingle.tooling.scaffold.answers import Answers, ScaffoldError
from mysingle.tooling.scaffold.baseline import BASELINE, Baseline, read_files
from mysingle.tooling.scaffold.rendering import TEMPLATE, render, render_stubs, version

__all__ = ["create"]


def create(answers: Answers, folder: Path, *, template: Path = TEMPLATE, is_dry: bool = False) -> list[str]:
    """
    Make a service, and return its files; the folder appears in one step, when everything is in it.

    Args:
        answers: what the service is.
        folder: where it will stand; nothing may be there, and its parent must be.
        template: another template than the package's own.
        is_dry: return the files that there would be, and leave nothing behind.

    Raises:
        ScaffoldError: the folder is there, or cannot be made.
    """
    _check(folder)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{answers.service_name}.", dir=folder.parent) as scratch:
            stage = Path(scratch, "service")
            _fill(answers, stage, template)
            files = sorted(path.relative_to(stage).as_posix() for path in stage.rglob("*") if path.is_file())
            if not is_dry:
                stage.rename(folder)
    except OSError as error:
        raise ScaffoldError(
            f"{folder} cannot be made: {error.strerror or error}; choose another place with --path"
        ) from error
    return files


def _fill(answers: Answers, stage: Path, template: Path) -> None:
    render(answers, stage, template)
    text = Baseline(version(), answers, read_files(stage)).text()
    (stage / BASELINE).write_text(text, encoding="utf-8")
    render_stubs(stage)
    for cache in list(stage.rglob("__pycache__")):
        shutil.rmtree(cache)


def _check(folder: Path) -> None:
    if (folder / BASELINE).is_file():
        raise ScaffoldError(f"{folder} is a service already; `mysingle new --update` brings a later template")
    if folder.is_symlink() or folder.exists():
        raise ScaffoldError(f"{folder} is there already; choose another name, or another place with --path")
    if not folder.parent.is_dir():
        raise ScaffoldError(f"{folder.parent} is no folder; make it first, or choose another place with --path")
