"""What one log record is, and how it reads as JSON: the OpenTelemetry log data model, one object a line."""

import json
import math
import time
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quote
from typing import Any, NamedTuple

from pydantic_core import PydanticSerializationError, to_json

from mysingle._kernel.context import RequestContext
from mysingle._kernel.redaction import redact, redact_text

__all__ = [
    "MAX_RECORD_BYTES",
    "SEVERITIES",
    "Access",
    "AccessTemplate",
    "JsonFormat",
    "LogRecord",
    "context_values",
    "timestamp",
]

MAX_RECORD_BYTES = 16 * 1024
_MAX_TEXT = 4 * 1024
_MAX_SHORTENED = 1024
ACCESS = "http.request"
RPC_ACCESS = "rpc.call"
_SERVER_FAULTS = frozenset({"UNKNOWN", "INTERNAL", "DATA_LOSS", "UNAVAILABLE", "UNIMPLEMENTED", "DEADLINE_EXCEEDED"})

SEVERITIES: Mapping[str, tuple[str, int]] = {
    "debug": ("DEBUG", 5),
    "info": ("INFO", 9),
    "warning": ("WARN", 13),
    "error": ("ERROR", 17),
    "critical": ("FATAL", 21),
}
"""Method name → severity text and number of the OpenTelemetry log data model."""

_HEADS = {level: f'"severity_text":"{text}","severity_number":{number}' for level, (text, number) in SEVERITIES.items()}


class LogRecord(NamedTuple):
    """One event: when (`time.time()`), how grave, a constant text, the context it happened in, and its values."""

    at: float
    level: str
    body: str
    context: RequestContext
    attributes: Mapping[str, Any]


class AccessTemplate:
    """
    What all access records of one outcome have in common, rendered once.

    A record made from it costs a third of one that is serialised as a whole, and there is one for every request.
    """

    __slots__ = ("constants", "event", "json", "level")

    def __init__(self, method: str, route: str, status: int, error_type: str) -> None:
        constants = {"http.request.method": method, "http.route": route, "http.response.status_code": status}
        self._render(ACCESS, "error" if status >= 500 else "info", constants, error_type)

    def _render(self, event: str, level: str, constants: dict[str, Any], error_type: str) -> None:
        self.event, self.level = event, level
        self.constants = {"event_name": event, **constants}
        if error_type:
            self.constants["error.type"] = error_type
        self.json = f'{_HEADS[level]},"body":"{event}",{_attributes(self.constants).decode().rstrip(",")}'

    @classmethod
    def of_call(cls, method: str, code: str, error_type: str, attempts: int) -> "AccessTemplate":
        """Return the template of a gRPC call: `pkg.Service/Method`, the name of its status."""
        template = cls.__new__(cls)
        constants: dict[str, Any] = {"rpc.method": method, "rpc.status_code": code}
        if attempts:
            constants["grpc.previous_attempts"] = attempts
        level = "error" if code in _SERVER_FAULTS else "info"
        template._render(RPC_ACCESS, level, constants, error_type)  # noqa: SLF001  # of the same class
        return template


class Access(NamedTuple):
    """One request that has ended. `path` is clean and short, None for gRPC; `seconds` is its duration."""

    template: AccessTemplate
    at: float
    context: RequestContext
    path: str | None
    seconds: float
    client: str | None

    def record(self) -> LogRecord:
        """Return it as any other record."""
        attributes = {
            **self.template.constants,
            **({} if self.path is None else {"url.path": self.path}),
            "duration_s": round(self.seconds, 6),
            "client.address": self.client or "",
        }
        return LogRecord(self.at, self.template.level, self.template.event, self.context, attributes)


def timestamp(at: float) -> str:
    """Return an instant as RFC 3339 in UTC with microseconds."""
    seconds = int(at)
    return f"{_clock(seconds)}.{int((at - seconds) * 1e6):06d}Z"


