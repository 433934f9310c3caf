import datetime
import decimal
import json
import math
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mysingle._kernel.console import ConsoleFormat
from mysingle._kernel.context import RequestContext
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.log_record import (
    MAX_RECORD_BYTES,
    SEVERITIES,
    Access,
    AccessTemplate,
    JsonFormat,
    LogRecord,
    timestamp,
)
from mysingle._kernel.redaction import redact

JSON = JsonFormat({"service.name": "my-service", "deployment.environment.name": "testing"})
CONSOLE = ConsoleFormat()
CONTEXT = RequestContext(
    correlation_id="c-1",
    request_id="r-1",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    user=AuthenticatedUser(id="0" * 24),
)


def line(attributes: dict[str, Any], body: str = "body", context: RequestContext = CONTEXT) -> bytes:
    return JSON.line(LogRecord(0.0, "info", body, context, {key: redact(value) for key, value in attributes.items()}))


def record_of(raw: bytes) -> dict[str, Any]:
    """Check what is true of every line, and return its object."""
    assert raw.endswith(b"\n")
    assert raw.count(b"\n") == 1
    assert b"\r" not in raw
    assert len(raw) <= MAX_RECORD_BYTES
    loaded = json.loads(raw.decode("utf-8"), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert isinstance(loaded, dict)
    return loaded


SCHEMA = {
    "timestamp": "1970-01-01T00:00:00.000000Z",
    "severity_text": "INFO",
    "severity_number": 9,
    "body": "body",
    "correlation_id": "c-1",
    "request_id": "r-1",
    "user_id": "0" * 24,
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "span_id": "b7ad6b7169203331",
    "trace_flags": "01",
    "service.name": "my-service",
    "deployment.environment.name": "testing",
}


def test_schema() -> None:
    """A record has the keys of the OpenTelemetry log data model, and the ids of its request at top level."""
    assert record_of(line({})) == SCHEMA


def test_outside_of_a_request() -> None:
    """Outside of a request there are no empty ids."""
    assert not {"correlation_id", "user_id", "trace_id"} & record_of(line({}, context=RequestContext())).keys()


SEVERITY = [
    ("debug", "DEBUG", 5),
    ("info", "INFO", 9),
    ("warning", "WARN", 13),
    ("error", "ERROR", 17),
    ("critical", "FATAL", 21),
]


@pytest.mark.parametrize(("level", "text", "number"), SEVERITY, ids=[row[0] for row in SEVERITY])
def test_severity(level: str, text: str, number: int) -> None:
    """Every level has the text and number of the OpenTelemetry log data model."""
    found = record_of(JSON.line(LogRecord(0.0, level, "", CONTEXT, {})))

    assert (text, number) == (found["severity_text"], found["severity_number"]) == SEVERITIES[level]


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (0.999999, "1970-01-01T00:00:00.999999Z"),
        (1795389423.5, "2026-11-22T23:17:03.500000Z"),
        (951782400.25, "2000-02-29T00:00:00.250000Z"),
    ],
)
def test_timestamp(at: float, text: str) -> None:
    """An instant is RFC 3339 in UTC with microseconds."""
    assert text == timestamp(at)


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class Plain:
    def __repr__(self) -> str:
        return "<plain>"


def cyclic() -> list[Any]:
    value: list[Any] = [1]
    value.append({"again": value})
    return value


HARD: list[tuple[str, Any]] = [
    ("latin-1", "café"),
    ("emoji", "😀"),
    ("control", "\x00\x01\x1f\x7f\x85\u2028\u2029"),
    ("line breaks", "a\r\nb\n"),
    ("quotes", '"\\"'),
    ("surrogate", "\ud800"),
    ("surrogate inside", {"a": ["\udfff"]}),
    ("surrogate in key", {"\ud800": "é😀"}),
    ("nan", math.nan),
    ("infinities", [math.inf, -math.inf]),
    ("bytes", b"\x00\xff"),
    ("bytearray", bytearray(b"\xff")),
    ("memoryview", memoryview(b"\xff")),
    ("cyclic", cyclic()),
    ("number of 5,000 digits", 10**5000),
    ("number of 20,000 bits", 1 << 20_000),
    ("object", Plain()),
    ("object that cannot be shown", Hostile()),
    ("inside of a list", [Hostile()]),
    ("object as key", {Plain(): Plain()}),
    ("type", int),
    ("set of mixed", {1, "a", None}),
    ("decimal", decimal.Decimal("NaN")),
    ("date", datetime.datetime.now(datetime.UTC)),
    ("uuid", uuid.UUID(int=0)),
    ("path", Path("/tmp")),
    ("complex", 1j),
    ("generator", (number for number in range(3))),
    ("huge text", "x" * 1_000_000),
    ("huge wide text", "😀" * 100_000),
    ("huge list", list(range(100_000))),
    ("lone surrogates, huge", "\ud800" * 20_000),
]


