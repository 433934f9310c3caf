"""Edits of Python files, told to the services in whose folders they are."""

from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mysingle._kernel.extras import MissingExtraError

if TYPE_CHECKING:
    from watchfiles import Change

__all__ = ["edits", "is_source", "owners", "require_watching"]

_GATHER_MILLISECONDS = 400
_QUIET_MILLISECONDS = 30
_NOT_OURS = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})


def require_watching() -> None:
    """
    Check that edits can be seen.

    Raises:
        MissingExtraError: the library is not installed.
    """
    try:
        import watchfiles  # noqa: F401  # whether it is there
    except ModuleNotFoundError as error:
        raise MissingExtraError("embedded", "watchfiles", "mysingle dev without --no-reload") from error


async def edits(folders: Iterable[Path]) -> AsyncIterator[set[Path]]:
    """
    Yield the Python files that have changed, as they change.

    Raises:
        OSError: the system does not let so many folders be watched.
    """
    from watchfiles import awatch

    outermost = sorted(set(folders))

    def is_wanted(_change: "Change", path: str) -> bool:
        return any(is_source(Path(path), folder) for folder in outermost)

    async for changes in awatch(
        *outermost, watch_filter=is_wanted, debounce=_GATHER_MILLISECONDS, step=_QUIET_MILLISECONDS
    ):
        yield {Path(path) for _, path in changes}


def is_source(file: Path, folder: Path) -> bool:
    """Tell whether a file is Python that belongs to a folder, and not to an environment or a cache in it."""
    if file.suffix != ".py" or not file.is_relative_to(folder):
        return False
    return not any(part.startswith(".") or part in _NOT_OURS for part in file.relative_to(folder).parts)


def owners(file: Path, folders: Mapping[str, Path]) -> set[str]:
    """Return the services that a file belongs to: those in the innermost of the folders that hold it."""
    depths = {name: len(folder.parts) for name, folder in folders.items() if is_source(file, folder)}
    return {name for name, depth in depths.items() if depth == max(depths.values())}