@lru_cache(maxsize=4)
def _clock(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def context_values(context: RequestContext) -> dict[str, str]:
    """Return what a record says about its request; empty outside of one."""
    values = {}
    if context.correlation_id is not None:
        values["correlation_id"] = context.correlation_id
        values["request_id"] = context.request_id or context.correlation_id
    if context.user is not None:
        values["user_id"] = context.user.id
    if context.traceparent is not None:
        values["trace_id"] = context.traceparent[3:35]
        values["span_id"] = context.traceparent[36:52]
        values["trace_flags"] = context.traceparent[53:55]
    return values


class JsonFormat:
    """One line of JSON for each record. `resource` is what every record says about the process."""

    def __init__(self, resource: Mapping[str, str]) -> None:
        self._resource = json.dumps(resource)[1:-1]

    def line(self, record: LogRecord) -> bytes:
        """Return a record as a line of at most 16 KB, with its line break."""
        at, level, body, context, attributes = record
        head = f'{{"timestamp":"{timestamp(at)}",{_HEADS[level]},"body":{quote(body)}{_context(context)},'
        line = b"%b%b%b}\n" % (head.encode("ascii"), _attributes(attributes), self._resource.encode())
        return line if len(line) <= MAX_RECORD_BYTES else self._shorten(line)

    def _shorten(self, line: bytes) -> bytes:
        """Keep a record under its cap: long values lose their end; what every record has stays, and it says so."""
        values: dict[str, Any] = json.loads(line)
        fixed = _FIXED | json.loads(f"{{{self._resource}}}").keys()
        kept = {key: _cut(values.pop(key)) for key in list(values) if key in fixed} | {"log.truncated": True}
        room = MAX_RECORD_BYTES - len(json.dumps(kept)) - 1
        for key, value in values.items():
            pair = {key: value if isinstance(value, int | float | None) else _cut(value)}
            room -= len(json.dumps(pair))  # its two braces pay for the comma and the space
            if room < 0:
                break
            kept |= pair
        return json.dumps(kept).encode() + b"\n"

    def access(self, access: Access) -> bytes:
        """Return the same line as for `access.record()`, joined as text."""
        template, at, context, path, seconds, client = access
        where = "" if path is None else f'"url.path":{quote(path)},'
        return (
            f'{{"timestamp":"{timestamp(at)}",{template.json}{_context(context)},{where}'
            f'"duration_s":{seconds:.6f},"client.address":{quote(client or "")},{self._resource}}}\n'
        ).encode()


def _context(context: RequestContext) -> str:
    """Return the inside of a JSON object with a comma before it: the same as `context_values`."""
    correlation_id, request_id, traceparent, _, user, _ = context
    if traceparent is not None or correlation_id is None:
        return "".join([f',"{key}":{quote(value)}' for key, value in context_values(context).items()])
    who = "" if user is None else f',"user_id":{quote(user.id)}'
    return f',"correlation_id":{quote(correlation_id)},"request_id":{quote(request_id or correlation_id)}{who}'


def _attributes(attributes: Mapping[str, Any]) -> bytes:
    """Return the inside of a JSON object, with a comma behind it."""
    if not attributes:
        return b""
    try:
        text = to_json(attributes, fallback=_describe, inf_nan_mode="strings", bytes_mode="base64")
    except (PydanticSerializationError, ValueError, UnicodeError):
        text = json.dumps({key: _harmless(value) for key, value in attributes.items()}).encode()
    return text[1:-1] + b","


_FIXED = frozenset(
    {"timestamp", "severity_text", "severity_number", "body", "event_name", "correlation_id", "request_id", "user_id"}
    | {"trace_id", "span_id", "trace_flags"}
)


def _cut(value: object) -> object:
    return value if isinstance(value, int) else str(value)[:_MAX_SHORTENED]


def _describe(value: object) -> str:
    """Return what stands in a record for a value that JSON does not know; never the inside of a secret."""
    return redact_text(str(redact(value))[:_MAX_TEXT])


def _harmless(value: object) -> object:
    is_number = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return value if value is None or is_number else str(value)[:_MAX_TEXT]
