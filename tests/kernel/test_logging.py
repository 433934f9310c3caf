import asyncio
import json
import logging
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any, Protocol

import pytest
import structlog

from mysingle._kernel.context import RequestContext, use_context
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.log_record import AccessTemplate
from mysingle._kernel.logging import flush_logs, get_logger, get_structured_logger, log_access, setup_logging

SECRET = "hunter2hunter2"
CONTEXT = RequestContext(
    correlation_id="c-1",
    request_id="r-1",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    user=AuthenticatedUser(id="0" * 24),
)
LEVELS = ["debug", "info", "warning", "error", "critical"]


class Captured(Protocol):
    raw: bytes
    records: list[dict[str, Any]]
    record: dict[str, Any]

    def start(self, **options: Any) -> "Captured": ...


class Script(Protocol):
    def __call__(self, source: str, **variables: str) -> Any: ...


def test_record(captured: Captured) -> None:
    """A record has the keys of the convention: what, when, how grave, where from, and the values."""
    captured.start(environment="testing", service_version="1.2.3")
    get_logger("my.module").info("order.submitted", order=7)
    record = captured.record

    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "severity_text": "INFO",
        "severity_number": 9,
        "body": "order.submitted",
        "event_name": "order.submitted",
        "logger.name": "my.module",
        "order": 7,
        "service.name": "my-service",
        "service.version": "1.2.3",
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        "deployment.environment.name": "testing",
    }


@pytest.mark.parametrize("body", ["A sentence.", "one", "Order.Submitted", "a..b", ""])
def test_only_names_are_event_names(body: str, logged: Captured) -> None:
    """`event_name` is there only for a dotted lower-case name."""
    get_logger().info(body)

    assert "event_name" not in logged.record
    assert body == logged.record["body"]


def test_context(logged: Captured) -> None:
    """A record carries the ids of its request, and a caller's values cannot replace them."""
    with use_context(CONTEXT):
        get_logger().info("a.b", correlation_id="forged", user_id="forged", trace_id="forged")

    assert (
        logged.record.items()
        >= {
            "correlation_id": "c-1",
            "request_id": "r-1",
            "user_id": "0" * 24,
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "span_id": "b7ad6b7169203331",
            "trace_flags": "01",
        }.items()
    )
    assert b"forged" not in logged.raw


def test_fixed_keys_are_ours(logged: Captured) -> None:
    """A value named like a fixed key does not replace it."""
    get_logger().info("a.b", timestamp="forged", severity_text="forged", body="forged", **{"service.name": "forged"})

    assert logged.record["service.name"] == "my-service"
    assert logged.record["body"] == "a.b"
    assert logged.record["severity_text"] == "INFO"


async def test_context_of_each_task(logged: Captured) -> None:
    """Concurrent requests log their own ids, tasks and threads of theirs too."""
    log = get_logger()

    async def request(number: int) -> None:
        with use_context(RequestContext(correlation_id=f"c-{number}")):
            await asyncio.sleep(0)
            await asyncio.to_thread(log.info, "a.b", number=number)

    await asyncio.gather(*(request(number) for number in range(50)))

    assert {(f"c-{number}", number) for number in range(50)} == {
        (record["correlation_id"], record["number"]) for record in logged.records
    }


@pytest.mark.parametrize("lowest", LEVELS)
@pytest.mark.parametrize("source", ["structlog", "standard"])
def test_level_filter(lowest: str, source: str, captured: Captured) -> None:
    """Only records of the chosen level and above are written."""
    captured.start(log_level=lowest)
    logger: Any = get_logger() if source == "structlog" else logging.getLogger("library")
    for level in LEVELS:
        getattr(logger, level)(level)

    assert LEVELS[LEVELS.index(lowest) :] == [record["body"] for record in captured.records]


