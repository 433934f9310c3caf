"""A later template into an edited service: planned first, then applied so that a kill leaves nothing half-done."""

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from mysingle.tooling.scaffold.answers import Answers, ScaffoldError
from mysingle.tooling.scaffold.baseline import BASELINE, Baseline, read_baseline, read_files
from mysingle.tooling.scaffold.merging import Change, Outcome, has_marks, merge
from mysingle.tooling.scaffold.renames import find_renamed
from mysingle.tooling.scaffold.rendering import TEMPLATE, render, render_stubs, version

__all__ = ["JOURNAL", "Update", "finish_interrupted", "plan_update"]

JOURNAL = ".mysingle-update"
_PLAN = "plan.json"
_FILES = "files"
_TIMEOUT_SECONDS = 60
_NUMBERS = re.compile(r"\d+")


class Update(NamedTuple):
    """What an update would do; `apply` does it."""

    folder: Path
    before: Baseline
    now: Baseline
    changes: tuple[Change, ...]

    @property
    def is_needed(self) -> bool:
        """Whether anything differs, be it only what the service remembers."""
        return self.before != self.now

    @property
    def undecided(self) -> tuple[str, ...]:
        """The files in which an earlier update has left marks that nobody has seen to."""
        files = self.now.files
        names = sorted({*files, *find_renamed(self.folder, files, files).values()})
        return tuple(name for name in names if has_marks(_content(self.folder / name)))

    def apply(self) -> None:
        """
        Write everything, or, when it is killed, let the next update finish it.

        Raises:
            ScaffoldError: files of the template that were edited and not committed, or a folder that cannot be written.
        """
        _refuse_uncommitted(self.folder, [change.path for change in self.changes if change.outcome is not Outcome.KEPT])
        try:
            _write_journal(self)
            finish_interrupted(self.folder)
        except OSError as error:
            raise ScaffoldError(f"{self.folder} cannot be updated: {error.strerror or error}") from error


def plan_update(
    folder: Path, *, template: Path = TEMPLATE, grpc: bool = False, dsl: bool = False, tasks: bool = False
) -> Update:
    """
    Compare a service with the template of this version, file by file.

    Args:
        folder: the service.
        template: another template than the package's own.
        grpc, dsl, tasks: parts that the service gets in addition.

    Raises:
        ScaffoldError: no service of `mysingle new`, or one of a later version.
    """
    before = read_baseline(folder)
    if _numbers(before.version) > _numbers(version()):
        raise ScaffoldError(
            f"{folder} has the template of mysingle {before.version}, and this is {version()}; upgrade mysingle first"
        )
    answers = before.answers.with_parts(grpc=grpc, dsl=dsl, tasks=tasks)
    now = Baseline(version(), answers, _rendered(answers, template))
    return Update(folder, before, now, tuple(_changes(folder, before.files, now.files)))


def finish_interrupted(folder: Path) -> bool:
    """
    Finish an update that was killed while it wrote, and tell whether there was one.

    Raises:
        ScaffoldError: a file was edited since.
    """
    journal = folder / JOURNAL
    if not (journal / _PLAN).is_file():
        return False
    plan = json.loads((journal / _PLAN).read_text(encoding="utf-8"))
    _refuse_edited(folder, plan)
    for name in plan["delete"]:
        (folder / name).unlink(missing_ok=True)
    for name in plan["write"]:
        staged = journal / _FILES / name
        if staged.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            staged.replace(folder / name)
    if plan["stubs"]:
        render_stubs(folder)
    shutil.rmtree(journal)
    return True


def _rendered(answers: Answers, template: Path) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as scratch:
        render(answers, Path(scratch, "service"), template)
        return read_files(Path(scratch, "service"))


