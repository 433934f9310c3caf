import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from mysingle.core.errors import (
    AlreadyExistsError,
    ErrorCode,
    FieldViolation,
    MySingleError,
    NotFoundError,
    ResourceExhaustedError,
)

SECRET = "mongodb://root:hunter2@10.0.0.1"
CORRELATION = {"Correlation-Id": "order-42"}

MakeApp = Callable[..., FastAPI]
Live = Callable[..., Any]


class Order(BaseModel):
    symbol: str
    amount: int = Field(gt=0)


class StreamBrokenError(Exception):
    """Not one of ours."""


def raising(error: Exception) -> Callable[[], None]:
    def handler() -> None:
        raise error

    return handler


def failing_dependency() -> None:
    raise NotFoundError("No such portfolio", reason="PORTFOLIO_NOT_FOUND")


def _app(make_app: MakeApp, **config: Any) -> FastAPI:
    app = make_app(**config)
    app.post("/orders")(lambda order: order)
    app.post("/order")(_take_order)
    app.get("/crash")(raising(RuntimeError(f"cannot reach {SECRET}")))
    return app


def _take_order(order: Order) -> Order:
    return order


def _problem(answer: Any) -> tuple[int, str]:
    """Check the shape that every problem has, and return what tells them apart."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance", "code", "domain", "correlation_id"} <= set(body)
    assert body["status"] == answer.status_code
    assert body["domain"] == "test-service"
    assert body["correlation_id"] == answer.headers["correlation-id"] == answer.headers["x-correlation-id"]
    return answer.status_code, body["code"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        pytest.param("GET", "/nowhere", 404, "NOT_FOUND", id="404"),
        pytest.param("GET", "/order", 405, "METHOD_NOT_ALLOWED", id="405"),
        pytest.param("POST", "/order", 422, "VALIDATION_FAILED", id="422"),
        pytest.param("GET", "/crash", 500, "INTERNAL", id="500"),
    ],
)
async def test_framework_failures(
    make_app: MakeApp, live: Live, method: str, path: str, status: int, code: str
) -> None:
    """What the framework refuses, and what a handler lets escape, is a problem document with the correlation id."""
    async with live(_app(make_app)) as client:
        answer = await client.request(method, path, headers=CORRELATION)

    assert _problem(answer) == (status, code)
    assert answer.json()["correlation_id"] == "order-42"
    assert answer.json()["instance"] == path


async def test_wrong_method_names_the_right_ones(make_app: MakeApp, live: Live) -> None:
    """A 405 keeps its `Allow` header."""
    async with live(_app(make_app)) as client:
        answer = await client.delete("/order")

    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("code", list(ErrorCode))
async def test_every_code(make_app: MakeApp, live: Live, code: ErrorCode) -> None:
    """Each of the sixteen codes has its HTTP status, and only the internal ones keep their words to themselves."""
    internal = code in (ErrorCode.INTERNAL, ErrorCode.UNKNOWN, ErrorCode.DATA_LOSS)
    app = make_app()
    app.get("/fail")(raising(MySingleError("The sentence", code=code, reason="MY_REASON", details={"at": SECRET})))
    async with live(app) as client:
        answer = await client.get("/fail")

    assert _problem(answer) == (_STATUS[code], code.value if internal else "MY_REASON")
    assert ("The sentence" in answer.text) is not internal
    assert SECRET not in answer.text


_STATUS = {
    ErrorCode.CANCELLED: 499,
    ErrorCode.UNKNOWN: 500,
    ErrorCode.INVALID_ARGUMENT: 400,
    ErrorCode.DEADLINE_EXCEEDED: 504,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.ALREADY_EXISTS: 409,
    ErrorCode.PERMISSION_DENIED: 403,
    ErrorCode.RESOURCE_EXHAUSTED: 429,
    ErrorCode.FAILED_PRECONDITION: 400,
    ErrorCode.ABORTED: 409,
    ErrorCode.OUT_OF_RANGE: 400,
    ErrorCode.UNIMPLEMENTED: 501,
    ErrorCode.INTERNAL: 500,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.DATA_LOSS: 500,
    ErrorCode.UNAUTHENTICATED: 401,
}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(HTTPException(404), (404, "NOT_FOUND", "Not Found"), id="plain"),
        pytest.param(HTTPException(418, "short and stout"), (418, "IM_A_TEAPOT", "short and stout"), id="text"),
        pytest.param(
            HTTPException(409, {"code": "STALE", "message": "Changed meanwhile"}),
            (409, "STALE", "Changed meanwhile"),
            id="mapping",
        ),
        pytest.param(HTTPException(400, {"detail": "only detail"}), (400, "BAD_REQUEST", "only detail"), id="detail"),
        pytest.param(HTTPException(400, {"x": 1}), (400, "BAD_REQUEST", "BAD_REQUEST"), id="foreign-mapping"),
        pytest.param(HTTPException(599), (599, "HTTP_599", ""), id="unknown-status"),
        pytest.param(HTTPException(400, ["a", 1]), (400, "BAD_REQUEST", "['a', 1]"), id="list"),
    ],
)
async def test_http_exceptions(
    make_app: MakeApp, live: Live, error: HTTPException, expected: tuple[int, str, str]
) -> None:
    """An `HTTPException` of FastAPI is a problem; a mapping as its detail gives the code and the sentence."""
    app = make_app()
    app.get("/fail")(raising(error))

    async with live(app) as client:
        answer = await client.get("/fail")

    assert (*_problem(answer), answer.json()["detail"]) == expected


async def test_headers_of_errors(make_app: MakeApp, live: Live) -> None:
    """Headers and the time to wait travel with an error."""
    app = make_app()
    app.get("/http")(raising(HTTPException(401, headers={"WWW-Authenticate": "Bearer"})))
    app.get("/ours")(raising(ResourceExhaustedError(retry_after_seconds=1.2, headers={"X-Quota": "7"})))

    async with live(app) as client:
        http, ours = await client.get("/http"), await client.get("/ours")

    assert http.headers["www-authenticate"] == "Bearer"
    assert (ours.headers["retry-after"], ours.headers["x-quota"]) == ("2", "7")


async def test_violations(make_app: MakeApp, live: Live) -> None:
    """Wrong fields are listed by path and rule."""
    app = make_app()
    app.get("/fail")(raising(AlreadyExistsError(violations=(FieldViolation(field="name", message="is taken"),))))

    async with live(app) as client:
        answer = await client.get("/fail")

    assert answer.json()["errors"] == [{"field": "name", "message": "is taken", "code": "invalid"}]


async def test_validation_never_repeats_the_value(make_app: MakeApp, live: Live) -> None:
    """A 422 names field and rule, never the value, which may be a secret."""
    async with live(_app(make_app)) as client:
        answer = await client.post("/order", json={"symbol": {"password": "hunter2"}, "amount": -170017})

    assert [item["field"] for item in answer.json()["errors"]] == ["body.symbol", "body.amount"]
    assert "hunter2" not in answer.text
    assert "170017" not in answer.text


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 5000, b'{"symbol": NaN}', b"null", b'"\\ud800"'])
async def test_garbage_bodies(make_app: MakeApp, live: Live, body: bytes) -> None:
    """A body that is no JSON, or not the right one, is the caller's mistake and never a 500."""
    async with live(_app(make_app)) as client:
        answer = await client.post("/order", content=body, headers={"Content-Type": "application/json"})

    assert _problem(answer)[0] in (400, 422)


