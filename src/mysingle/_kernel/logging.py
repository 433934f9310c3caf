"""Structured logs: one pipeline from structlog and the standard library to one line a record, off the event loop."""

import atexit
import logging
import os
import re
import socket
import sys
import time
import traceback
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import structlog

from mysingle._kernel.console import ConsoleFormat, is_terminal, standard_output
from mysingle._kernel.context import current_context
from mysingle._kernel.log_record import SEVERITIES, Access, AccessTemplate, JsonFormat, LogRecord, context_values
from mysingle._kernel.log_writer import LogWriter
from mysingle._kernel.redaction import MASK, describe, is_secret_key, redact, redact_text

__all__ = ["flush_logs", "get_logger", "get_structured_logger", "log_access", "setup_logging"]

_MAX_TEXT = 4 * 1024
_MAX_STACKTRACE = 8 * 1024
_LEVELS: Mapping[str, int] = {name: getattr(logging, name.upper()) for name in SEVERITIES}
_EVENT_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
_RESERVED = frozenset(
    {"timestamp", "severity_text", "severity_number", "body", "event_name"}
    | {"service.name", "service.version", "service.instance.id", "deployment.environment.name"}
)

Format = Literal["json", "console"]


@dataclass(frozen=True, slots=True)
class _Sink:
    """Where records go, and what every one of them says about the process."""

    format: JsonFormat | ConsoleFormat
    writer: LogWriter
    level: int
    wanted: tuple[object, ...]


_sink: _Sink | None = None


def setup_logging(
    service_name: str,
    log_level: str = "INFO",
    environment: str = "development",
    *,
    service_version: str | None = None,
    log_format: Format | None = None,
    log_file: Path | None = None,
) -> None:
    """
    Send structlog and the standard library's loggers through one pipeline.

    Calling it again with other arguments replaces the set-up; with the same ones it does nothing.

    Args:
        service_name, service_version, environment: stand in every record (`service.name` …).
        log_level: the lowest level that is written: DEBUG, INFO, WARNING, ERROR or CRITICAL.
        log_format: "json" or "console"; without it, colours in a terminal outside production, JSON otherwise.
        log_file: append to this file instead of standard output.

    Raises:
        ValueError: an unknown level. OSError: a log file that cannot be opened.
    """
    global _sink
    level = logging.getLevelNamesMapping().get(log_level.upper())
    if level is None:
        raise ValueError(f"log_level {log_level!r} is unknown; use DEBUG, INFO, WARNING, ERROR or CRITICAL")
    wanted = (service_name, level, environment, service_version, log_format, log_file or sys.stdout)
    if _sink is not None and _sink.wanted == wanted:
        return
    stream: BinaryIO = log_file.open("ab") if log_file else standard_output()
    if log_format is None:
        log_format = "console" if environment != "production" and not log_file and is_terminal() else "json"
    resource = {
        "service.name": service_name,
        "service.version": service_version,
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        "deployment.environment.name": environment,
    }
    stated = {key: value for key, value in resource.items() if value}
    chosen = JsonFormat(stated) if log_format == "json" else ConsoleFormat()
    previous, _sink = _sink, _Sink(chosen, LogWriter(stream, owns_stream=log_file is not None), level, wanted)
    if previous is None:
        atexit.register(flush_logs)
    else:
        previous.writer.close()
    _configure_structlog(level)
    _configure_standard_library(level)


def get_logger(name: str | None = None) -> structlog.stdlib.BoundLogger:
    """Return a structured logger: `log.info("cache.miss", key=key)`. Safe at import: it is set up on first use."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(**({"logger.name": name} if name else {})))


get_structured_logger = get_logger


def flush_logs(timeout_seconds: float = 2.0) -> None:
    """Wait until every record so far is written, at most `timeout_seconds`."""
    if _sink is not None:
        _sink.writer.flush(timeout_seconds)


def log_access(template: AccessTemplate, path: str | None, seconds: float, client: str | None) -> None:
    """
    Write the record of a request that has ended.

    The caller has redacted and shortened the path. Nothing happens before `setup_logging`, or below its level.
    """
    sink = _sink
    if sink is not None and sink.level <= _LEVELS[template.level]:
        access = Access(template, time.time(), current_context(), path, seconds, client)
        sink.writer.write(sink.format.access(access))


def _configure_structlog(level: int) -> None:
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _process],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Output(),
        cache_logger_on_first_use=False,
    )


class _Output:
    """The end of structlog's chain: takes a finished line."""

    def msg(self, line: bytes) -> None:
        if _sink is not None:
            _sink.writer.write(line)

    debug = info = warning = warn = error = critical = fatal = exception = log = msg


def _process(_logger: object, method: str, event: MutableMapping[str, Any]) -> bytes:
    """Turn one structlog event into one line (the last processor of the chain)."""
    level = "error" if method == "exception" else {"warn": "warning", "fatal": "critical"}.get(method, method)
    body = str(event.pop("event", ""))
    exc_info = event.pop("exc_info", None) or (method == "exception")
    return _line(level, body, event, exc_info)


def _line(level: str, body: str, values: Mapping[str, Any], exc_info: object) -> bytes:
    assert _sink is not None
    context = current_context()
    taken = _RESERVED | context_values(context).keys()
    attributes: dict[str, Any] = {"event_name": body} if _EVENT_NAME.fullmatch(body) else {}
    for key, value in values.items():
        if key not in taken:
            attributes[key] = MASK if is_secret_key(key) else redact(value)
    if exc_info:
        attributes.update(_exception(exc_info))
    return _sink.format.line(LogRecord(time.time(), level, redact_text(body[:_MAX_TEXT]), context, attributes))


def _exception(exc_info: object) -> dict[str, str]:
    if isinstance(exc_info, BaseException):
        error: BaseException | None = exc_info
    elif isinstance(exc_info, tuple):
        error = exc_info[1]
    else:
        error = sys.exc_info()[1]
    if error is None:
        return {}
    return {
        "exception.type": type(error).__qualname__,
        "exception.message": describe(error),
        "exception.stacktrace": redact_text("".join(traceback.format_exception(error))[-_MAX_STACKTRACE:]),
    }


class _StandardHandler(logging.Handler):
    """Takes the records of libraries that use `logging`: uvicorn, pymongo, your own."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            attributes = {
                "logger.name": record.name,
                "code.function.name": record.funcName,
                "code.file.path": record.pathname,
                "code.line.number": record.lineno,
            }
            extra = {key: value for key, value in vars(record).items() if key not in _STANDARD_ATTRIBUTES}
            level = record.levelname.lower() if record.levelname.lower() in SEVERITIES else "info"
            line = _line(level, record.getMessage(), attributes | extra, record.exc_info)
            if _sink is not None:
                _sink.writer.write(line)
        except Exception:  # a log call never takes the caller down; logging prints this to stderr
            self.handleError(record)


_STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


def _configure_standard_library(level: int) -> None:
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _StandardHandler)]:
        root.removeHandler(handler)
    root.addHandler(_StandardHandler())
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True  # the access log of the app says more, and once
    for name in ("pymongo", "asyncio", "httpcore", "httpx"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
