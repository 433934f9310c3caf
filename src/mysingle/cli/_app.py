"""The app that a command looks at: imported without its noise, and one line when that fails."""

import contextlib
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mysingle._kernel.errors import InvalidArgumentError, MySingleError
from mysingle._kernel.extras import MissingExtraError

__all__ = ["open_app"]


def open_app(load: Callable[[str], Any], name: str) -> Any:
    """
    Return the app that `load` finds under a name; what its modules print goes to standard error.

    Raises:
        InvalidArgumentError: the import failed; the message says why, and in which line of whose file.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return load(name)
    except (MySingleError, MissingExtraError):
        raise
    except (Exception, SystemExit) as error:
        cause = " ".join(f"{type(error).__name__}: {getattr(error, 'msg', None) or error}".split())
        place = _place(error)
        where = f" ({place})" if place else ""
        raise InvalidArgumentError(f"{name!r} cannot be imported: {cause}{where}", reason="APP_NOT_FOUND") from error


def _place(error: BaseException) -> str:
    """Return the last line of the service's own code that had a part in it."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(frame.filename)]
    return f"{_short(own[-1].filename)}:{own[-1].lineno}" if own else ""


def _is_own(file: str) -> bool:
    paths = sysconfig.get_paths()
    libraries = [Path(paths[name]) for name in ("stdlib", "purelib", "platlib")] + [Path(__file__).parents[1]]
    return not file.startswith("<") and not any(Path(file).is_relative_to(library) for library in libraries)


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
