import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysingle._kernel.errors import ErrorCode, FieldViolation, MySingleError
from mysingle._kernel.problems import HTTP_STATUS, Problem, problem_messages, problem_title, to_problem

STATUSES = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}
INTERNAL = [ErrorCode.INTERNAL, ErrorCode.UNKNOWN, ErrorCode.DATA_LOSS]


def document(error: MySingleError, **values: Any) -> dict[str, Any]:
    known = {"instance": "/orders/1", "correlation_id": "c-1", "domain": "my-service", **values}
    loaded: dict[str, Any] = json.loads(to_problem(error).body(**known))
    return loaded


@pytest.mark.parametrize("code", list(ErrorCode), ids=lambda code: code.value)
def test_status(code: ErrorCode) -> None:
    """Every error code has exactly the HTTP status of google/rpc/code.proto."""
    assert STATUSES[code] == to_problem(MySingleError(code=code)).status


def test_table_is_total() -> None:
    """No code is without a row, no row without a code."""
    assert set(ErrorCode) == HTTP_STATUS.keys() == STATUSES.keys()


def test_document() -> None:
    """A problem document has the members of RFC 9457 and our own, and the stable word is `code`."""
    found = document(MySingleError("No such order.", code=ErrorCode.NOT_FOUND, reason="ORDER_UNKNOWN"))

    assert found == {
        "type": "https://docs.mysingle.dev/errors/ORDER_UNKNOWN",
        "title": "Order unknown",
        "status": 404,
        "detail": "No such order.",
        "instance": "/orders/1",
        "code": "ORDER_UNKNOWN",
        "domain": "my-service",
        "correlation_id": "c-1",
    }


@pytest.mark.parametrize("code", INTERNAL, ids=lambda code: code.value)
def test_internal_leaks_nothing(code: ErrorCode) -> None:
    """What happened inside stays inside: message, reason, details, fields and status words do not leave."""
    secret = "db-7.internal hunter2"
    error = MySingleError(
        secret,
        code=code,
        reason="DB_7_DOWN",
        details={"host": secret},
        violations=(FieldViolation(field=secret, message=secret),),
        status=502,
    )
    error.__cause__ = RuntimeError(secret)
    found = document(error)

    assert (found["status"], found["code"], found["title"]) == (502, code.value, problem_title(code.value))
    assert "errors" not in found
    assert "hunter2" not in str(found)
    assert "DB_7" not in str(found)


def test_details_are_for_the_log() -> None:
    """Details never reach the caller, whatever the code."""
    assert "hunter2" not in str(document(MySingleError("x", code=ErrorCode.ABORTED, details={"a": "hunter2"})))


TITLES = {
    "TOKEN_EXPIRED": "Token expired",
    "AUTH_REQUIRED": "Authentication required",
    "CSRF_FAILED": "CSRF failed",
    "OAUTH_INVALID_ID_TOKEN": "OAuth invalid ID token",
    "NOT_FOUND": "Not found",
    "HTTP_599": "HTTP 599",
    "own-word": "Own-word",
    "": "",
}


@pytest.mark.parametrize(("code", "title"), TITLES.items())
def test_title(code: str, title: str) -> None:
    """The title is the code in words."""
    assert problem_title(code) == title


@pytest.mark.parametrize("code", [*TITLES, "a/../b?c#d%20", "é\n\ud800"])
def test_type(code: str) -> None:
    """The type is the address of the code below one base, whatever the code holds."""
    problem = Problem(status=400, code=code, detail="", headers={})
    found = json.loads(problem.body(instance="/", correlation_id=None, domain="my-service"))["type"]

    assert found.startswith("https://docs.mysingle.dev/errors/")
    assert re.fullmatch(r"[A-Za-z0-9_.~%-]*", found.removeprefix("https://docs.mysingle.dev/errors/"))


def test_message_defaults_to_the_status() -> None:
    """An error without a sentence says the name of its status."""
    found = document(MySingleError(code=ErrorCode.CANCELLED))
    unnamed = document(MySingleError(code=ErrorCode.ABORTED, status=599))

    assert (found["detail"], unnamed["detail"]) == ("Client Closed Request", "Error")


@pytest.mark.parametrize(
    ("seconds", "header"),
    [(None, None), (0, "1"), (-3, "1"), (0.2, "1"), (1, "1"), (1.01, "2"), (30, "30")],
)
def test_retry_after(seconds: float | None, header: str | None) -> None:
    """Retry-After is whole seconds, rounded up, at least one."""
    problem = to_problem(MySingleError(code=ErrorCode.UNAVAILABLE, retry_after_seconds=seconds))

    assert header == problem.headers.get("Retry-After")


def test_own_headers() -> None:
    """Headers of the error are sent, and win over the computed one."""
    error = MySingleError(
        code=ErrorCode.UNAUTHENTICATED,
        headers={"WWW-Authenticate": "Bearer", "Retry-After": "9"},
        retry_after_seconds=1,
    )

    assert to_problem(error).headers == {"WWW-Authenticate": "Bearer", "Retry-After": "9"}


def test_violations() -> None:
    """Wrong fields are listed with path, sentence and word."""
    violations = (FieldViolation(field="a.b", message="too long"), FieldViolation(field="c", message="no", code="odd"))
    found = document(MySingleError(code=ErrorCode.INVALID_ARGUMENT, violations=violations, status=422))

    assert found["status"] == 422
    assert found["errors"] == [
        {"field": "a.b", "message": "too long", "code": "invalid"},
        {"field": "c", "message": "no", "code": "odd"},
    ]


def test_messages() -> None:
    """The two ASGI messages have the media type, the length of the body, and lower-case names."""
    problem = to_problem(MySingleError("é", code=ErrorCode.UNAUTHENTICATED, headers={"WWW-Authenticate": "Bearer"}))
    start, body = problem_messages(problem, "/a", None, "svc")
    content = body["body"]

    assert isinstance(content, bytes)
    assert start["status"] == 401
    assert start["headers"] == [
        (b"www-authenticate", b"Bearer"),
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(content)).encode()),
    ]
    assert json.loads(content)["correlation_id"] is None


texts = st.text(st.characters())  # lone surrogates too


@given(message=texts, instance=texts, correlation_id=st.none() | texts)
def test_any_text_is_one_document(message: str, instance: str, correlation_id: str | None) -> None:
    """Whatever a message or path holds, lone surrogates too, the body is one valid JSON document."""
    error = MySingleError(message, code=ErrorCode.INVALID_ARGUMENT)

    assert document(error, instance=instance, correlation_id=correlation_id)["status"] == 400
