"""What Envoy itself says: its own answers, in the shape of the services' answers, and its access log."""

import json
from typing import Any

from mysingle._kernel import propagation
from mysingle._kernel.problems import problem_title, problem_type

__all__ = ["access_log", "compact", "extension", "local_replies"]

_DETAIL_OF_ENVOY = "%LOCAL_REPLY_BODY%"
_AWAY = "The service is away for the moment."
_REPLIES = (
    (400, "INVALID_ARGUMENT", "The request is not accepted."),
    (401, "AUTH_REQUIRED", _DETAIL_OF_ENVOY),
    (404, "NOT_FOUND", "Nothing is here."),
    (408, "REQUEST_TIMEOUT", "The request took too long."),
    (413, "BODY_TOO_LARGE", "The body is too large."),
    (431, "HEADERS_TOO_LARGE", "There are too many headers, or they are too long."),
    (500, "INTERNAL", "Internal error"),
    (502, "UNAVAILABLE", _AWAY),
    (503, "UNAVAILABLE", _AWAY),
    (504, "REQUEST_TIMEOUT", "The service did not answer in time."),
)


def extension(name: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return an extension of Envoy, with the full name of its message."""
    return {"name": name, "typed_config": {"@type": f"type.googleapis.com/{kind}", **config}}


def compact(value: object) -> str:
    """Return a value as JSON without blanks."""
    return json.dumps(value, separators=(",", ":"))


def local_replies() -> dict[str, Any]:
    """
    Make problem documents (RFC 9457) of Envoy's own answers, with the codes that the services use.

    A 401 is `TOKEN_INVALID` when a token was sent. What Envoy says about a service that is away stays inside.
    """
    token_sent = {"header_filter": {"header": {"name": "Authorization", "present_match": True}}}
    refused = {"and_filter": {"filters": [_has_status(401), token_sent]}}
    bad_token = ("TOKEN_INVALID", _DETAIL_OF_ENVOY)
    first = _mapper(refused, *bad_token)
    # Envoy says 403 for one thing only, a token for somebody else.
    challenge = {"key": "WWW-Authenticate", "value": 'Bearer realm="mysingle", error="invalid_token"'}
    foreign = {**_mapper(_has_status(403), *bad_token), "status_code": 401, "headers_to_add": [{"header": challenge}]}
    return {"mappers": [first, foreign, *(_mapper(_has_status(status), *words) for status, *words in _REPLIES)]}


def _has_status(status: int) -> dict[str, Any]:
    value = {"default_value": status, "runtime_key": f"gateway.local_reply_{status}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _mapper(condition: dict[str, Any], code: str, detail: str) -> dict[str, Any]:
    document = {
        "type": problem_type(code),
        "title": problem_title(code),
        "status": "%RESPONSE_CODE%",
        "detail": detail,
        "code": code,
        "domain": "gateway",
        "correlation_id": f"%REQ({propagation.HEADER_X_CORRELATION_ID})%",
    }
    override = {"json_format": document, "content_type": "application/problem+json"}
    return {"filter": condition, "body_format_override": override}


def access_log() -> dict[str, Any]:
    """Write one JSON line a request to standard output; the path without its query, which may hold secrets."""
    line = {
        "timestamp": "%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ)%",
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ:ORIG_OR_PATH)%",
        "status": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "duration_ms": "%DURATION%",
        "service": "%UPSTREAM_CLUSTER_RAW%",
        "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "user_id": f"%REQ({propagation.HEADER_USER_ID})%",
        "correlation_id": f"%REQ({propagation.HEADER_X_CORRELATION_ID})%",
    }
    return extension(
        "envoy.access_loggers.stdout",
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
        {"log_format": {"json_format": line}},
    )
