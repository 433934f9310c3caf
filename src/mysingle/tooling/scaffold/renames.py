"""Files that people have renamed: where in the service is now what the template has rendered."""

import difflib
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

__all__ = ["find_renamed"]

_SKIPPED = frozenset({"__pycache__", "build", "dist", "node_modules", "venv"})
_MIN_LINES = 5
_MIN_LIKENESS = 0.6
_MAX_BYTES = 200_000


def find_renamed(folder: Path, files: Mapping[str, str], known: Collection[str]) -> Mapping[str, str]:
    """
    Return where each of these files is that is gone: another file of that name, or the one that is most like it.

    Files that the template knows are nobody's new place, and a few lines are like everything.
    """
    gone = [name for name, text in files.items() if _is_gone(folder / name, text)]
    if not gone:
        return {}
    others = {name: text for name, text in _texts(folder) if name not in known}
    likeness = {
        (Path(name).name == Path(other).name, _likeness(files[name], text), name, other)
        for name in gone
        for other, text in others.items()
        if Path(name).suffix == Path(other).suffix
    }
    found: dict[str, str] = {}
    for _, value, name, other in sorted(likeness, reverse=True):
        if value >= _MIN_LIKENESS and name not in found and other not in found.values():
            found[name] = other
    return found


def _is_gone(path: Path, text: str) -> bool:
    return not os.path.lexists(path) and len(text.split("\n")) > _MIN_LINES


def _likeness(one: str, other: str) -> float:
    matcher = difflib.SequenceMatcher(None, one.splitlines(), other.splitlines(), autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= _MIN_LIKENESS else 0.0


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the service's own texts; what cannot be read is none of them."""
    for place, folders, names in os.walk(folder):
        here = Path(place)
        folders[:] = [name for name in folders if name not in _SKIPPED and (name[0] != "." or name == ".github")]
        if (here / "pyvenv.cfg").is_file():
            folders.clear()
            continue
        for path in (here / name for name in names):
            try:
                if path.is_symlink() or path.stat().st_size > _MAX_BYTES:
                    continue
                yield path.relative_to(folder).as_posix(), path.read_bytes().decode()
            except (OSError, UnicodeDecodeError):
                continue
