"""What a person sees: one stream of lines, each with the name of who wrote it."""

import itertools
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mysingle._kernel.console import ConsoleFormat
from mysingle._kernel.context import RequestContext
from mysingle._kernel.log_record import SEVERITIES, LogRecord

__all__ = ["Screen"]

OWN_NAME = "mysingle"

_COLOURS = (36, 35, 34, 33, 32, 96, 95, 94)
_LEVELS = {text: level for level, (text, _) in SEVERITIES.items()}
_OF_THE_PROCESS = ("service.name", "service.version", "service.instance.id", "deployment.environment.name")
_OF_EVERY_RECORD = ("timestamp", "severity_text", "severity_number", "body")


class Screen:
    """
    The output of the platform.

    Args:
        write: takes text with its line breaks.
        names: who will write.
        is_terminal: whether a person reads: names in colour, JSON records as text; lines stay as they are otherwise.
    """

    def __init__(self, write: Callable[[str], None], names: tuple[str, ...], *, is_terminal: bool) -> None:
        self._write = write
        self._is_terminal = is_terminal
        self._width = max(len(name) for name in (*names, OWN_NAME))
        self._colours = dict(zip(names, itertools.cycle(_COLOURS), strict=False))

    def log(self, name: str, line: bytes) -> None:
        """Show a line that a service wrote; a record of several lines gets the name before each."""
        for part in self._readable(line):
            self._write(f"{self._head(name)} {part}\n")

    def say(self, text: str) -> None:
        """Show what the platform itself has to say."""
        for part in text.splitlines():
            self._write(f"{self._head(OWN_NAME)} {part}\n")

    def show(self, text: str) -> None:
        """Show text as it is, such as a table."""
        self._write(text)

    def _head(self, name: str) -> str:
        padded = f"{name:<{self._width}} |"
        return f"\x1b[{self._colours.get(name, 1)}m{padded}\x1b[0m" if self._is_terminal else padded

    def _readable(self, line: bytes) -> list[str]:
        text = line.decode("utf-8", "replace").rstrip("\r")
        if not self._is_terminal:
            return [text]
        record = _record(text)
        return _rendered(record) if record else [_printable(text)]


def _record(text: str) -> LogRecord | None:
    """Return a line of JSON as the log record that it is; None when it is something else."""
    try:
        values = json.loads(text) if text.startswith("{") else None
        return _as_record(values) if isinstance(values, dict) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _as_record(values: Mapping[str, Any]) -> LogRecord:
    return LogRecord(
        datetime.fromisoformat(values["timestamp"]).timestamp(),
        _LEVELS[values["severity_text"]],
        str(values["body"]),
        RequestContext(),
        {key: value for key, value in values.items() if key not in (*_OF_EVERY_RECORD, *_OF_THE_PROCESS)},
    )


def _rendered(record: LogRecord) -> list[str]:
    return ConsoleFormat().line(record).decode("utf-8", "replace").splitlines()


def _printable(text: str) -> str:
    """Let nothing that a service writes drive the terminal."""
    return "".join(character if character.isprintable() or character == "\t" else "?" for character in text)
