"""The header pass: sections and `var` lines become Python that parses, with every line and column where it was."""

import re
from typing import Final, NamedTuple

from mysingle.dsl.lang.source import Problem, Source, Span

__all__ = ["Entry", "Header", "read_header"]

_SECTION: Final = re.compile(r"^@(\w+)[ \t]*:?[ \t]*(#.*)?$")
_ENTRY: Final = re.compile(r"^\s+([^\W\d]\w*)[ \t]*:[ \t]*(.*)$")
_VAR: Final = re.compile(r"^(\s*)var[ \t]+([^\W\d]\w*)[ \t]*=(?!=)")
_TABLES: Final = frozenset({"metadata", "params"})
_CODE: Final = frozenset({"strategy", "calculate"})


class Entry(NamedTuple):
    """One `key: value # description` line of a table section."""

    section: str
    key: str
    value: str
    description: str
    span: Span


class Header(NamedTuple):
    """Text for the parser, and what the pass has taken out of it."""

    text: str
    entries: tuple[Entry, ...]
    sections: dict[int, str]
    """Line of an `if 1:` that stands for `@strategy` or `@calculate` → its name."""
    variables: dict[int, int]
    """Line of a `var x = ...` → how many columns its name has moved to the left."""


def read_header(source: Source) -> Header:
    """
    Separate tables from statements.

    Raises:
        Problem: an unknown section, or a line in a table that is not `key: value`.
    """
    if "@" not in source.text and "var" not in source.text:
        return Header("\n".join(source.lines) if "\r" in source.text else source.text, (), {}, {})
    state = _State()
    in_string = _string_lines(source)
    for number, line in enumerate(source.lines, 1):
        state.lines.append(line if number in in_string else _line(state, number, line))
    return Header("\n".join(state.lines), tuple(state.entries), state.sections, state.variables)


class _State:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.entries: list[Entry] = []
        self.sections: dict[int, str] = {}
        self.variables: dict[int, int] = {}
        self.table = ""
        self.opened = 0


def _line(state: _State, number: int, line: str) -> str:
    section = _SECTION.match(line)
    if section:
        return _open_section(state, number, section)
    if state.table:
        if not line.strip() or line.lstrip().startswith("#"):
            return ""
        if line[0].isspace():
            return _table_line(state, number, line)
        state.table = ""
    match = _VAR.match(line)
    if match is None:
        return line
    moved = match.start(2) - len(match[1])
    state.variables[number] = moved
    return f"{match[1]}{match[2]}{' ' * moved}{line[match.end(2) :]}"


def _table_line(state: _State, number: int, line: str) -> str:
    """Take a `key: value` line out; `key: param.int(...)` stays, as the assignment that it is."""
    entry = _entry(state.table, number, line)
    if state.table == "params" and entry.value.startswith("param."):
        state.lines[state.opened - 1] = "if 1:"
        state.sections[state.opened] = "params"
        return line.replace(":", "=", 1)
    state.entries.append(entry)
    return ""


def _open_section(state: _State, number: int, match: re.Match[str]) -> str:
    name = match[1]
    if name in _TABLES:
        state.table = name
        state.opened = number
        return ""
    if name not in _CODE:
        raise Problem("unknown_section", Span(number, 0, number, len(name) + 1), name=name)
    state.table = ""
    state.sections[number] = name
    return "if 1:"


def _entry(section: str, number: int, line: str) -> Entry:
    match = _ENTRY.match(line)
    if match is None:
        raise Problem("bad_entry", Span(number, 0, number, len(line.encode("utf-8"))), section=section)
    value, _, description = _without_comment(match[2])
    start = len(line[: match.start(2)].encode("utf-8"))
    span = Span(number, start, number, start + len(value.encode("utf-8")))
    return Entry(section, match[1], value.strip(), description.strip(), span)


def _without_comment(text: str) -> tuple[str, str, str]:
    """Split at the first `#` outside of quotes."""
    quote = ""
    for index, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "#":
            return text[:index], "#", text[index + 1 :]
    return text, "", ""


_TRIPLE: Final = re.compile(
    r'#[^\n]*|("""|\'\'\')(?:[^\\]|\\.)*?\1|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'', re.DOTALL
)


def _string_lines(source: Source) -> set[int]:
    """Return the lines that begin inside a string: nothing in them is a section."""
    found: set[int] = set()
    if '"""' not in source.text and "'''" not in source.text:
        return found
    text = "\n".join(source.lines)
    for match in _TRIPLE.finditer(text):
        if match[1]:
            first = text.count("\n", 0, match.start()) + 1
            found.update(range(first + 1, first + match[0].count("\n") + 1))
    return found
