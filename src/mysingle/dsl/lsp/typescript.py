"""The language as TypeScript declares it, for editors in a browser that know nothing but `d.ts`."""

import json
from collections.abc import Iterable, Iterator
from typing import Final

from mysingle.dsl.ir.kinds import Phase
from mysingle.dsl.ir.row import REQUIRED, Arg
from mysingle.dsl.lang.tables import NAMESPACES
from mysingle.dsl.lsp.catalog import Entry, globals_of_the_language, members, methods

__all__ = ["declarations"]

_TYPES: Final = {
    "float": ("Value", "number"), "int": ("Value", "number"), "bool": ("Condition", "boolean"),
    "str": ("string", "string"), "time": ("Series", "Series"),
}  # fmt: skip
"""Kind → its type where a series may stand, and where it may not."""
_WINDOWS: Final = {"rolling": "Rolling", "ewm": "Ewm", "expanding": "Expanding"}
_OWNERS: Final = {"series": "Series", **_WINDOWS, "timeframe": "Timeframe"}
_RESERVED: Final = frozenset({"for", "if", "in", "is", "var"})
"""Words that TypeScript does not take as names of values."""


_RESULTS: Final = {
    **_WINDOWS, "timeframe": "Timeframe", "params.get": "any", "param.int": "number", "param.float": "number",
    "param.bool": "boolean", "param.str": "string",
    **dict.fromkeys(("plot", "hline", "alert"), "void"),
    **{f"strategy.{name}": "void" for name in ("entry", "exit", "close", "close_all", "cancel")},
}  # fmt: skip
"""What is no series."""


def declarations() -> str:
    """Return the text of a `d.ts`: every function, namespace, method and column, with one line about each."""
    lines = ["type Value = Series | number;", "type Condition = Series | boolean;"]
    for owner, title in _OWNERS.items():
        lines += [f"interface {title} {{", *_members(methods(owner).values()), "}"]
    for name in sorted(NAMESPACES):
        lines += [f"declare const {name}: {{", *_members(members(name).values(), f"{name}."), "};"]
    for entry in globals_of_the_language().values():
        lines += _global(entry)
    return "\n".join(lines) + "\n"


def _global(entry: Entry) -> Iterator[str]:
    if entry.kind == "column":
        yield from (*_comment(entry, ""), f"declare const {entry.name}: Series;")
    elif entry.kind == "function" and entry.name not in _RESERVED:
        yield from (*_comment(entry, ""), f"declare function {entry.name}{_call(entry, entry.name)};")


def _members(entries: Iterable[Entry], owner: str = "") -> Iterator[str]:
    for entry in entries:
        yield from _comment(entry, "  ")
        yield f"  {entry.name}{': Value' if entry.args is None else _call(entry, owner + entry.name)};"


def _comment(entry: Entry, margin: str) -> Iterator[str]:
    if entry.doc:
        yield f"{margin}/** {entry.doc} */"


def _call(entry: Entry, name: str) -> str:
    """Write arguments and result; a function whose arguments stand in no table takes anything."""
    if not entry.args and entry.kind == "function" and not entry.outputs and name not in _RESULTS:
        return "(...args: any[]): any"
    return f"({', '.join(_arguments(entry.args or ()))}): {_given(entry, name)}"


def _arguments(args: Iterable[Arg]) -> Iterator[str]:
    for arg in args:
        if arg.variadic:  # TypeScript has nothing behind it
            yield f"...{arg.name}: {_type(arg)}[]"
            return
        yield f"{arg.name}{'' if arg.default is REQUIRED else '?'}: {_type(arg)}"


def _type(arg: Arg) -> str:
    of_bars, fixed = _TYPES.get(arg.kind, ("any", "any"))
    return of_bars if arg.phase is Phase.SERIES else fixed


def _given(entry: Entry, name: str) -> str:
    if entry.outputs:
        return "{ " + " ".join(f"{_key(output)}: Series;" for output in entry.outputs) + " }"
    return _RESULTS.get(name, "Series")


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)