def test_access(captured: Captured) -> None:
    """The access line has the context of now, a level by its status, and obeys the lowest level."""
    captured.start(log_level="WARNING")
    with use_context(CONTEXT):
        log_access(AccessTemplate("GET", "/a", 200, ""), "/a", 0.5, "127.0.0.1")
        log_access(AccessTemplate("GET", "/a/{id}", 503, "UNAVAILABLE"), "/a/1", 0.5, "127.0.0.1")

    assert (
        captured.record.items()
        >= {
            "body": "http.request",
            "event_name": "http.request",
            "severity_text": "ERROR",
            "correlation_id": "c-1",
            "http.request.method": "GET",
            "http.route": "/a/{id}",
            "http.response.status_code": 503,
            "url.path": "/a/1",
            "duration_s": 0.5,
            "client.address": "127.0.0.1",
            "error.type": "UNAVAILABLE",
        }.items()
    )


def test_access_of_any_route(logged: Captured) -> None:
    """The template of a route may have letters of any alphabet."""
    log_access(AccessTemplate("GET", "/주문/café", 200, ""), "/주문/café", 0.5, None)

    assert logged.record["http.route"] == "/주문/café"


def test_unknown_level() -> None:
    """A level that does not exist is refused with those that do."""
    with pytest.raises(ValueError, match="'LOUD' is unknown; use DEBUG, INFO"):
        setup_logging("svc", "LOUD")


PLANTS: list[tuple[str, Any]] = [
    ("key", {"password": SECRET}),
    ("nested key", {"config": {"db": {"api_key": SECRET}}}),
    ("text", {"header": f"Bearer {SECRET}"}),
    ("list", {"items": [{"token": SECRET}]}),
]


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("values", [row[1] for row in PLANTS], ids=[row[0] for row in PLANTS])
def test_redaction(values: dict[str, Any], log_format: str, captured: Captured) -> None:
    """A secret reaches no sink by any way: values, text, the standard library, exceptions."""
    captured.start(log_format=log_format)
    get_logger().info("a.b", **values)
    get_logger().info(f"connecting with password={SECRET}")
    logging.getLogger("library").warning("url %s", f"redis://u:{SECRET}@host", extra=values)
    try:
        raise RuntimeError(f"refused: redis://u:{SECRET}@host")
    except RuntimeError:
        get_logger().exception("c.d")
        logging.getLogger("library").exception("failed")

    assert captured.raw.count(b"\n") >= 5
    assert SECRET.encode() not in captured.raw


def failing() -> None:
    raise LookupError("no such order")


def expect_exception(record: dict[str, Any]) -> None:
    assert record["exception.type"] == "LookupError"
    assert record["exception.message"] == "no such order"
    assert record["exception.stacktrace"].startswith("Traceback")
    assert "in failing" in record["exception.stacktrace"]
    assert record["severity_text"] == "ERROR"


@pytest.mark.parametrize("way", ["exception", "exc_info true", "exc_info error", "exc_info tuple", "standard"])
def test_exception(way: str, logged: Captured) -> None:
    """An exception is three attributes, whichever way it is handed over."""
    try:
        failing()
    except LookupError as error:
        failure = error
        ways: dict[str, Any] = {
            "exception": lambda: get_logger().exception("a.b"),
            "exc_info true": lambda: get_logger().error("a.b", exc_info=True),
            "exc_info error": lambda: get_logger().error("a.b", exc_info=failure),
            "exc_info tuple": lambda: get_logger().error("a.b", exc_info=sys.exc_info()),
            "standard": lambda: logging.getLogger("library").exception("a.b"),
        }
        ways[way]()

    expect_exception(logged.record)


def test_exception_outside_of_except(logged: Captured) -> None:
    """Without an exception there is none in the record."""
    get_logger().error("a.b", exc_info=True)

    assert not any(key.startswith("exception.") for key in logged.record)


