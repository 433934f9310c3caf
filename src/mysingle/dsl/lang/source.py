"""The text of a strategy, and what is checked before Python's parser may see it."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Final, NamedTuple

from mysingle.dsl.limits import LIMITS

__all__ = ["Problem", "Source", "Span", "check_text", "scan"]


class Span(NamedTuple):
    """A place as the parser gives it: 1-based lines, 0-based columns in UTF-8 bytes."""

    line: int
    column: int
    end_line: int
    end_column: int


class Problem(ValueError):  # noqa: N818  # it never leaves the compiler
    """A text that is refused before it is parsed: the key of a message, its place and its values."""

    def __init__(self, key: str, span: Span | None = None, **values: Any) -> None:
        self.key = key
        self.span = span
        self.values = values
        super().__init__(key)


@dataclass(frozen=True)
class Source:
    """A strategy as the author wrote it."""

    text: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines, split as the parser splits them."""
        return self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    @cached_property
    def sha256(self) -> str:
        """The hash of the UTF-8 text: the stored `dsl_code_hash`."""
        return sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def is_ascii(self) -> bool:
        """Whether a byte is a character everywhere in the text."""
        return self.text.isascii()

    def line(self, number: int) -> str:
        """Return a line by its 1-based number, empty when there is none."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def column(self, line: int, byte: int) -> int:
        """Return the 1-based code point for a byte offset."""
        if self.is_ascii:
            return byte + 1
        return len(self.line(line).encode("utf-8")[:byte].decode("utf-8", "ignore")) + 1


_FORMATS: Final = frozenset({"Cf", "Co", "Cs", "Zl", "Zp"})
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_TOKEN: Final = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<string>(?P<prefix>[A-Za-z]{0,3})(?P<quote>\"\"\"|'''|\"|'))
    |(?P<open>[(\[{])|(?P<close>[)\]}])
    |(?P<word>\w+)|(?P<newline>\n)|(?P<sign>[-+~])|(?P<other>[^\s\w])""",
    re.VERBOSE,
)
_ENDS: Final = {
    '"': re.compile(r'(?:[^"\\\n]|\\.|\\\n)*"', re.DOTALL),
    "'": re.compile(r"(?:[^'\\\n]|\\.|\\\n)*'", re.DOTALL),
    '"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*"""', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\]|\\.|'(?!''))*'''", re.DOTALL),
}
_PREFIXES: Final = frozenset({"", "r", "u"})


def check_text(source: Source) -> None:
    """
    Check size, lines and characters.

    Raises:
        Problem: too long, not encodable, or with characters that hide what the text says.
    """
    text = source.text
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise Problem("not_utf8") from None
    if size > LIMITS.source_bytes:
        raise Problem("limit", limit="source bytes", value=LIMITS.source_bytes, actual=size)
    if len(source.lines) > LIMITS.source_lines:
        raise Problem("limit", limit="source lines", value=LIMITS.source_lines, actual=len(source.lines))
    hidden = _CONTROLS.search(text)
    if hidden:
        raise Problem("control_character", _span(text, hidden.start()), code=f"U+{ord(hidden[0]):04X}")
    if not source.is_ascii:
        for index, char in enumerate(text):
            if unicodedata.category(char) in _FORMATS:
                raise Problem("control_character", _span(text, index), code=f"U+{ord(char):04X}")


_PLAIN: Final = re.compile(r"""#[^\n]*|\"\"\"[^"\\]*\"\"\"|'''[^'\\]*'''|"[^"\\\n]*"(?!")|'[^'\\\n]*'(?!')""")
"""Comments, and the strings of which nothing needs a closer look."""
_MARK: Final = "\x01"
_PREFIXED: Final = re.compile(rf"\w{_MARK}")
_CHAINED: Final = ("-", "+", "~", "not", "lambda", "await")


def scan(source: Source) -> None:
    """
    Check tokens without parsing: no f-, t- or byte strings, bounded nesting, chains and number of tokens.

    Raises:
        Problem: a construct that the parser must not see, because it would cost too much or is refused anyway.
    """
    if not _is_plain(source.text):
        _scan_tokens(source.text)


def _is_plain(text: str) -> bool:
    """Say whether counting characters proves that no limit can be reached, which holds for most texts."""
    if len(text) > LIMITS.tokens:
        return False
    rest = _PLAIN.sub(lambda found: "" if found[0][0] == "#" else _MARK, text)
    if '"' in rest or "'" in rest or _PREFIXED.search(rest):
        return False
    return (
        rest.count("(") + rest.count("[") + rest.count("{") <= LIMITS.nesting
        and sum(map(rest.count, _CHAINED)) <= LIMITS.nesting
    )


def _scan_tokens(text: str) -> None:
    position, depth, count, chain = 0, 0, 0, 0
    while True:
        match = _TOKEN.search(text, position)
        if match is None:
            return
        position = match.end()
        kind = match.lastgroup
        count += kind != "newline"
        if kind == "quote" or match["quote"]:
            position = _string_end(text, match)
        depth += bool(match["open"]) - bool(match["close"])
        is_prefix = bool(match["sign"]) or match["word"] in {"not", "lambda", "await"}
        chain = chain + 1 if is_prefix else 0
        _check_counts(text, match.start(), depth, count, chain)


def _check_counts(text: str, at: int, depth: int, count: int, chain: int) -> None:
    if depth > LIMITS.nesting:
        raise Problem("limit", _span(text, at), limit="nesting", value=LIMITS.nesting, actual=depth)
    if chain > LIMITS.nesting:
        raise Problem("limit", _span(text, at), limit="nesting", value=LIMITS.nesting, actual=chain)
    if count > LIMITS.tokens:
        raise Problem("limit", _span(text, at), limit="tokens", value=LIMITS.tokens, actual=count)


def _string_end(text: str, match: re.Match[str]) -> int:
    prefix = match["prefix"].lower()
    if prefix not in _PREFIXES:
        key = "byte_string" if "b" in prefix else "format_string"
        raise Problem(key, _span(text, match.start()))
    end = _ENDS[match["quote"]].match(text, match.end())
    if end is None:
        raise Problem("open_string", _span(text, match.start()))
    return end.end()


def _span(text: str, index: int) -> Span:
    line = text.count("\n", 0, index) + 1
    column = len(text[text.rfind("\n", 0, index) + 1 : index].encode("utf-8", "ignore"))
    return Span(line, column, line, column + 1)
