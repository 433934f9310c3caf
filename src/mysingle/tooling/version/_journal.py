"""The note that a release leaves while it works, so that a run that was killed is finished, or taken back."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mysingle.tooling.version.errors import VersionError

__all__ = ["Journal", "temporary", "write_whole"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """
    What a release is about to do.

    `files` maps a path below the repository to its new text, or None when it goes; `head` is the commit before,
    `remote` is where to push, if anywhere.
    """

    head: str
    branch: str
    tag: str
    message: str
    files: Mapping[str, str | None]
    remote: str | None

    def write(self, file: Path) -> None:
        """
        Leave the note.

        Raises:
            VersionError: it cannot be written.
        """
        write_whole(file, json.dumps(asdict(self)))

    @staticmethod
    def read(file: Path) -> "Journal | None":
        """Return the note that a killed run has left; None when there is none."""
        try:
            return Journal(**json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise VersionError(f"{file} cannot be read ({error}): look at `git status`, then delete it") from None


def temporary(file: Path) -> Path:
    """Return the name under which a file is written before it takes its place."""
    return file.with_name(f".{file.name}.mysingle-tmp")


def write_whole(file: Path, text: str) -> None:
    """
    Write a file so that it is, at every moment, the old one or the new one.

    Raises:
        VersionError: it cannot be written; the old one is still there.
    """
    draft = temporary(file)
    try:
        with draft.open("wb") as stream:
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        if file.exists():
            draft.chmod(file.stat().st_mode & 0o7777)
        draft.replace(file)
    except OSError as error:
        raise VersionError(f"{file} cannot be written: {error.strerror}") from None
