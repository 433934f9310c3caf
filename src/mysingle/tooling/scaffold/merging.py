"""Three texts become one: what was rendered, what people made of it, what is rendered now."""

import shutil
import subprocess
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from mysingle.tooling.scaffold.answers import ScaffoldError

__all__ = ["Change", "Outcome", "has_marks", "merge"]

_TIMEOUT_SECONDS = 60
_MOST_CONFLICTS = 127
_LABELS = ("this service", "the template before", "the template now")


class Outcome(StrEnum):
    """What an update does with one file."""

    ADDED = "added"
    UPDATED = "updated"
    MERGED = "merged"
    CONFLICT = "conflict"
    BESIDE = "beside"
    DELETED = "deleted"
    KEPT = "kept"


class Change(NamedTuple):
    """
    One file of an update.

    Args:
        path: relative to the service, with forward slashes.
        outcome: what happens to it.
        content: what is written to `target`; None when nothing is.
        note: what a person should know, and the number of conflicts.
    """

    path: str
    outcome: Outcome
    content: bytes | None = None
    note: str = ""

    @property
    def target(self) -> str:
        """The file that is written: its own, or one beside it when it is no text."""
        return f"{self.path}.template" if self.outcome is Outcome.BESIDE else self.path

    @property
    def needs_somebody(self) -> bool:
        """Whether a person has to look at it."""
        return self.outcome in (Outcome.CONFLICT, Outcome.BESIDE)


def merge(path: str, before: str | None, ours: bytes | None, now: str | None) -> Change | None:
    """
    Return what an update does with one file; None when there is nothing to do.

    Args:
        path: of the file.
        before: as the template of the service rendered it; None when it did not.
        ours: as it is in the service; None when it is gone.
        now: as the template of today renders it; None when it does not.

    Raises:
        ScaffoldError: both sides changed it, and git is not installed.
    """
    old, new = _encoded(before, ours), _encoded(now, ours)
    if old == new or ours == new:
        return None
    if new is None:
        return _removed(path, is_edited=ours != old)
    if ours is None:
        if old is None:
            return Change(path, Outcome.ADDED, new)
        return Change(path, Outcome.KEPT, note="deleted here; the template has changed it")
    if ours == old:
        return Change(path, Outcome.UPDATED, new)
    return _merged(path, old or b"", ours, new)


def has_marks(content: bytes | None) -> bool:
    """Tell whether a file has places that an update has marked for a person."""
    return content is not None and f"<<<<<<< {_LABELS[0]}".encode() in content


def _removed(path: str, *, is_edited: bool) -> Change:
    if is_edited:
        return Change(path, Outcome.KEPT, note="edited here; the template has it no more")
    return Change(path, Outcome.DELETED)


def _encoded(text: str | None, ours: bytes | None) -> bytes | None:
    """Return a rendering with the line ends that the file in the service has."""
    if text is None:
        return None
    is_windows = ours is not None and b"\r\n" in ours
    return (text.replace("\n", "\r\n") if is_windows else text).encode()


def _merged(path: str, old: bytes, ours: bytes, new: bytes) -> Change:
    git = shutil.which("git")
    if git is None:
        raise ScaffoldError("git is not installed, and it merges what was changed on both sides; install it")
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch, name) for name in ("ours", "before", "now")]
        for file, content in zip(files, (ours, old, new), strict=True):
            file.write_bytes(content)
        labels = [word for label in _LABELS for word in ("-L", label)]
        command = [git, "merge-file", "-p", *labels, *map(str, files)]
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_SECONDS)  # noqa: S603  # the words are ours
    if not 0 <= done.returncode <= _MOST_CONFLICTS:
        return Change(path, Outcome.BESIDE, new, "no text here; the template's version stands beside it")
    if done.returncode:
        places = f"{done.returncode} place{'s' if done.returncode > 1 else ''}"
        return Change(path, Outcome.CONFLICT, done.stdout, f"{places} marked with <<<<<<<")
    if done.stdout == ours:
        return Change(path, Outcome.KEPT, note="has the change already")
    return Change(path, Outcome.MERGED, done.stdout)