class HostileError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("source", ["structlog", "standard"])
@pytest.mark.parametrize("what", ["value", "error"])
def test_hostile_values(what: str, source: str, logged: Captured) -> None:
    """A value that cannot be shown takes neither the caller nor the record down."""
    error = HostileError()
    if source == "structlog":
        get_logger().error("a.b", **({"value": Hostile()} if what == "value" else {"exc_info": error}))
    else:
        extra = {"value": Hostile()} if what == "value" else None
        info = (HostileError, error, None) if what == "error" else None
        logging.getLogger("library").error("a.b", extra=extra, exc_info=info)

    assert logged.record["body"] == "a.b"


def test_standard_library(logged: Captured) -> None:
    """A record of the standard library keeps its name, place and extra values, and nothing of its inner life."""
    logging.getLogger("library.part").warning("%d of %s", 1, "two", extra={"order": 7})
    record = logged.record

    assert record.pop("code.line.number") > 0
    assert (
        record.items()
        >= {
            "body": "1 of two",
            "severity_text": "WARN",
            "logger.name": "library.part",
            "code.function.name": "test_standard_library",
            "code.file.path": __file__,
            "order": 7,
        }.items()
    )
    assert not {"levelname", "msg", "args", "process", "taskName", "relativeCreated"} & record.keys()


def test_standard_library_in_a_request(logged: Captured) -> None:
    """Records of libraries carry the ids of the request too."""
    with use_context(CONTEXT):
        logging.getLogger("library").info("x")

    assert logged.record["correlation_id"] == "c-1"


def test_uvicorn(captured: Captured) -> None:
    """Uvicorn's own lines come through the one pipeline, once; its access log is silent, because ours says more."""
    own = logging.StreamHandler()
    logging.getLogger("uvicorn").addHandler(own)
    captured.start()
    logging.getLogger("uvicorn.error").info("Started", extra={"color_message": "\x1b[1mStarted"})
    logging.getLogger("uvicorn.access").info("GET /")

    assert captured.record["body"] == "Started"
    assert "color_message" not in captured.record


@pytest.mark.parametrize("name", ["pymongo", "asyncio", "httpx", "httpcore"])
def test_chatty_libraries(name: str, logged: Captured) -> None:
    """Libraries that talk much are heard from WARNING on, even when the service logs DEBUG."""
    logging.getLogger(f"{name}.part").info("chat")
    logging.getLogger(name).warning("important")

    assert [record["body"] for record in logged.records] == ["important"]


def test_set_up_twice(captured: Captured) -> None:
    """Setting up again replaces the former set-up: no line is written twice."""
    captured.start(service_name="first")
    get_logger().info("a.b")
    captured.start(service_name="second")
    get_logger().info("a.b")
    logging.getLogger("library").info("c.d")

    assert [record["service.name"] for record in captured.records] == ["first", "second", "second"]


def test_set_up_the_same_again(captured: Captured) -> None:
    """Setting up with the same arguments changes nothing: several apps of one process share one log."""
    captured.start()
    writers = [thread for thread in threading.enumerate() if thread.name == "mysingle-log"]
    for _ in range(3):
        setup_logging("my-service", log_format="json")
        get_logger().info("a.b")

    assert len(captured.records) == 3
    assert len([thread for thread in threading.enumerate() if thread.name == "mysingle-log"]) <= len(writers) + 1


def test_other_handlers_stay(logged: Captured) -> None:
    """A handler that the service itself put on the root logger keeps working."""
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    setup_logging("again", log_format="json")

    assert handler in logging.getLogger().handlers


def test_file(tmp_path: Path, script: Script) -> None:
    """A log file is appended to, in JSON, and nothing goes to standard output; no file is left open."""
    path = tmp_path / "service.log"
    path.write_text("before\n")
    source = (
        "import gc\nfrom pathlib import Path\nfrom mysingle._kernel.logging import *\n"
        f"for name in 'ab':\n    setup_logging(name, log_file=Path({str(path)!r}))\n    get_logger().info('x.y')\n"
        "    flush_logs()\ngc.collect()"
    )
    result = script(source)
    first, *lines = path.read_text().splitlines()

    assert (result.returncode, result.stdout) == (0, "")
    assert first == "before"
    assert [json.loads(line)["service.name"] for line in lines] == ["a", "b"]
    assert result.stderr == ""


