"""How commands print: tables for people at a terminal, plain lines for everybody else."""

import json
import sys
from collections.abc import Sequence
from typing import Any

__all__ = ["table", "write_json"]


def write_json(document: Any) -> None:
    """Print JSON, with its keys in their order."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows below a header, in columns; when no terminal reads them, the rows alone, with tabs between."""
    if not sys.stdout.isatty():
        return "".join("\t".join(_printable(cell) for cell in row) + "\n" for row in rows)
    cells = [[_printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([f"\x1b[1m{lines[0]}\x1b[0m", *lines[1:]]) + "\n"


def _printable(text: str) -> str:
    """Text comes from anywhere: nothing in it may drive the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
