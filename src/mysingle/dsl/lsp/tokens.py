"""The words of a source that may be broken: read without the parser, in one pass, whatever the text is."""

import re
from bisect import bisect_right
from typing import Final, NamedTuple

__all__ = ["Segment", "Token", "chain_before", "index_before", "offset_of", "read_tokens"]

_TOKEN: Final = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<string>\"\"\"(?:[^\\]|\\.)*?(?:\"\"\"|\Z)|'''(?:[^\\]|\\.)*?(?:'''|\Z)
        |\"(?:[^\"\\\n]|\\.)*(?:\"|(?=\n)|\Z)|'(?:[^'\\\n]|\\.)*(?:'|(?=\n)|\Z))
    |(?P<name>[^\W\d]\w*)|(?P<number>\d(?:[\w.]|(?<=[eE])[+-])*)|(?P<newline>\n)
    |(?P<mark>[=<>!]=|[^\s\w])""",
    re.VERBOSE | re.DOTALL,
)
_OPENING: Final = {")": "(", "]": "["}


class Token(NamedTuple):
    """One word: its kind, its text, and where it stands in the source."""

    kind: str
    text: str
    start: int
    end: int


class Segment(NamedTuple):
    """One name of `a.b(c).d`; a parenthesis without a name is the empty one."""

    name: str
    is_called: bool
    is_indexed: bool


def read_tokens(text: str) -> list[Token]:
    """Return all words of a text, comments and line ends among them."""
    return [Token(match.lastgroup or "", match[0], match.start(), match.end()) for match in _TOKEN.finditer(text)]


def offset_of(text: str, line: int, column: int) -> int:
    """Return the offset of a 1-based line and column; a place outside of the text is its nearest one."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    at = min(max(line, 1), len(starts)) - 1
    end = starts[at + 1] - 1 if at + 1 < len(starts) else len(text)
    return min(max(starts[at] + column - 1, starts[at]), end)


def index_before(tokens: list[Token], offset: int) -> int:
    """Return the index of the last token that begins before an offset, -1 when there is none."""
    return bisect_right(tokens, offset - 1, key=lambda token: token.start) - 1


def chain_before(tokens: list[Token], end: int) -> tuple[list[Segment], int]:
    """
    Return the names of the expression that ends before the token `end`, and the index of its first token.

    `SMA(close, 20).shift` gives SMA, called, and shift; the arguments are left out.
    """
    segments: list[Segment] = []
    at = end - 1
    while at >= 0:
        first, is_called, is_indexed = _skip_brackets(tokens, at)
        named = first >= 0 and tokens[first].kind == "name"
        segments.append(Segment(tokens[first].text if named else "", is_called, is_indexed))
        at = first if named else first + 1
        if not named or at < 2 or tokens[at - 1].text != ".":
            break
        at -= 2
    return segments[::-1], max(at, 0)


def _skip_brackets(tokens: list[Token], at: int) -> tuple[int, bool, bool]:
    """Walk back over calls and subscripts, to the name that they belong to."""
    is_called = is_indexed = False
    while at >= 0 and tokens[at].text in _OPENING:
        is_called |= tokens[at].text == ")"
        is_indexed |= tokens[at].text == "]"
        at = _opening(tokens, at) - 1
    return at, is_called, is_indexed


def _opening(tokens: list[Token], at: int) -> int:
    depth = 0
    while at >= 0:
        depth += (tokens[at].text in ")]}") - (tokens[at].text in "([{") if tokens[at].kind == "mark" else 0
        if depth == 0:
            return at
        at -= 1
    return 0
