"""Collect what a pass finds, with place, suggestion and both languages; render it for people."""

from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Any, Final

from mysingle.dsl.errors import Diagnostic, DSLCode, Fixit, Severity
from mysingle.dsl.lang.messages import MESSAGES
from mysingle.dsl.lang.source import Source, Span

__all__ = ["Exhausted", "Refusal", "Reporter", "nearest", "render"]

_SIMILAR: Final = 0.75
_MOST: Final = 50


class Exhausted(Exception):  # noqa: N818  # it never leaves the compiler
    """A limit of the whole compile is reached; nothing more is looked at."""


class Refusal(Exception):  # noqa: N818  # it never leaves the compiler
    """An expression that has been reported already; its value is lost."""


def nearest(word: str, words: Iterable[str]) -> str:
    """Return the most similar of the words, empty when none is similar enough."""
    best, ratio = "", 0.0
    matcher = SequenceMatcher(None, "", word.lower())  # what it learns of its second text is kept
    for candidate in words:
        if abs(len(candidate) - len(word)) > 4:
            continue
        matcher.set_seq1(candidate.lower())
        if matcher.real_quick_ratio() < _SIMILAR or matcher.quick_ratio() < _SIMILAR:
            continue
        found = matcher.ratio()
        if found >= _SIMILAR and found > ratio:
            best, ratio = candidate, found
    return best


class Reporter:
    """The diagnostics of one compile."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.found: list[Diagnostic] = []
        self._seen: set[tuple[object, ...]] = set()
        self._errors = 0

    @property
    def has_errors(self) -> bool:
        """Say whether the program must not run."""
        return self._errors > 0

    def report(
        self, key: str, span: Span | None = None, *, severity: Severity | None = None, fix: str = "", **values: Any
    ) -> None:
        """
        Add the message `key` at a place; `fix` replaces the text of the place.

        Raises:
            Exhausted: there are so many errors that the rest of the program is not worth reading.
        """
        template = MESSAGES[key]
        where = self._place(span)
        if (key, where, str(values)) in self._seen:
            return
        self._seen.add((key, where, str(values)))
        is_error = (severity or template.severity) is Severity.ERROR
        if not is_error and len(self.found) - self._errors >= _MOST:
            return
        self._errors += is_error
        line, column, end_line, end_column = where
        self.found.append(
            Diagnostic(
                code=DSLCode(str(values.pop("code_override", template.code))),
                message=template.en.format_map(_Words(values)),
                message_ko=template.ko.format_map(_Words(values)),
                severity=severity or template.severity,
                line=line,
                column=column,
                end_line=end_line,
                end_column=end_column,
                source_line=self.source.line(line),
                hint=str(values.get("hint", "")) or template.hint.format_map(_Words(values)),
                hint_ko=str(values.get("hint_ko", "")) or template.hint_ko.format_map(_Words(values)),
                fixits=self._fixits(fix, where),
                construct=str(values.get("construct", "")),
            )
        )
        if self._errors >= _MOST:
            raise Exhausted

    def refuse(self, key: str, span: Span | None = None, *, fix: str = "", **values: Any) -> Refusal:
        """Report an error and return what the caller raises to give up the expression."""
        self.report(key, span, fix=fix, **values)
        return Refusal(key)

    def _place(self, span: Span | None) -> tuple[int, int, int, int]:
        if span is None:
            return 0, 0, 0, 0
        column = self.source.column(span.line, span.column)
        return span.line, column, span.end_line, self.source.column(span.end_line, span.end_column)

    @staticmethod
    def _fixits(fix: str, where: tuple[int, int, int, int]) -> tuple[Fixit, ...]:
        line, column, end_line, end_column = where
        if not fix or line != end_line:
            return ()
        return (Fixit(line=line, column=column, end_column=end_column, text=fix),)


class _Words(dict[str, object]):
    """The values of a template; a missing one is empty. Only plain names are looked up."""

    def __missing__(self, key: str) -> str:
        return ""


def render(item: Diagnostic, language: str = "en") -> str:
    """Return a diagnostic as text, with the line of the source and carets; `language` is en or ko."""
    korean = language == "ko"
    message = (item.message_ko if korean else "") or item.message
    hint = (item.hint_ko if korean else "") or item.hint
    lines = [f"[{item.code.value}] {message}"]
    if item.line:
        at = f"{item.line}행 {item.column}열" if korean else f"line {item.line}, col {item.column}"
        margin = " " * max(len(str(item.line)), 3)
        carets = "^" * max(_width(item), 1)
        pad = "".join(_blank(char) for char in item.source_line[: item.column - 1])
        lines += [f"  --> {at}", f"{item.line:>4} | {item.source_line}", f" {margin} | {pad}{carets}"]
    if hint:
        lines.append(f"     = {'도움말' if korean else 'help'}: {hint}")
    return "\n".join(lines)


def _width(item: Diagnostic) -> int:
    if item.end_line != item.line:
        return 1
    return min(item.end_column, len(item.source_line) + 1) - item.column


def _blank(char: str) -> str:
    """Return white space as wide as the character: Korean letters take two places in a terminal."""
    if char == "\t":
        return "\t"
    return "\u3000" if ord(char) >= 0x1100 else " "