async def test_many_violations_are_bounded(make_app: MakeApp, live: Live) -> None:
    """A body with thousands of mistakes gets an answer of bounded size."""
    app = make_app()

    def take(orders: list[Order]) -> int:
        return len(orders)

    app.post("/many")(take)
    async with live(app) as client:
        answer = await client.post("/many", json=[{}] * 2000)

    assert len(answer.json()["errors"]) == 50


async def test_crash_leaks_nothing(make_app: MakeApp, live: Live, log: Callable[[], Any]) -> None:
    """A 500 says nothing of what happened; the log has the traceback under the same correlation id, once."""
    async with live(_app(make_app)) as client:
        answer = await client.get("/crash", headers=CORRELATION)

    records = [record for record in log() if "exception.type" in record]
    assert "RuntimeError" not in answer.text
    assert "hunter2" not in answer.text
    assert answer.json()["detail"] == "Internal error. The correlation id finds it in the log."
    assert [record["exception.type"] for record in records] == ["RuntimeError"]
    assert records[0]["correlation_id"] == "order-42"
    assert "hunter2" not in str(records)


@pytest.mark.parametrize("error", [asyncio.CancelledError(), SystemExit("hunter2")])
async def test_escapes_are_errors(make_app: MakeApp, live: Live, log: Callable[[], Any], error: BaseException) -> None:
    """A handler that awaits something cancelled, or that calls `sys.exit`, is a 500 like any other failure."""
    app = make_app()

    async def escape() -> None:
        raise error

    app.get("/escape")(escape)

    async with live(app) as client:
        answer = await client.get("/escape", headers=CORRELATION)

    statuses = [record["http.response.status_code"] for record in log() if record["body"] == "http.request"]
    failures = [record for record in log() if record["body"] == "request.failed"]
    assert _problem(answer) == (500, "INTERNAL")
    assert "hunter2" not in answer.text
    assert (statuses, [record["correlation_id"] for record in failures]) == ([500], ["order-42"])
    assert type(error).__name__ in failures[0]["exception.stacktrace"]


