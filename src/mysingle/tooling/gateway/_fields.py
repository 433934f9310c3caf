"""Reads the members of one mapping, and says what would be accepted when one of them is wrong."""

import difflib
import re
from collections.abc import Iterable, Iterator

from mysingle.tooling.gateway._document import Document, Place, Value

__all__ = ["Fields"]


class Fields:
    """
    The members of a mapping of a document.

    Raises:
        GatewayFileError: by every method, when the member is missing or not in the form that was asked for.
    """

    def __init__(self, document: Document, path: Place = ()) -> None:
        self.document = document
        self.path = path
        found = _at(document.value, path)
        if not isinstance(found, dict):
            raise document.error(path, "members are expected here, such as `name: value`")
        self._members: dict[str, Value] = {name: value for name, value in found.items() if value is not None}

    def allow(self, *names: str) -> None:
        """Refuse members that nobody reads."""
        for name in self._members:
            if name not in names:
                close = difflib.get_close_matches(name, names, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"accepted are {', '.join(names)}"
                raise self.document.error((*self.path, name), f"unknown member; {hint}")

    def __contains__(self, name: str) -> bool:
        """Tell whether the member is given."""
        return name in self._members

    def text(self, name: str, form: str, accepted: str, default: str | None = None) -> str:
        """Return a member that is text of a form, a regular expression; `accepted` says the form in words."""
        if name not in self._members:
            if default is not None:
                return default
            raise self.document.error(self.path, f"{name!r} is missing; accepted is {accepted}")
        return self._checked((*self.path, name), self._members[name], form, accepted)

    def optional_text(self, name: str, form: str, accepted: str) -> str | None:
        """Return a member as `text` does, None when it is not given."""
        return self.text(name, form, accepted) if name in self._members else None

    def texts(self, name: str, form: str, accepted: str) -> tuple[str, ...]:
        """Return a list of text; empty when the member is not given."""
        return tuple(self._checked(path, value, form, accepted) for path, value in self._items(name, accepted))

    def number(self, name: str, low: int, high: int, default: int) -> int:
        """Return a whole number within bounds."""
        value = self._members.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            what = f"{value!r} is not accepted; accepted is a whole number from {low} to {high}"
            raise self.document.error((*self.path, name), what)
        return value

    def mappings(self, name: str, accepted: str) -> Iterable["Fields"]:
        """Return the members of every mapping in a list."""
        return [Fields(self.document, path) for path, _ in self._items(name, accepted)]

    def mapping(self, name: str) -> "Fields | None":
        """Return the members of a mapping below this one; None when it is not given."""
        return Fields(self.document, (*self.path, name)) if name in self._members else None

    def _items(self, name: str, accepted: str) -> Iterator[tuple[Place, Value]]:
        found = self._members.get(name, [])
        if not isinstance(found, list):
            raise self.document.error((*self.path, name), f"a list is expected here; accepted is {accepted}")
        for index, value in enumerate(found):
            yield (*self.path, name, index), value

    def _checked(self, path: Place, value: Value, form: str, accepted: str) -> str:
        if not isinstance(value, str):
            hint = "; put it in quotes" if isinstance(value, int | float) else ""
            raise self.document.error(path, f"{value!r} is not text{hint}; accepted is {accepted}")
        if not re.fullmatch(form, value):
            raise self.document.error(path, f"{_shown(value)} is not accepted; accepted is {accepted}")
        return value


def _at(value: Value, path: Place) -> Value:
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step]
    return value


def _shown(value: str) -> str:
    """Quote a value, but not a long one: it may be a key that was put into the wrong place."""
    return repr(value) if len(value) <= 80 and "\n" not in value else "this text"
