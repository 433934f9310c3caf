"""Every name that a strategy may write, with its arguments and one line about it; made from the language's tables."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.ir.row import REQUIRED, Arg, Flag, Op
from mysingle.dsl.lang.check import signature_of
from mysingle.dsl.lang.effects import SIGNATURES
from mysingle.dsl.lang.methods import EWM_METHODS, EXPANDING_METHODS, ROLLING_METHODS, SERIES_METHODS, Method
from mysingle.dsl.lang.numeric import NUMERIC
from mysingle.dsl.lang.resolve import MEMBERS
from mysingle.dsl.lang.tables import FUNCTION_NAMES, INDICATOR_NAMES, NAMESPACES, OHLCV, PATTERN_NAMES
from mysingle.dsl.lsp.words import KEYWORDS, SECTIONS, WORDS

__all__ = [
    "Entry", "functions_document", "globals_of_the_language", "is_composite", "members", "methods", "parameter",
    "sections", "words_of",
]  # fmt: skip

_PATTERN_OUTPUTS: Final = ("is_bullish", "is_bearish")


class Entry(NamedTuple):
    """One name: what it is, its arguments when it can be called, and the names of what it gives."""

    name: str
    kind: str
    """function, method, namespace, column, value, keyword, section, field, parameter or variable."""
    args: tuple[Arg, ...] | None = None
    doc: str = ""
    doc_ko: str = ""
    outputs: tuple[str, ...] = ()

    @property
    def signature(self) -> str:
        """The call as an author would write it; the name alone when it cannot be called."""
        return self.name if self.args is None else signature_of(self.name, self.args)

    def document(self) -> dict[str, Any]:
        """Return the entry as JSON has it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "signature": self.signature,
            "parameters": None if self.args is None else [parameter(arg) for arg in self.args],
            "doc": self.doc,
            "doc_ko": self.doc_ko,
            "outputs": list(self.outputs),
        }


def parameter(arg: Arg) -> dict[str, Any]:
    """Return one argument as JSON has it: its name, its default, and what it takes in words."""
    default = None if arg.default is REQUIRED else repr(arg.default)
    return {"name": arg.name, "default": default, "doc": words_of(arg)}


def words_of(arg: Arg) -> str:
    """Say in words what an argument takes."""
    kinds = {"int": "a whole number", "float": "a number", "bool": "a condition", "str": "a text", "time": "a time"}
    text = kinds.get(arg.kind, "any value")
    if arg.kind == "float" and arg.phase > 1:
        text = "a series or a number"
    low, high = arg.low, arg.high
    if low is not None and high is not None:
        text += f" from {low:,g} to {high:,g}"
    elif low is not None:
        text += f" of at least {low:,g}"
    return text + (", any number of them" if arg.variadic else "" if arg.default is REQUIRED else f", {arg.default!r}")


def _of_row(name: str, row: Op) -> Entry:
    outputs = tuple(spec.name for spec in row.outputs) if len(row.outputs) > 1 else ()
    return Entry(name, "function", row.args, row.doc, row.doc_ko, outputs)


def _worded(name: str, kind: str, args: tuple[Arg, ...] | None = None, key: str = "") -> Entry:
    doc, doc_ko = WORDS.get(key or name, ("", ""))
    return Entry(name, kind, args, doc, doc_ko)


@cache
def globals_of_the_language() -> Mapping[str, Entry]:
    """Return what may stand alone: functions, columns, namespaces, Python's own functions and keywords."""
    bare = (name for name in SIGNATURES if "." not in name)
    builtins = (key.removeprefix("builtin.") for key in NUMERIC if key.startswith("builtin."))
    entries = [
        *(_worded(name, "keyword") for name in KEYWORDS),
        *(_worded(name, "function", ()) for name in builtins),
        *(_of_row(name, OPS[row]) for name, row in FUNCTION_NAMES.items()),
        *(_worded(name, "function", SIGNATURES[name]) for name in bare),
        *(_worded(name, "namespace") for name in sorted(NAMESPACES)),
        *(_worded(name, "column") for name in OHLCV),
        _worded("result", "value"),
    ]
    return {entry.name: entry for entry in entries}


@cache
def members(owner: str) -> Mapping[str, Entry]:
    """Return what may stand behind the dot of a namespace."""
    return {name: _member(owner, name) for name in MEMBERS.get(owner, ())}


def _member(owner: str, name: str) -> Entry:
    full = f"{owner}.{name}"
    if owner == "indicator":
        return _of_row(name, OPS[INDICATOR_NAMES[name]])
    if owner == "pattern":
        row = OPS.get(PATTERN_NAMES[name])
        return Entry(name, "function", (), *((row.doc, row.doc_ko) if row else ("", "")), _PATTERN_OUTPUTS)
    if full in SIGNATURES:
        return _worded(name, "function", SIGNATURES[full], full)
    if full in NUMERIC:
        return _worded(name, "function", (), full)
    return _worded(name, "column" if name in OHLCV else "value", None, full if full in WORDS else name)


_METHODS: Final[Mapping[str, Mapping[str, Method]]] = {
    "series": SERIES_METHODS, "rolling": ROLLING_METHODS, "ewm": EWM_METHODS, "expanding": EXPANDING_METHODS,
}  # fmt: skip


@cache
def methods(owner: str) -> Mapping[str, Entry]:
    """Return what can be called on a series, or on a window of one; on a timeframe: its columns."""
    if owner == "timeframe":
        columns = [_worded(name, "column") for name in OHLCV]
        return {entry.name: entry for entry in [*columns, _worded("col", "method", SIGNATURES["timeframe.col"])]}
    return {name: _method(name, method) for name, method in _METHODS.get(owner, {}).items()}


def _method(name: str, method: Method) -> Entry:
    row = OPS.get(FUNCTION_NAMES.get(name, ""))
    key = f"{name}()" if f"{name}()" in WORDS else name
    found = _worded(name, "method", method.args, key)
    return found if found.doc or row is None else found._replace(doc=row.doc, doc_ko=row.doc_ko)


@cache
def sections() -> Mapping[str, Entry]:
    """Return the sections of a sectioned source."""
    return {name: Entry(name, "section", None, *words) for name, words in SECTIONS.items()}


@cache
def functions_document() -> dict[str, Any]:
    """Return everything that can be called or read, by where it may stand."""
    return {
        "globals": _documents(globals_of_the_language().values()),
        "members": {name: _documents(members(name).values()) for name in sorted(NAMESPACES)},
        "methods": {name: _documents(methods(name).values()) for name in (*_METHODS, "timeframe")},
        "sections": _documents(sections().values()),
    }


def _documents(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    return [entry.document() for entry in entries]


def is_composite(name: str) -> bool:
    """Say whether a bare name is a function of the language itself, which editors offer before those of TA-Lib."""
    row = OPS.get(FUNCTION_NAMES.get(name, ""))
    return row is not None and row.has(Flag.COMPOSITE)
