"""Text for a terminal: colours when a person watches, aligned tables, nothing that a terminal would obey."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Paint", "clean", "table"]


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours, or none when the text goes into a file or a pipe."""

    is_on: bool

    def bold(self, text: str) -> str:
        """Make it stand out."""
        return self._in("1", text)

    def dim(self, text: str) -> str:
        """Make it stand back."""
        return self._in("2", text)

    def bad(self, text: str) -> str:
        """Mark an error or a loss."""
        return self._in("1;31", text)

    def good(self, text: str) -> str:
        """Mark what is well."""
        return self._in("32", text)

    def warn(self, text: str) -> str:
        """Mark a warning."""
        return self._in("1;33", text)

    def note(self, text: str) -> str:
        """Mark advice."""
        return self._in("36", text)

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.is_on and text else text


def clean(text: str) -> str:
    """Replace what a terminal would obey, such as escapes and marks of direction, one character for one."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = (), paint: Paint | None = None) -> list[str]:
    """Align columns: numbers to the right, all else to the left; two spaces before each."""
    body = [[clean(cell) for cell in row] for row in rows]
    if not body:
        return []
    every = [list(head), *body] if head else body
    widths = [max(_width(row[at]) for row in every) for at in range(len(every[0]))]
    right = [all(_is_number(row[at]) for row in body) for at in range(len(widths))]
    lines = ["".join(f"  {_pad(cell, widths[at], right[at])}" for at, cell in enumerate(row)) for row in every]
    lines = [line.rstrip() for line in lines]
    return [paint.bold(lines[0]), *lines[1:]] if head and paint else lines


def _is_number(cell: str) -> bool:
    return not cell or cell[0] in "+-0123456789" or cell in {"nan", "inf", "na"}


def _pad(cell: str, width: int, is_right: bool) -> str:
    spare = " " * (width - _width(cell))
    return spare + cell if is_right else cell + spare


def _width(text: str) -> int:
    """Count places: Korean letters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
