"""What an expression is known to be, without running it."""

import ast
from dataclasses import dataclass
from typing import TypeAlias

from mysingle.tooling.check._scopes import Class, Function, Module, Scope

__all__ = [
    "HOLE",
    "Hole",
    "Items",
    "Made",
    "Number",
    "Object",
    "Package",
    "Place",
    "Ref",
    "Text",
    "Value",
    "from_environment",
]

HOLE = "\0"
"""Stands for a part that is not known, in `Text.shape`."""

Place: TypeAlias = tuple[str, int, int]
"""File, line, column: the identity of an expression that outlives its tree."""


@dataclass(frozen=True, slots=True)
class Ref:
    """Something of a library, by its full name; `receiver` is the instance of which it is a member."""

    name: str
    receiver: "Made | Object | None" = None

    @property
    def last(self) -> str:
        """The name without its module."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Made:
    """An instance of a library's class, with the call that made it when that is known."""

    name: str
    call: ast.Call | None = None
    scope: Scope | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Object:
    """An instance of a class of the checked code."""

    cls: Class
    call: ast.Call | None = None
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class Hole:
    """
    A part of a text that is known by name only.

    `is_env` when it comes from the environment or the settings; `origin` is the name from which it was assigned.
    """

    name: str
    is_env: bool = False
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A text with its holes, such as an f-string."""

    parts: tuple[str | Hole, ...]

    @property
    def shape(self) -> str:
        """The text with a mark for each hole."""
        return "".join(part if isinstance(part, str) else HOLE for part in self.parts)

    @property
    def literal(self) -> str | None:
        """The whole text; None when it has a hole."""
        return "".join(map(str, self.parts)) if all(isinstance(part, str) for part in self.parts) else None

    @property
    def spelled(self) -> str:
        """The text as a person reads it, with the names of the holes."""
        return "".join(part if isinstance(part, str) else f"{{{part.name}}}" for part in self.parts)

    @property
    def holes(self) -> tuple[Hole, ...]:
        """The holes, in order."""
        return tuple(part for part in self.parts if isinstance(part, Hole))


@dataclass(frozen=True, slots=True)
class Number:
    """A number that stands in the code."""

    value: int


@dataclass(frozen=True, slots=True)
class Items:
    """A dict, list, tuple or set display, whose elements are looked at when somebody asks."""

    node: ast.Dict | ast.List | ast.Tuple | ast.Set
    scope: Scope


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the checked code that has no file of its own."""

    name: str
    within: Module


Value: TypeAlias = Ref | Made | Object | Text | Number | Items | Package | Class | Function | Module


def from_environment(name: str) -> Text:
    """Return the text that a variable or setting holds: known by its name only."""
    return Text((Hole(name, is_env=True),))