async def test_cancelled_request_is_no_failure(make_app: MakeApp, live: Live, log: Callable[[], Any]) -> None:
    """A request that the server itself cancels stays cancelled: nobody is there to be answered."""
    app, begun = make_app(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.sleep(60)

    app.get("/wait")(wait)
    async with live(app) as client:
        request = asyncio.create_task(client.get("/wait"))
        await begun.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    assert not [record for record in log() if record["severity_text"] == "ERROR"]


@pytest.mark.parametrize("status", [99, 103, 600, 999])
async def test_impossible_statuses(make_app: MakeApp, live: Live, log: Callable[[], Any], status: int) -> None:
    """An `HTTPException` whose status no answer can have is a 500 that the log explains."""
    app = make_app()
    app.get("/fail")(raising(HTTPException(status)))

    async with live(app) as client:
        answer = await client.get("/fail")

    assert _problem(answer) == (500, "INTERNAL")
    assert [str(status) in record["exception.message"] for record in log() if record["body"] == "request.failed"]


@pytest.mark.parametrize("handled", [StreamBrokenError, Exception], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("result", [KeyError("hunter2"), {"no": "response"}], ids=["raises", "returns-no-response"])
async def test_handlers_that_fail(
    make_app: MakeApp, live: Live, log: Callable[[], Any], handled: type[Exception], result: Any
) -> None:
    """An exception handler of the app that fails itself leaves a problem document and its own error in the log."""
    app = make_app()

    @app.exception_handler(handled)
    async def handle(request: Any, error: Exception) -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    app.get("/fail")(raising(StreamBrokenError()))
    async with live(app) as client:
        answer = await client.get("/fail")

    failures = [record["exception.type"] for record in log() if record["body"] == "request.failed"]
    assert _problem(answer) == (500, "INTERNAL")
    assert "hunter2" not in answer.text
    assert failures[-1] == ("KeyError" if isinstance(result, Exception) else "TypeError")


async def test_errors_of_dependencies(make_app: MakeApp, live: Live) -> None:
    """An error that a dependency raises reads like one of the handler."""
    app = make_app()
    app.get("/fail", dependencies=[Depends(failing_dependency)])(lambda: "never")

    async with live(app) as client:
        answer = await client.get("/fail")

    assert _problem(answer) == (404, "PORTFOLIO_NOT_FOUND")


@pytest.mark.parametrize("error", [RuntimeError("late"), NotFoundError("late")])
async def test_errors_of_background_tasks(
    make_app: MakeApp, live: Live, log: Callable[[], Any], error: Exception
) -> None:
    """A background task that fails leaves the answer as it was, and the log has it under the request's id."""

    def work() -> None:
        raise error

    def handler(tasks: BackgroundTasks) -> str:
        tasks.add_task(work)
        return "accepted"

    app = make_app()
    app.get("/later")(handler)

    async with live(app) as client:
        answer = await client.get("/later", headers=CORRELATION)

    failures = [record for record in log() if record["severity_text"] == "ERROR"]
    assert (answer.status_code, answer.json()) == (200, "accepted")
    assert any(record["correlation_id"] == "order-42" for record in failures)


async def test_wrong_answers_are_internal(make_app: MakeApp, live: Live) -> None:
    """A handler that returns what its own type forbids is a 500 that shows nothing of the value."""
    app = make_app()
    app.get("/wrong", response_model=Order)(lambda: {"symbol": "hunter2"})

    async with live(app) as client:
        answer = await client.get("/wrong")

    assert _problem(answer) == (500, "INTERNAL")
    assert "hunter2" not in answer.text


async def test_error_in_the_middle_of_an_answer(make_app: MakeApp, call: Callable[..., Any]) -> None:
    """An error after the first byte goes on to the server, which closes the connection: no second status line."""

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        raise StreamBrokenError

    app = make_app()
    app.get("/stream")(lambda: StreamingResponse(body()))
    sent = await call(app, "/stream")

    assert [message["type"] for message in sent] == [
        "http.response.start",
        "http.response.body",
        "raised StreamBrokenError",
    ]


async def test_errors_are_counted(make_app: MakeApp, live: Live) -> None:
    """A request that fails is counted under its status and the reason, with the template of its route."""
    app = make_app()
    app.get("/items/{item_id}")(raising(NotFoundError(reason="ITEM_NOT_FOUND")))

    async with live(app) as client:
        await client.get("/items/17")
        metrics = (await client.get("/metrics")).text

    name = "http_server_request_duration_seconds_count"
    counted = [line for line in metrics.splitlines() if line.startswith(name)]
    labels = {
        "error_type": "ITEM_NOT_FOUND",
        "http_request_method": "GET",
        "http_response_status_code": "404",
        "http_route": "/items/{item_id}",
        "url_scheme": "http",
    }
    assert len(counted) == 1
    assert dict(re.findall(r'(\w+)="([^"]*)"', counted[0])) == labels
    assert counted[0].endswith(" 1.0")


async def test_unknown_paths_share_one_series(make_app: MakeApp, live: Live) -> None:
    """Whatever paths and methods a scanner tries, the metrics get one series for them."""
    async with live(make_app()) as client:
        for number in range(20):
            await client.request(f"BREW{number}", f"/scan/{number}")
        metrics = (await client.get("/metrics")).text

    counts = [line for line in metrics.splitlines() if line.startswith("http_server_request_duration_seconds_count")]
    assert len(counts) == 1
    assert 'http_request_method="_OTHER"' in counts[0]
    assert 'http_route="_OTHER"' in counts[0]


PREFLIGHT = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}


async def test_cors_preflight(make_app: MakeApp, live: Live) -> None:
    """A browser may ask without a login what it may call; an origin that is not listed gets no permission."""
    async with live(_app(make_app, cors_origins=["https://app.example"])) as client:
        client.headers.pop("X-User-Id")
        known = await client.options("/order", headers=PREFLIGHT)
        unknown = await client.options("/order", headers=PREFLIGHT | {"Origin": "https://evil.example"})

    assert (known.status_code, known.headers["access-control-allow-origin"]) == (200, "https://app.example")
    assert known.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in unknown.headers


@pytest.mark.parametrize(("path", "status"), [("/crash", 500), ("/nowhere", 404), ("/order", 405)])
async def test_cors_on_errors(make_app: MakeApp, live: Live, path: str, status: int) -> None:
    """Errors carry the CORS headers too, so that a page can read what went wrong and the correlation id."""
    async with live(_app(make_app, cors_origins=["https://app.example"])) as client:
        answer = await client.get(path, headers={"Origin": "https://app.example"})

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, "https://app.example")
    assert "Correlation-Id" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    ("settings", "config", "allowed"),
    [
        pytest.param({"CORS_ORIGINS": "https://app.example"}, {}, True, id="settings"),
        pytest.param({"CORS_ORIGINS": "https://app.example"}, {"cors_origins": []}, False, id="config-wins"),
        pytest.param({}, {}, False, id="none"),
    ],
)
async def test_cors_origins(
    make_app: MakeApp, live: Live, settings: dict[str, str], config: dict[str, Any], allowed: bool
) -> None:
    """Origins come from the configuration, else from the settings; without any there is no CORS."""
    app = make_app(settings, **config)
    app.get("/work")(lambda: "done")

    async with live(app) as client:
        answer = await client.get("/work", headers={"Origin": "https://app.example"})

    assert ("access-control-allow-origin" in answer.headers) is allowed


async def test_any_origin_comes_without_credentials(make_app: MakeApp, live: Live) -> None:
    """An API that is open to every origin never lets a page use the visitor's credentials."""
    async with live(_app(make_app, cors_origins=["*"])) as client:
        answer = await client.options("/order", headers=PREFLIGHT)

    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
