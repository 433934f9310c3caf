"""What a Lua program of Kong does to the headers of a request, as far as its text tells."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mysingle.tooling.gateway._names import plain_name

__all__ = ["LuaReading", "read_lua"]

_COMMENT_OR_TEXT = re.compile(
    r"--\[(?P<a>=*)\[.*?\](?P=a)\]|--[^\n]*"
    r"|(?P<text>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|\[(?P<b>=*)\[.*?\](?P=b)\])",
    re.DOTALL,
)
_LITERAL = re.compile(r"[\"']([A-Za-z0-9_-]+)[\"']")
_ASSIGNMENT = re.compile(r"(?:\blocal\s+)?\b([A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)\s*=(?!=)\s*([^\n;]+)")
_TABLE = re.compile(r"\b(\w+)\s*=\s*\{([^{}]*)\}")
_LOOP = re.compile(
    r"\bfor\s+\w+\s*,\s*(?P<item>\w+)\s+in\s+i?pairs\s*\(?\s*(?:(?P<table>\w+)|\{(?P<names>[^{}]*)\})\s*\)?\s*do\b"
    r"(?P<body>.*?)\bend\b",
    re.DOTALL,
)
_CONDITION = re.compile(r"\b(?:if|return|function|while|repeat|goto)\b")
_NAME = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*")
_MAX_NAMES = 4
_NEVER = r"(?!)"
_CLEAR = frozenset({"kong.service.request.clear_header", "ngx.req.clear_header"})
_SET = ("set_header", "add_header")


@dataclass(frozen=True, slots=True, kw_only=True)
class LuaReading:
    """
    The headers that a program clears whatever happens, and those that it sets on some way; lower case, with hyphens.

    `text` is the program without its comments.
    """

    text: str
    cleared: frozenset[str]
    set: frozenset[str]


def read_lua(program: str) -> LuaReading:
    """
    Read a program by its text; it is never run.

    Known are calls with a literal name, loops over a table of literals, and local names of the functions. A clear
    that stands behind an `if` or a `return` does not count.
    """
    text = _COMMENT_OR_TEXT.sub(lambda match: match["text"] or " ", program)
    condition = _CONDITION.search(_LITERAL.sub(lambda match: " " * len(match[0]), text))
    end = condition.start() if condition else len(text)
    return LuaReading(
        text=text,
        cleared=frozenset(_names_in_calls(text[:end], text, _clearers(text[:end]), is_first=True)),
        set=frozenset((*_names_in_calls(text, text, _setters(text), is_first=False), *_names_in_set_headers(text))),
    )


def _names_in_calls(part: str, whole: str, callee: str, *, is_first: bool) -> Iterator[str]:
    for match in re.finditer(rf"{callee}\s*\(?\s*{_LITERAL.pattern}", part):
        yield plain_name(match[1])
    tables = {match[1]: match[2] for match in _TABLE.finditer(whole)}
    for loop in _LOOP.finditer(part):
        call = re.search(rf"{callee}\s*\(\s*{loop['item']}\b", loop["body"])
        if call is not None and not (is_first and _CONDITION.search(loop["body"][: call.start()])):
            names = loop["names"] if loop["names"] is not None else tables.get(loop["table"], "")
            yield from (plain_name(match[1]) for match in _LITERAL.finditer(names))


def _setters(text: str) -> str:
    """Return the expression that finds whatever may set a header, also under the local names that it is given."""
    names = [rf"[\w.]*\b{name}" for name in _SET]
    names += [name for name, value in _assignments(text) if value.endswith(_SET)]
    return rf"(?<![\w.])(?:{'|'.join(names)})"


def _clearers(text: str) -> str:
    """Return the expression that finds what clears headers of the request, and not those of an answer."""
    local = dict(_assignments(text))
    names = {name for name in _NAME.findall(text) if _in_full(name, local) in _CLEAR}
    return rf"(?<![\w.])(?:{'|'.join(map(re.escape, sorted(names)))})(?!\w)" if names else _NEVER


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    """Return names that a program gives, with the first word of what they stand for."""
    for match in _ASSIGNMENT.finditer(text):
        for name, value in zip(match[1].split(","), match[2].split(","), strict=False):
            yield name.strip(), (value.split() or [""])[0]


def _in_full(name: str, local: Mapping[str, str]) -> str:
    """Return a name with the local ones in it replaced by what they stand for."""
    for _ in range(_MAX_NAMES):
        head, dot, rest = name.partition(".")
        name = local.get(head, head) + dot + rest
    return name


def _names_in_set_headers(text: str) -> Iterator[str]:
    for match in re.finditer(r"\bset_headers\s*\(?\s*\{([^{}]*)\}", text):
        yield from (plain_name(key[1]) for key in re.finditer(rf"\[\s*{_LITERAL.pattern}\s*\]\s*=", match[1]))
