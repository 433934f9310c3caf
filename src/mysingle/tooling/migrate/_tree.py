"""Files: which ones there are, and writing them whole or not at all."""

import io
import os
import stat
import tokenize
from collections.abc import Iterator
from pathlib import Path

from mysingle._kernel.files import write_whole
from mysingle.tooling.migrate._texts import is_document, is_environment, is_script

__all__ = ["find", "is_writable", "read", "write"]

_SKIPPED = {"__pycache__", "build", "dist", "node_modules", "site-packages", "venv"}
_GENERATED = ("_pb2.py", "_pb2_grpc.py")
_BOM = b"\xef\xbb\xbf"


def find(path: Path) -> Iterator[Path]:
    """Return the files that may change, in order; links are not followed, and this package itself is left out."""
    if path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(path):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not _is_skipped(here / name))
        for name in sorted(names):
            file = here / name
            if _is_wanted(file) and not file.is_symlink() and file.is_file():
                yield file


def _is_skipped(folder: Path) -> bool:
    is_hidden = folder.name.startswith(".") and folder.name != ".github"
    is_ours = (folder / "src/mysingle/_kernel").is_dir() or (folder / "_kernel/old_names.py").is_file()
    is_made = folder.name in _SKIPPED or folder.name.endswith(".egg-info") or (folder / "pyvenv.cfg").is_file()
    return is_hidden or is_ours or is_made


def _is_wanted(file: Path) -> bool:
    is_python = file.suffix in (".py", ".pyi") and not file.name.endswith(_GENERATED)
    return is_python or is_environment(file) or is_script(file) or is_document(file)


def read(file: Path) -> tuple[bytes, str, str]:
    """
    Return the byte order mark of a file, or nothing, its text with the line ends that it has, and its encoding.

    Raises:
        OSError, UnicodeDecodeError: the file cannot be read, or is not in the encoding that it declares.
    """
    data = file.read_bytes()
    mark = _BOM if data.startswith(_BOM) else b""
    encoding = "utf-8" if mark or file.suffix not in (".py", ".pyi") else _declared(data)
    return mark, data[len(mark) :].decode(encoding), encoding


def _declared(data: bytes) -> str:
    """Return the encoding that the first lines of a Python file name; UTF-8 when they name none, or an unknown one."""
    try:
        return tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    except SyntaxError:
        return "utf-8"


def is_writable(file: Path) -> bool:
    """Tell whether a file may be changed; replacing a file would work even where it is read-only."""
    return bool(file.stat().st_mode & stat.S_IWUSR) and os.access(file, os.W_OK)


def write(file: Path, data: bytes) -> None:
    """
    Replace a file by another one with the same permissions, at once: it is never there by half.

    Raises:
        OSError: the file is read-only, or its folder is.
    """
    if not is_writable(file):
        raise PermissionError(13, "the file is read-only")
    write_whole(file, data)
