"""How a log record looks to a person at a terminal: one line, coloured, the trace below it."""

import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["render"]

_COLOURS = {"DEBUG": "36", "INFO": "32", "WARN": "33", "ERROR": "31", "FATAL": "1;31"}
_HIDDEN = frozenset(
    {
        "timestamp",
        "severity_text",
        "severity_number",
        "body",
        "event_name",
        "request_id",
        "trace_flags",
        "span_id",
        "service.name",
        "service.version",
        "service.instance.id",
        "deployment.environment.name",
        "exception.type",
        "exception.message",
        "exception.stacktrace",
        "code.function.name",
        "code.file.path",
        "code.line.number",
        "logger.name",
    }
)


def render(record: Mapping[str, Any]) -> bytes:
    """Return one record as text: clock, level, what happened, then its values. Control characters are escaped."""
    colour = sys.stdout.isatty()
    level = str(record["severity_text"])
    clock = str(record["timestamp"])[11:23]
    pairs = " ".join(f"{_dim(key, colour)}={_value(value)}" for key, value in record.items() if key not in _HIDDEN)
    head = f"\x1b[{_COLOURS[level]}m{level:<5}\x1b[0m" if colour else f"{level:<5}"
    text = f"{_dim(clock, colour)} {head} {_printable(str(record['body'])):<28} {pairs}".rstrip()
    trace = record.get("exception.stacktrace")
    return f"{text}\n{trace or ''}".encode("utf-8", "backslashreplace")


def _dim(text: str, colour: bool) -> str:
    return f"\x1b[2m{text}\x1b[0m" if colour else text


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = _printable(str(value))
    return repr(text) if " " in text or not text else text


def _printable(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
