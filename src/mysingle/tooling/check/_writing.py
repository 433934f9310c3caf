"""Writes a file as a whole, or not at all."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from mysingle.tooling.check.errors import CheckError

__all__ = ["write_atomically"]


def write_atomically(file: Path, content: bytes) -> None:
    """
    Replace a file, keeping its permissions; a symbolic link is followed.

    Raises:
        CheckError: the file cannot be written.
    """
    target = Path(os.path.realpath(file))
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as stream:
            temporary = Path(stream.name)
            stream.write(content)
        temporary.chmod(target.stat().st_mode & 0o7777 if target.exists() else 0o644)
        temporary.replace(target)
        temporary = None
    except OSError as error:
        raise CheckError(f"{file}: the file cannot be written: {error.strerror}") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()
