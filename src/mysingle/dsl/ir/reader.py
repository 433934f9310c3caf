"""Typed access to what msgpack gave: every value is asked for by its type, and refused when it is another."""

from math import isfinite
from typing import Any

from mysingle.dsl.errors import DSLContainerError
from mysingle.dsl.ir.kinds import Const
from mysingle.dsl.limits import LIMITS

__all__ = ["Reader", "const_of"]


class Reader:
    """One decoded value of unknown type."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def values(self) -> list[Any]:
        """Return the members of an array as they are."""
        if type(self._value) is not list:
            raise DSLContainerError("The container is malformed: a list was expected")
        return self._value

    def items(self, count: int | None = None) -> list["Reader"]:
        """Return the members of an array, of exactly `count` when given."""
        if not isinstance(self._value, list) or (count is not None and len(self._value) != count):
            raise DSLContainerError("The container is malformed: a list was expected")
        return [Reader(item) for item in self._value]

    def entry(self, key: str) -> "Reader":
        """Return a value of a map."""
        if not isinstance(self._value, dict) or key not in self._value:
            raise DSLContainerError("The container is malformed: an entry is missing")
        return Reader(self._value[key])

    def integer(self) -> int:
        """Return an integer of at most 32 bits."""
        if type(self._value) is not int or abs(self._value) > 2**31:
            raise DSLContainerError("The container is malformed: a number was expected")
        return int(self._value)

    def number(self) -> float:
        """Return a finite float."""
        if type(self._value) is not float or not isfinite(self._value):
            raise DSLContainerError("The container is malformed: a float was expected")
        return float(self._value)

    def flag(self) -> bool:
        """Return a bool."""
        if not isinstance(self._value, bool):
            raise DSLContainerError("The container is malformed: a bool was expected")
        return self._value

    def text(self) -> str:
        """Return a short string."""
        if not isinstance(self._value, str) or len(self._value) > LIMITS.string:
            raise DSLContainerError("The container is malformed: a short text was expected")
        return self._value

    def const(self) -> Const:
        """Return a constant: None, a bool, a short string, a finite float or an integer up to 2^53."""
        return const_of(self._value)


def const_of(value: Any) -> Const:
    """Return the value if it is a constant: None, a bool, a short string, a finite float or an integer up to 2^53."""
    kind = type(value)
    if (
        value is None
        or kind is bool
        or (kind is int and abs(value) <= LIMITS.integer)
        or (kind is float and isfinite(value))
        or (kind is str and len(value) <= LIMITS.string)
    ):
        return value  # type: ignore[no-any-return]  # its type was just looked at
    raise DSLContainerError("The container is malformed: a constant was expected")
