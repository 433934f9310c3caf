"""What a place in a source is about: the word there, the value before its dot, the call around it."""

import re
from typing import Final, NamedTuple

from mysingle.dsl.lsp.tokens import Segment, Token, chain_before, index_before, offset_of, read_tokens

__all__ = ["Call", "Cursor", "read_cursor"]

_SECTION: Final = re.compile(r"^@(\w*)")


class Call(NamedTuple):
    """A call that is open at the cursor: the function, the number of the argument, and the names already given."""

    function: tuple[Segment, ...]
    argument: int
    keyword: str
    used: frozenset[str]
    is_at_start: bool
    """Whether the argument begins at the cursor, so that its name may stand here."""


class Cursor(NamedTuple):
    """A place in a source."""

    tokens: list[Token]
    offset: int
    prefix: str
    """The part of a word before the cursor."""
    owner: tuple[Segment, ...] | None
    """The expression before the dot; None when there is no dot."""
    call: Call | None
    inside: str
    """comment, string or number when the cursor is in one, column in the subscript of `data['`."""
    section: str
    """The table that the line belongs to, `metadata` or `params`."""
    head: str
    """The line before the cursor."""


def read_cursor(text: str, line: int, column: int) -> Cursor:
    """Read a place; whatever the text and the numbers are, there is an answer."""
    offset = offset_of(text, line, column)
    tokens = read_tokens(text)
    last = index_before(tokens, offset)
    inside = _inside(tokens, last, offset)
    word = last >= 0 and tokens[last].kind == "name" and offset <= tokens[last].end
    prefix = text[tokens[last].start : offset] if word else ""
    if inside == "column":
        prefix = text[tokens[last].start + 1 : offset]
    before = last - 1 if word else last
    owner = None
    if before >= 1 and tokens[before].text == "." and not inside:
        owner = tuple(chain_before(tokens, before)[0])
    start = text.rfind("\n", 0, offset) + 1
    return Cursor(
        tokens, offset, prefix, owner, _call(tokens, before, owner), inside, _section(text, start), text[start:offset]
    )  # fmt: skip


def _inside(tokens: list[Token], last: int, offset: int) -> str:
    if last < 0 or offset > tokens[last].end:
        return ""
    token = tokens[last]
    if token.kind in {"comment", "number"}:
        return token.kind
    quote = 3 if token.text[:3] in {'"""', "'''"} else 1
    is_open = offset < token.end or len(token.text) < 2 * quote or token.text[-1] != token.text[0]
    if token.kind != "string" or not is_open:
        return ""
    is_column = last >= 2 and tokens[last - 1].text == "[" and tokens[last - 2].text == "data"
    return "column" if is_column else "string"


def _call(tokens: list[Token], last: int, owner: tuple[Segment, ...] | None) -> Call | None:
    """Find the bracket that is open, and read what is between it and the cursor."""
    depth, argument, keyword, used = 0, 0, "", set[str]()
    for at in range(last, -1, -1):
        token = tokens[at]
        if token.kind != "mark":
            continue
        if token.text in ")]}":
            depth += 1
        elif token.text in "([{":
            depth -= 1
            if depth < 0:
                return _opened(tokens, at, last, owner, argument, keyword, used)
        elif depth == 0 and token.text == ",":
            argument += 1
        elif depth == 0 and token.text == "=" and at and tokens[at - 1].kind == "name":
            used.add(tokens[at - 1].text)
            keyword = keyword or (tokens[at - 1].text if argument == 0 else "")
    return None


def _opened(
    tokens: list[Token], at: int, last: int, owner: tuple[Segment, ...] | None, argument: int, keyword: str,
    used: set[str],
) -> Call | None:  # fmt: skip
    if tokens[at].text != "(" or at == 0 or tokens[at - 1].kind != "name":
        return None
    function = tuple(chain_before(tokens, at)[0])
    is_at_start = owner is None and tokens[last].text in {"(", ","}
    return Call(function, argument, keyword, frozenset(used), is_at_start)


def _section(text: str, start: int) -> str:
    """Walk up to the line that begins a section, over indented and empty lines."""
    for line in reversed(text[:start].splitlines()):
        found = _SECTION.match(line)
        if found or (line.strip() and not line[0].isspace()):
            return found[1] if found else ""
    return ""
