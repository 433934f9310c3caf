"""The one spelling of header and metadata names, and the pure codecs between the wire and a `RequestContext`."""

import random
import re
import time
from collections.abc import Mapping

from mysingle._kernel.context import RequestContext

__all__ = [
    "CORRELATION_HEADERS",
    "GATEWAY_HEADERS",
    "HEADER_CORRELATION_ID",
    "HEADER_REQUEST_ID",
    "HEADER_USER_ID",
    "IDENTITY_HEADERS",
    "clean_id",
    "from_headers",
    "from_metadata",
    "from_rpc",
    "new_id",
    "to_headers",
    "to_metadata",
]

HEADER_CORRELATION_ID = "Correlation-Id"
HEADER_X_CORRELATION_ID = "X-Correlation-Id"
HEADER_REQUEST_ID = "X-Request-Id"
HEADER_KONG_REQUEST_ID = "Kong-Request-Id"
HEADER_X_KONG_REQUEST_ID = "X-Kong-Request-Id"
HEADER_TRACEPARENT = "traceparent"
HEADER_TRACESTATE = "tracestate"

HEADER_USER_ID = "X-User-Id"
HEADER_USER_EMAIL = "X-User-Email"
HEADER_USER_VERIFIED = "X-User-Verified"
HEADER_USER_ACTIVE = "X-User-Active"
HEADER_USER_SUPERUSER = "X-User-Superuser"
HEADER_USER_ROLES = "X-User-Roles"
HEADER_SESSION_ID = "X-Session-Id"
HEADER_ANONYMOUS_CONSUMER = "X-Anonymous-Consumer"
HEADER_GATEWAY_SIGNATURE = "X-Gateway-Signature"
HEADER_GATEWAY_TIMESTAMP = "X-Gateway-Timestamp"
HEADER_GATEWAY_NONCE = "X-Gateway-Nonce"

IDENTITY_HEADERS = (
    HEADER_USER_ID,
    HEADER_USER_EMAIL,
    HEADER_USER_VERIFIED,
    HEADER_USER_ACTIVE,
    HEADER_USER_SUPERUSER,
    HEADER_USER_ROLES,
    HEADER_SESSION_ID,
)
"""In the order in which the gateway signs them."""

GATEWAY_HEADERS = (HEADER_GATEWAY_SIGNATURE, HEADER_GATEWAY_TIMESTAMP, HEADER_GATEWAY_NONCE)
"""The proof that the gateway has set the identity headers."""

CORRELATION_HEADERS = (
    HEADER_CORRELATION_ID,
    HEADER_X_CORRELATION_ID,
    HEADER_REQUEST_ID,
    HEADER_KONG_REQUEST_ID,
)
"""In the order in which they are believed; the first valid one wins."""

METADATA_USER_ID = "user-id"
METADATA_CORRELATION_ID = "correlation-id"
METADATA_REQUEST_ID = "request-id"
METADATA_AUTHORIZATION = "authorization"
METADATA_SIGNED_USER = "x-user-context"
METADATA_IDEMPOTENCY_KEY = "idempotency-key"
METADATA_PREVIOUS_ATTEMPTS = "grpc-previous-rpc-attempts"
METADATA_PUSHBACK = "grpc-retry-pushback-ms"

_ID = re.compile(rb"[A-Za-z0-9._:#-]{1,128}")
_ID_TEXT = re.compile(r"[A-Za-z0-9._:#-]{1,128}")
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_MAX_TRACESTATE = 512
_LOW_62 = (1 << 62) - 1
_CORRELATION_NAMES = tuple(name.lower().encode() for name in CORRELATION_HEADERS)
_REQUEST_ID = HEADER_REQUEST_ID.lower().encode()
_TRACEPARENT_NAME = HEADER_TRACEPARENT.encode()
_TRACESTATE_NAME = HEADER_TRACESTATE.encode()


def new_id() -> str:
    """
    Return a UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds, then 74 random bits, so ids sort by time.

    It is a label, not a secret: the bits come from `random`, which reseeds itself in a forked child.
    """
    milliseconds = time.time_ns() // 1_000_000
    bits = random.getrandbits(74)
    value = milliseconds << 80 | 0x7 << 76 | bits >> 62 << 64 | 0b10 << 62 | bits & _LOW_62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def clean_id(raw: bytes) -> str | None:
    """Return an id from outside when every byte of it is harmless in logs and headers; None otherwise."""
    return raw.decode("ascii") if _ID.fullmatch(raw) else None