def test_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """A log file in a directory that is not there is an error at set-up, not at the first line."""
    with pytest.raises(FileNotFoundError, match="no such"):
        setup_logging("svc", log_file=tmp_path / "no such" / "log")


@pytest.mark.parametrize("log_format", [None, "json", "console"])
@pytest.mark.parametrize(
    ("output", "expected"),
    [("None", 0), ("io.StringIO()", 1)],
    ids=["closed", "text-only"],
)
def test_unusual_standard_output(log_format: str | None, output: str, expected: int, script: Script) -> None:
    """A process without standard output logs to nowhere; an output that takes text only, as in a notebook, gets it."""
    result = script(
        "import io, sys\nfrom mysingle._kernel.logging import *\n"
        f"sys.stdout = {output}\nsetup_logging('svc', log_format={log_format!r})\n"
        "get_logger().info('order.sent')\nflush_logs()\n"
        "sys.__stdout__.write(sys.stdout.getvalue() if sys.stdout else '')"
    )

    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == expected
    assert result.stdout.count("order.sent") >= expected


def test_bound_values(logged: Captured) -> None:
    """Values bound to a logger or to structlog's context stand in every record of theirs."""
    log = get_structured_logger("named").bind(order=7)
    with structlog.contextvars.bound_contextvars(job="nightly"):
        log.info("a.b", step=1)

    assert logged.record.items() >= {"order": 7, "job": "nightly", "step": 1, "logger.name": "named"}.items()


def test_logger_made_before_set_up(captured: Captured) -> None:
    """A logger that a module made at import obeys the set-up that comes later."""
    early = get_logger("early")
    captured.start()
    early.info("x.y")

    assert captured.record["logger.name"] == "early"


def test_nothing_before_set_up(script: Script) -> None:
    """Before `setup_logging` the short way says nothing, and flushing has nothing to wait for."""
    result = script(
        "from mysingle._kernel.logging import *\nfrom mysingle._kernel.log_record import AccessTemplate\n"
        "log_access(AccessTemplate('GET', '/', 500, ''), '/', 1, None)\nflush_logs()"
    )

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_import_has_no_effect(script: Script) -> None:
    """Importing the logger and making one starts no thread and touches no handler."""
    source = (
        "import logging, threading\nfrom mysingle._kernel.logging import get_logger\nget_logger('a')\n"
        "assert threading.active_count() == 1 and logging.getLogger().handlers == []"
    )

    assert script(source).returncode == 0


def test_long_text_is_cut(logged: Captured) -> None:
    """A body and a message have a bound, so that a record stays readable."""
    get_logger().error("x" * 100_000, exc_info=ValueError("y" * 100_000))

    assert len(logged.raw) <= 16 * 1024
    assert logged.record["exception.type"] == "ValueError"


def test_lines_in_order(logged: Captured) -> None:
    """Records of one thread are lines in their order, whichever of the three ways they take."""
    for number in range(0, 300, 3):
        get_logger().info("a.b", number=number)
        logging.getLogger("library").info("x", extra={"number": number + 1})
        log_access(AccessTemplate("GET", "/", 200, ""), "/", number + 2, None)

    assert list(range(300)) == [record.get("number", record.get("duration_s")) for record in logged.records]


def test_flush_from_a_thread(logged: Captured) -> None:
    """Flushing may happen in another thread, as the end of the lifespan does it."""
    get_logger().info("a.b")
    thread = threading.Thread(target=flush_logs)
    thread.start()
    thread.join(5)

    assert not thread.is_alive()
    assert logged.record["body"] == "a.b"
