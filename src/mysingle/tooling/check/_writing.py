"""Writes what the check repairs and remembers."""

from pathlib import Path

from mysingle._kernel.files import write_whole
from mysingle.tooling.check.errors import CheckError

__all__ = ["write_atomically"]


def write_atomically(file: Path, content: bytes) -> None:
    """
    Replace a file, all or nothing.

    Raises:
        CheckError: the file cannot be written.
    """
    try:
        write_whole(file, content)
    except OSError as error:
        raise CheckError(f"{file}: the file cannot be written: {error.strerror}") from error
