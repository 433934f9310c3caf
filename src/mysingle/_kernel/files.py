"""Writes a file as a whole, or not at all."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(file: Path, content: bytes) -> None:
    """
    Replace a file, keeping its permissions. A symbolic link is followed; a device or a pipe is written to, and stays.

    Raises:
        OSError: the file cannot be written; it is as it was.
    """
    target = Path(os.path.realpath(file))
    if file.exists() and not target.is_file():
        file.write_bytes(content)
        return
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as stream:
            temporary = Path(stream.name)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(target.stat().st_mode & 0o7777 if target.exists() else 0o644)
        temporary.replace(target)
        temporary = None
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()
