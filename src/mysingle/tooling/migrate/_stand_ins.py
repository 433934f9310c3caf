"""What stands in a module for a name that is gone: it imports, and says what to do when it is used."""

from collections.abc import Mapping
from typing import TypeAlias

import libcst as cst

from mysingle._kernel.old_names import ENUMS
from mysingle.tooling.migrate._findings import GUIDE, MARK
from mysingle.tooling.migrate._project import Place

__all__ = ["Statement", "stand_in"]

Statement: TypeAlias = cst.SimpleStatementLine | cst.BaseCompoundStatement

_CONSTANTS = {"HEADER_KONG_CONSUMER_ID": "X-Consumer-ID"}
_CLASS = """
class {name}:
    def __init__(self, *args, **kwargs):
        pass

    def __getattr__(self, name):
        raise NotImplementedError("{what}")
"""
_FUNCTION = """
async def {name}(*args, **kwargs):
    raise NotImplementedError("{what}")
"""
_LIFESPAN = """
from contextlib import asynccontextmanager


@asynccontextmanager
async def {name}(*args, **kwargs):
    yield
"""


def stand_in(local: str, place: Place, members: Mapping[str, str]) -> list[Statement]:
    """Return the statements that define `local` in place of what is gone; `members` are those of an enumeration."""
    assert place.gone is not None
    what = f"{place.name} was removed in mysingle 2"
    text = _text(place.name, members).format(name=local, what=what)
    *first, last = cst.parse_module(text.strip() + "\n").body
    mark = f"# {MARK}: {place.name} was removed; {place.gone.advice}. See {GUIDE}#{place.gone.section}"
    blank = [cst.EmptyLine(indent=False)] * 2
    lead = [*blank, cst.EmptyLine(comment=cst.Comment(mark))]
    return [*first, last.with_changes(leading_lines=lead)]


def _text(name: str, members: Mapping[str, str]) -> str:
    if name in _CONSTANTS:
        return f'{{name}} = "{_CONSTANTS[name]}"'
    if name in ENUMS:
        rows = [f'    {member} = "{value}"' for member, value in sorted(members.items())] or ["    pass"]
        return "\n".join(["from enum import StrEnum", "", "", "class {name}(StrEnum):", *rows])
    if name.endswith("_lifespan"):
        return _LIFESPAN
    return _CLASS if name[:1].isupper() else _FUNCTION