def _changes(folder: Path, before: Mapping[str, str], now: Mapping[str, str]) -> Iterable[Change]:
    changed = {name: text for name, text in before.items() if now.get(name, text) != text}
    renamed = find_renamed(folder, changed, {*before, *now})
    for name in sorted({*before, *now}):
        if before.get(name) == now.get(name):
            continue
        place = renamed.get(name, name)
        obstacle = _in_the_way(folder, place)
        if obstacle:
            yield Change(place, Outcome.KEPT, note=f"{obstacle}; the template has changed it")
            continue
        change = merge(place, before.get(name), _content(folder / place), now.get(name))
        if change is not None:
            yield change if place == name else change._replace(note=f"was {name}; {change.note}".removesuffix("; "))


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError as error:
        raise ScaffoldError(f"{path} cannot be read: {error.strerror}") from error


def _in_the_way(folder: Path, name: str) -> str | None:
    """Say what stands where a file should be, when it cannot be written without taking that away."""
    path = folder / name
    if path.is_symlink():
        return "a link here"
    if path.is_dir():
        return "a folder here"
    around = [folder / place for place in PurePosixPath(name).parents]
    taken = next((place for place in around if place.exists() and not place.is_dir()), None)
    module = next((place.with_suffix(".py") for place in around[:-1] if not place.exists()), None)
    if taken is None and module is not None and module.is_file() and name.endswith(".py"):
        taken = module
    return f"{taken.relative_to(folder)} is here instead of its folder" if taken else None


def _write_journal(update: Update) -> None:
    """Put everything that will be written beside the service's files, and make it count in one step."""
    journal = update.folder / JOURNAL
    shutil.rmtree(journal, ignore_errors=True)
    contents = _contents(update)
    plan = {
        "write": list(contents),
        "delete": [change.path for change in update.changes if change.outcome is Outcome.DELETED],
        "stubs": _needs_stubs(update.changes),
        "before": {name: _digest(update.folder / name) for name in contents},
    }
    with tempfile.TemporaryDirectory(prefix=f"{JOURNAL}.", dir=update.folder) as scratch:
        stage = Path(scratch, "journal")
        for name, content in contents.items():
            _write(stage / _FILES / name, content, like=update.folder / name)
        (stage / _PLAN).write_text(json.dumps(plan), encoding="utf-8")
        stage.rename(journal)


def _contents(update: Update) -> dict[str, bytes]:
    """Return what is written, by path; what the service remembers comes last."""
    found = {change.target: change.content for change in update.changes if change.content is not None}
    return {**found, BASELINE: update.now.text().encode()}


def _write(path: Path, content: bytes, *, like: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if like.is_file():
        shutil.copymode(like, path)


def _needs_stubs(changes: Iterable[Change]) -> bool:
    protos = [change for change in changes if change.path.startswith("protos/") and change.content is not None]
    return bool(protos) and not any(change.needs_somebody for change in protos)


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _refuse_edited(folder: Path, plan: Mapping[str, Any]) -> None:
    """Keep what was edited between the kill and now."""
    waiting = [name for name in plan["write"] if (folder / JOURNAL / _FILES / name).is_file()]
    edited = [name for name in waiting if _digest(folder / name) != plan["before"][name]]
    if edited:
        raise ScaffoldError(
            f"an update was interrupted, and {', '.join(edited)} was edited since: take the edit back, or remove "
            f"{folder / JOURNAL} and restore {BASELINE} from git"
        )


def _refuse_uncommitted(folder: Path, paths: list[str]) -> None:
    """In a git repository an update is one difference that can be looked at, so nothing else may be in it."""
    git = shutil.which("git")
    if git is None or not paths:
        return
    command = [git, "-C", str(folder), "status", "--porcelain", "--untracked-files=no", "-z", "--", *paths]
    done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_SECONDS)  # noqa: S603  # the words are ours
    if done.returncode == 0 and done.stdout:
        count = len([row for row in done.stdout.split(b"\0") if row])
        raise ScaffoldError(f"{count} of the files to update are not committed; commit or stash them first")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _NUMBERS.findall(text)[:3])