@pytest.mark.parametrize("value", [row[1] for row in HARD], ids=[row[0] for row in HARD])
def test_hard_value(value: Any) -> None:
    """Whatever the value is, the line is one valid JSON object of at most 16 KB."""
    assert record_of(line({"value": value}))["body"] == "body"


def test_exact_text() -> None:
    """Text comes out exactly as it went in, whatever its alphabet."""
    texts = {"a": "café", "b": "日本", "c": "😀", "d": '"\\\n\x00\x85', "e": ["é", {"ü": "ö"}]}
    found = record_of(line(texts, body="naïve 😀"))

    assert texts == {key: found[key] for key in texts}
    assert found["body"] == "naïve 😀"


LARGE: list[tuple[str, dict[str, Any]]] = [
    ("one value", {"a": "x" * 20_000}),
    ("many values", {f"k{number}": "x" * 5_000 for number in range(40)}),
    ("many keys", {f"k{number}": number for number in range(5_000)}),
    ("wide values", {f"k{number}": "😀" * 1_000 for number in range(40)}),
    ("control values", {f"k{number}": "\x00" * 1_000 for number in range(40)}),
    ("long key", {"k" * 40_000: 1}),
    ("wide keys", {"é" * 1_000 + str(number): number for number in range(40)}),
    ("nested", {"a": {str(number): "x" * 100 for number in range(1_000)}}),
    ("large number beside", {"a": "x" * 20_000, "b": 10**5000}),
]


@pytest.mark.parametrize("attributes", [row[1] for row in LARGE], ids=[row[0] for row in LARGE])
def test_large_record(attributes: dict[str, Any]) -> None:
    """A record that is too large loses values and says so; what every record has stays."""
    found = record_of(line(attributes))

    assert found["log.truncated"] is True
    assert SCHEMA.items() <= found.items()


texts = st.text(st.characters())  # lone surrogates too
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    texts,
    st.binary(),
    st.text("é😀\x00\ud800", min_size=500, max_size=3_000),
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=10
)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(attributes=st.dictionaries(texts, values, max_size=8), body=texts)
def test_any_record(attributes: dict[str, Any], body: str) -> None:
    """Any body and any values make one line of valid JSON of at most 16 KB."""
    found = record_of(line(attributes, body))

    assert found["severity_number"] == 9


@given(body=texts, key=texts, text=texts)
def test_console_is_one_line(body: str, key: str, text: str) -> None:
    """On the console, control characters of a caller move no cursor and begin no line."""
    shown = CONSOLE.line(LogRecord(0.0, "info", body, RequestContext(), {key: text})).decode("utf-8", "strict")

    assert shown.endswith("\n")
    assert shown.count("\n") == 1
    assert all(character.isprintable() for character in shown[:-1])


@example(route="_OTHER", error_type="", path="\ud800", seconds=0.0, client=None, context=CONTEXT)
@given(
    route=st.sampled_from(["/orders/{id}", "/café/{id}", "/주문", '/"', "_OTHER"]),
    error_type=st.sampled_from(["", "UNAVAILABLE", "Änderung"]),
    path=st.text(st.characters(), max_size=256),
    seconds=st.floats(0, 1e6),
    client=st.none() | st.text(st.characters(), max_size=40),
    context=st.sampled_from([CONTEXT, RequestContext()]),
)
def test_access(
    route: str,
    error_type: str,
    path: str,
    seconds: float,
    client: str | None,
    context: RequestContext,
) -> None:
    """The access line, which is joined as text, is the same valid record as one that was serialised as a whole."""
    template = AccessTemplate("GET", route, 503 if error_type else 200, error_type)
    access = Access(template, 1.5, context, path, seconds, client)

    assert record_of(JSON.line(access.record())) == record_of(JSON.access(access))
    assert CONSOLE.line(access.record()) == CONSOLE.access(access)


def test_console() -> None:
    """The console shows clock, level, event and values, and a stack trace below."""
    attributes = {"number": 1.23456789, "text": "two words", "empty": "", "code.line.number": 1}
    plain = CONSOLE.line(LogRecord(0.5, "warning", "cache.miss", CONTEXT, attributes)).decode()
    failed = CONSOLE.line(LogRecord(0.5, "error", "x", CONTEXT, {"exception.stacktrace": "Traceback\n  line"})).decode()

    assert plain.startswith("00:00:00.500 WARN  cache.miss ")
    assert "number=1.23457 text='two words' empty='' correlation_id=c-1" in plain
    assert "code.line" not in plain
    assert failed.rstrip("\n").endswith("\n    Traceback\n      line")


@pytest.mark.parametrize("value", [row[1] for row in HARD], ids=[row[0] for row in HARD])
def test_console_hard_value(value: Any) -> None:
    """No value keeps the console from writing its line."""
    assert b"body" in CONSOLE.line(LogRecord(0.0, "info", "body", CONTEXT, {"value": redact(value)}))
