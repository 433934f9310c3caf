"""Errors as gRPC sees them: status code, message and `google.rpc.Status`, both ways."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

import grpc
from mysingle._kernel.errors import ErrorCode, FieldViolation, MySingleError
from mysingle._kernel.propagation import METADATA_PUSHBACK

__all__ = [
    "DETAILS_KEY",
    "WireStatus",
    "error_of_call",
    "error_of_status",
    "packed_error",
    "status_code",
    "to_status",
    "unpacked_error",
]

DETAILS_KEY = "grpc-status-details-bin"
INTERNAL_MESSAGE = "Internal error. The correlation id finds it in the log."
_INTERNAL = frozenset({ErrorCode.INTERNAL, ErrorCode.UNKNOWN, ErrorCode.DATA_LOSS})
_LOCAL = _INTERNAL | {ErrorCode.UNAVAILABLE, ErrorCode.CANCELLED, ErrorCode.DEADLINE_EXCEEDED}
_MAX_MESSAGE = 1024
_MAX_VIOLATIONS = 25
_MAX_FIELD = 128
_MAX_DETAILS = 4096  # all trailers together must stay below 8 KB
_HTTP_STATUS = "http_status"
_MESSAGES: Mapping[ErrorCode, str] = {
    ErrorCode.UNAVAILABLE: "A service that is needed for this does not answer.",
    ErrorCode.DEADLINE_EXCEEDED: "No answer in time.",
    ErrorCode.CANCELLED: "The call was cancelled.",
}

_CODES: Mapping[ErrorCode, grpc.StatusCode] = {code: grpc.StatusCode[code.value] for code in ErrorCode}
_ERRORS: Mapping[Any, ErrorCode] = {status: code for code, status in _CODES.items()}
_NUMBERS: Mapping[int, ErrorCode] = {status.value[0]: code for code, status in _CODES.items()}


class WireStatus(NamedTuple):
    """What a call ends with: code, message, and what else goes into the trailers."""

    code: grpc.StatusCode
    message: str
    trailers: tuple[tuple[str, str | bytes], ...]


def status_code(code: ErrorCode) -> grpc.StatusCode:
    """Return the status of a code; total."""
    return _CODES[code]


def error_code(status: grpc.StatusCode) -> ErrorCode:
    """Return the code of a status other than OK; total."""
    return _ERRORS[status]


def to_status(error: MySingleError, domain: str, correlation_id: str | None) -> WireStatus:
    """Turn an error into what goes over the wire. What happened inside stays inside: INTERNAL says only that."""
    is_internal = error.code in _INTERNAL
    code = _CODES[error.code]
    message = INTERNAL_MESSAGE if is_internal else (error.message or error.reason)[:_MAX_MESSAGE]
    info = error_details_pb2.ErrorInfo(reason=error.code.value if is_internal else error.reason, domain=domain)
    if error.status is not None and not is_internal:
        info.metadata[_HTTP_STATUS] = str(error.status)
    details = [info, *(() if is_internal else _further(error))]
    if correlation_id:
        details.append(error_details_pb2.RequestInfo(request_id=correlation_id))
    trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, _packed(code, message, details))]
    if error.retry_after_seconds is not None:
        trailers.append((METADATA_PUSHBACK, str(int(error.retry_after_seconds * 1000))))
    return WireStatus(code, message, tuple(trailers))


def _further(error: MySingleError) -> Iterable[Any]:
    if error.violations:
        violation = error_details_pb2.BadRequest.FieldViolation
        yield error_details_pb2.BadRequest(
            field_violations=[
                violation(field=item.field[:_MAX_FIELD], description=item.message[:_MAX_FIELD], reason=item.code)
                for item in error.violations[:_MAX_VIOLATIONS]
            ]
        )
    if error.retry_after_seconds is not None:
        nanoseconds = int(error.retry_after_seconds * 1e9)
        delay = Duration(seconds=nanoseconds // 10**9, nanos=nanoseconds % 10**9)
        yield error_details_pb2.RetryInfo(retry_delay=delay)


def _packed(code: grpc.StatusCode, message: str, details: list[Any]) -> bytes:
    """Serialise; drop the longest details rather than break the limit of all trailers."""
    while True:
        status = status_pb2.Status(code=code.value[0], message=message)
        for detail in details:
            status.details.add().Pack(detail)
        packed: bytes = status.SerializeToString()
        if len(packed) <= _MAX_DETAILS or len(details) == 1:
            return packed
        details.remove(max(details[1:], key=lambda detail: detail.ByteSize()))


def error_of_call(error: Any) -> MySingleError:
    """Turn an `AioRpcError` into our family; the translator of the channel pool."""
    trailers = error.trailing_metadata()
    return error_of_status(error.code(), error.details() or "", () if trailers is None else tuple(trailers))


def error_of_status(
    status: grpc.StatusCode, message: str, trailers: Iterable[tuple[str, str | bytes]]
) -> MySingleError:
    """
    Return the error that a status stands for: the very one that the other side raised, when it said so.

    What the transport itself says (addresses, system errors) is kept for the log.
    """
    code = _ERRORS.get(status, ErrorCode.UNKNOWN)
    packed = next((value for key, value in trailers if key == DETAILS_KEY and isinstance(value, bytes)), None)
    told = _read(packed, code) if packed is not None else None
    if told is not None:
        return told
    is_ours = code not in _LOCAL
    shown = message[:_MAX_MESSAGE] if is_ours else _MESSAGES.get(code, "")
    return MySingleError(shown, code=code, details={"rpc_message": message[:_MAX_MESSAGE]})


def packed_error(error: MySingleError, domain: str) -> bytes:
    """Return what a caller hears of an error as a serialised `google.rpc.Status`."""
    return next(value for _, value in to_status(error, domain, None).trailers if isinstance(value, bytes))


def unpacked_error(packed: bytes) -> MySingleError | None:
    """Return the error that `packed_error` wrote; None when the bytes are none."""
    try:
        number = status_pb2.Status.FromString(packed).code
    except DecodeError:
        return None
    code = _NUMBERS.get(number)
    return None if code is None else _read(packed, code)


def _read(packed: bytes, code: ErrorCode) -> MySingleError | None:
    try:
        status = status_pb2.Status.FromString(packed)
    except DecodeError:
        return None
    found = {detail.TypeName(): detail for detail in status.details}
    info = _unpack(found, error_details_pb2.ErrorInfo())
    if info is None:
        return None
    bad = _unpack(found, error_details_pb2.BadRequest())
    retry = _unpack(found, error_details_pb2.RetryInfo())
    http_status = info.metadata.get(_HTTP_STATUS, "")
    return MySingleError(
        status.message,
        code=code,
        reason=info.reason or None,
        details={"rpc_domain": info.domain},
        violations=tuple(_violation(item) for item in bad.field_violations) if bad else (),
        retry_after_seconds=retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9 if retry else None,
        status=int(http_status) if http_status.isdecimal() else None,
    )


def _unpack(found: Mapping[str, Any], message: Any) -> Any:
    packed = found.get(message.DESCRIPTOR.full_name)
    try:
        return message if packed is not None and packed.Unpack(message) else None
    except DecodeError:
        return None


def _violation(item: Any) -> FieldViolation:
    return FieldViolation(field=item.field, message=item.description, code=item.reason or "invalid")
