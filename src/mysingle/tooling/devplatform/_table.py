"""Values of a TOML table, each checked when it is asked for."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mysingle.tooling.devplatform.errors import StackFileError

__all__ = ["Table"]

_MAX_PORT = 65_535
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Table:
    """A table of a file; what does not fit is a `StackFileError` that says what would."""

    def __init__(self, file: Path, place: str, values: Mapping[str, Any]) -> None:
        self.place = place
        self._file = file
        self._values = values

    @classmethod
    def read(cls, file: Path) -> "Table":
        """Read a file as its outermost table."""
        try:
            with file.open("rb") as stream:
                return cls(file, "", tomllib.load(stream))
        except OSError as error:
            raise StackFileError(file, "", f"the file cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise StackFileError(file, "", f"the file is not TOML: {error}") from error

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def allow(self, *names: str) -> None:
        """Refuse every other name: a misspelt one would be silence."""
        for name in self._values:
            if name not in names:
                raise self.error(name, f"there is no such name here; there are {', '.join(sorted(names))}")

    def error(self, name: str, what: str) -> StackFileError:
        """Return the error that says what is wrong with a value."""
        return StackFileError(self._file, ".".join(part for part in (self.place, name) if part), what)

    def table(self, name: str) -> "Table":
        """Return a table in this one; an empty one when it is not there."""
        found = self._values.get(name, {})
        if not isinstance(found, dict):
            raise self.error(name, "this must be a table")
        return Table(self._file, ".".join(part for part in (self.place, name) if part), found)

    def tables(self) -> dict[str, "Table"]:
        """Return everything in this table, which must be tables."""
        return {name: self.table(name) for name in self._values}

    def text(self, name: str, default: str) -> str:
        """Return a text that is not empty."""
        found = self._values.get(name, default)
        if not isinstance(found, str) or (not found.strip() and name in self._values):
            raise self.error(name, "this must be a text")
        return found

    def flag(self, name: str) -> bool:
        """Return true or false; false when it is not there."""
        found = self._values.get(name, False)
        if not isinstance(found, bool):
            raise self.error(name, "this must be true or false")
        return found

    def port(self, name: str) -> int | None:
        """Return a port; None when it is not there."""
        found = self._values.get(name)
        is_port = isinstance(found, int) and not isinstance(found, bool) and 0 < found <= _MAX_PORT
        if found is not None and not is_port:
            raise self.error(name, f"{found!r} is no port; give a number between 1 and {_MAX_PORT}")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; an empty one when it is not there."""
        found = self._values.get(name, [])
        if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
            raise self.error(name, "this must be a list of texts")
        return tuple(found)

    def variables(self) -> dict[str, str]:
        """Return everything in this table as environment variables; true and 1 become what a shell would say."""
        return {name: self._variable(name) for name in self._values}

    def _variable(self, name: str) -> str:
        value = self._values[name]
        if not _VARIABLE.fullmatch(name):
            raise self.error(name, "this is no name of an environment variable")
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, str | int | float) or "\0" in str(value):
            raise self.error(name, "the value of a variable must be a text, a number, true or false")
        return str(value)
