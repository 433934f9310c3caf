"""How a log record looks to a person at a terminal: one line, coloured, the trace below it."""

import os
import sys
from typing import BinaryIO, TextIO, cast

from mysingle._kernel.log_record import SEVERITIES, Access, LogRecord, context_values, timestamp

__all__ = ["ConsoleFormat", "is_terminal", "standard_output"]

_COLOURS = {"DEBUG": "36", "INFO": "32", "WARN": "33", "ERROR": "31", "FATAL": "1;31"}
_HIDDEN_PREFIXES = ("exception.", "code.", "logger.", "event_name", "request_id", "span_id", "trace_flags")


class ConsoleFormat:
    """One line of text for each record; the same methods as `JsonFormat`."""

    def line(self, record: LogRecord) -> bytes:
        """Return one record as text: clock, level, what happened, then its values. Control characters are escaped."""
        return _line(record)

    def access(self, access: Access) -> bytes:
        """Return the line of a request that has ended."""
        return _line(access.record())


def is_terminal() -> bool:
    """Tell whether a person reads the standard output; a process may have none."""
    return sys.stdout is not None and sys.stdout.isatty()


def standard_output() -> BinaryIO:
    """Return where lines go: standard output, also one that takes text only, or nowhere when there is none."""
    if sys.stdout is None:
        return open(os.devnull, "wb")  # noqa: PTH123  # it lives until the process ends
    return getattr(sys.stdout, "buffer", None) or cast("BinaryIO", _AsBytes(sys.stdout))


class _AsBytes:
    """A stream of text, for a writer of bytes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        self._stream.write(data.decode())

    def flush(self) -> None:
        self._stream.flush()


def _line(record: LogRecord) -> bytes:
    is_colourful = is_terminal()
    severity = SEVERITIES[record.level][0]
    values = {**record.attributes, **context_values(record.context)}
    pairs = " ".join(
        f"{_dim(_printable(key), is_colourful)}={_value(value)}"
        for key, value in values.items()
        if not key.startswith(_HIDDEN_PREFIXES)
    )
    head = f"\x1b[{_COLOURS[severity]}m{severity:<5}\x1b[0m" if is_colourful else f"{severity:<5}"
    clock = _dim(timestamp(record.at)[11:23], is_colourful)
    text = f"{clock} {head} {_printable(record.body):<28} {pairs}".rstrip()
    trace = "".join(f"    {_printable(row)}\n" for row in str(values.get("exception.stacktrace", "")).splitlines())
    return f"{text}\n{trace}".encode("utf-8", "backslashreplace")


def _dim(text: str, is_colourful: bool) -> str:
    return f"\x1b[2m{text}\x1b[0m" if is_colourful else text


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = _printable(str(value))
    return repr(text) if " " in text or not text else text


def _printable(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