def from_headers(headers: Mapping[bytes, bytes], deadline: float | None = None) -> RequestContext:
    """
    Read the context of an HTTP request from its headers by lower-case name.

    A missing or ill-formed correlation id is replaced by a new one; an ill-formed `traceparent` is dropped.
    Identity is not read here: that is the auth middleware's work, behind a proof.
    """
    get = headers.get
    correlation_id = None
    for name in _CORRELATION_NAMES:
        raw = get(name)
        if raw is not None and (correlation_id := clean_id(raw)) is not None:
            break
    correlation_id = correlation_id or new_id()
    raw = get(_REQUEST_ID)
    request_id = correlation_id if raw is None else clean_id(raw) or correlation_id
    raw = get(_TRACEPARENT_NAME)
    if raw is None or _TRACEPARENT.fullmatch(raw) is None:
        return RequestContext(correlation_id, request_id, deadline=deadline)
    return RequestContext(
        correlation_id, request_id, raw.decode("ascii"), _clean_tracestate(get(_TRACESTATE_NAME)), deadline=deadline
    )


def from_rpc(metadata: Mapping[str, str], deadline: float | None = None) -> RequestContext:
    """Read the context of a gRPC call from its metadata, with a deadline of this process; never the user."""
    get = metadata.get
    correlation_id = _clean_text(get(METADATA_CORRELATION_ID)) or new_id()
    request_id = _clean_text(get(METADATA_REQUEST_ID)) or correlation_id
    traceparent = get(HEADER_TRACEPARENT)
    if traceparent is None:
        return RequestContext(correlation_id, request_id, None, None, None, deadline)
    if _TRACEPARENT.fullmatch(traceparent.encode("utf-8", "replace")) is None:
        return RequestContext(correlation_id, request_id, deadline=deadline)
    state = get(HEADER_TRACESTATE)
    clean_state = _clean_tracestate(state.encode("utf-8", "replace")) if state else None
    return RequestContext(correlation_id, request_id, traceparent, clean_state, None, deadline)


def _clean_text(text: str | None) -> str | None:
    return text if text is not None and _ID_TEXT.fullmatch(text) else None


def _clean_tracestate(raw: bytes | None) -> str | None:
    is_clean = raw is not None and len(raw) <= _MAX_TRACESTATE and raw.isascii() and raw.decode("ascii").isprintable()
    return raw.decode("ascii") if raw is not None and is_clean else None


def to_headers(context: RequestContext) -> dict[bytes, bytes]:
    """Return the raw ASGI headers (lower-case names) that carry a context; the inverse of `from_headers`."""
    pairs = (
        (HEADER_CORRELATION_ID, context.correlation_id),
        (HEADER_REQUEST_ID, context.request_id),
        (HEADER_TRACEPARENT, context.traceparent),
        (HEADER_TRACESTATE, context.tracestate),
    )
    return {name.lower().encode(): value.encode() for name, value in pairs if value}


def to_metadata(context: RequestContext) -> dict[str, str]:
    """Return the gRPC metadata that carries a context; what is absent stays absent."""
    pairs = (
        (METADATA_USER_ID, context.user_id),
        (METADATA_CORRELATION_ID, context.correlation_id),
        (METADATA_REQUEST_ID, context.request_id),
        (HEADER_TRACEPARENT, context.traceparent),
        (HEADER_TRACESTATE, context.tracestate),
    )
    return {name: value for name, value in pairs if value}


def from_metadata(metadata: Mapping[str, str]) -> RequestContext:
    """Read the context of a gRPC call; the same rules as for HTTP headers. The `user-id` needs its own proof."""
    renamed = {
        METADATA_CORRELATION_ID: HEADER_CORRELATION_ID.lower(),
        METADATA_REQUEST_ID: HEADER_REQUEST_ID.lower(),
    }
    return from_headers(
        {renamed.get(name, name).encode(): value.encode("utf-8", "replace") for name, value in metadata.items()}
    )
