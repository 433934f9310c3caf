"""Errors as HTTP sees them: status, headers and an RFC 9457 body. Pure; knows no web library."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from mysingle._kernel.errors import ErrorCode, FieldViolation, MySingleError

__all__ = [
    "HTTP_STATUS",
    "MEDIA_TYPE",
    "TYPE_BASE",
    "Problem",
    "problem_messages",
    "problem_title",
    "problem_type",
    "to_problem",
]

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "https://docs.mysingle.dev/errors/"
"""Before the code, the `type` of a problem: a name for its kind (RFC 9457 §3.1.1), where people may read about it."""

CLIENT_CLOSED_REQUEST = 499
_SPELLINGS = {
    "auth": "authentication",
    **{word.lower(): word for word in ("API", "CSRF", "DSL", "HTTP", "IAM", "ID", "JSON", "MFA", "OAuth", "URL")},
}
"""Words of a code that a title spells in another way."""

_MAX_INSTANCE = 1024

HTTP_STATUS: Mapping[ErrorCode, int] = {
    ErrorCode.CANCELLED: CLIENT_CLOSED_REQUEST,
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
"""Source: the mapping in `google/rpc/code.proto`."""

_INTERNAL_CODES = frozenset({ErrorCode.INTERNAL, ErrorCode.UNKNOWN, ErrorCode.DATA_LOSS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One answer that says what went wrong (RFC 9457). `code` is the stable word that clients match on."""

    status: int
    code: str
    detail: str
    headers: Mapping[str, str]
    violations: tuple[FieldViolation, ...] = ()
    extensions: Mapping[str, Any] = field(default_factory=dict)

    def body(self, *, instance: str, correlation_id: str | None, domain: str) -> bytes:
        """Return the JSON document for one request: its path, its correlation id, and the service that answers."""
        document: dict[str, object] = {
            **self.extensions,
            "type": problem_type(self.code),
            "title": problem_title(self.code),
            "status": self.status,
            "detail": self.detail,
            "instance": instance[:_MAX_INSTANCE],
            "code": self.code,
            "domain": domain,
            "correlation_id": correlation_id,
        }
        if self.violations:
            document["errors"] = [
                {"field": item.field, "message": item.message, "code": item.code} for item in self.violations
            ]
        return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def problem_type(code: str) -> str:
    """Return the URL that names a kind of problem, such as `https://docs.mysingle.dev/errors/TOKEN_EXPIRED`."""
    return TYPE_BASE + quote(code, safe="", errors="replace")


def problem_title(code: str) -> str:
    """Return a code in words, such as `Token expired`."""
    text = " ".join(_SPELLINGS.get(word, word) for word in code.lower().split("_"))
    return text[:1].upper() + text[1:]


def problem_messages(
    problem: Problem, instance: str, correlation_id: str | None, domain: str
) -> tuple[dict[str, object], dict[str, object]]:
    """Return the two ASGI messages that answer a request with a problem document."""
    body = problem.body(instance=instance, correlation_id=correlation_id, domain=domain)
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in problem.headers.items()]
    headers += [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    start = {"type": "http.response.start", "status": problem.status, "headers": headers}
    return start, {"type": "http.response.body", "body": body}


def to_problem(error: MySingleError) -> Problem:
    """Turn an error into its HTTP answer. What happened inside stays inside: INTERNAL says only that."""
    is_internal = error.code in _INTERNAL_CODES
    headers = dict(error.headers)
    if error.retry_after_seconds is not None:
        headers.setdefault("Retry-After", str(max(1, math.ceil(error.retry_after_seconds))))
    status = error.status or HTTP_STATUS[error.code]
    return Problem(
        status=status,
        code=error.code.value if is_internal else error.reason,
        detail="Internal error. The correlation id finds it in the log." if is_internal else _detail(error, status),
        headers=headers,
        violations=() if is_internal else error.violations,
        extensions={} if is_internal else error.extensions,
    )


def _detail(error: MySingleError, status: int) -> str:
    return error.message or _phrase(status)


def _phrase(status: int) -> str:
    if status == CLIENT_CLOSED_REQUEST:
        return "Client Closed Request"
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
