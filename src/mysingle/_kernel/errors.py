"""One family of errors: sixteen canonical codes and a stable reason that callers match on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

__all__ = [
    "AlreadyExistsError",
    "ErrorCode",
    "FieldViolation",
    "InvalidArgumentError",
    "MySingleError",
    "NotFoundError",
    "PermissionDeniedError",
    "ResourceExhaustedError",
    "UnauthenticatedError",
    "UnavailableError",
    "add_translator",
    "translate",
]


class ErrorCode(StrEnum):
    """The canonical codes of `google.rpc.Code` without OK; each has one HTTP status and one gRPC status."""

    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"
    UNAVAILABLE = "UNAVAILABLE"
    DATA_LOSS = "DATA_LOSS"
    UNAUTHENTICATED = "UNAUTHENTICATED"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldViolation:
    """One wrong field of a request: a dotted path, what is wrong, and a stable word for it. Never the value."""

    field: str
    message: str
    code: str = "invalid"


class MySingleError(Exception):
    """
    An error that a caller may see: HTTP answers with a problem document, gRPC with a status.

    Args:
        code: one of the sixteen canonical codes; decides the HTTP and gRPC status.
        reason: stable UPPER_SNAKE word that clients match on; the code's own name when not given.
        message: a sentence for the caller. With INTERNAL, UNKNOWN and DATA_LOSS it stays in the log.
        details: values for the log, never sent to the caller.
        violations: wrong fields, sent as `errors`.
        extensions: further members of the problem document (RFC 9457, section 3.2), for this reason alone.
        retry_after_seconds: when trying again makes sense, sent as `Retry-After`.
        headers: further HTTP response headers, such as `WWW-Authenticate`.
        status: an HTTP status that is more precise than the code's own (422, 502).
    """

    default_code: ClassVar[ErrorCode] = ErrorCode.INTERNAL

    def __init__(
        self,
        message: str = "",
        *,
        code: ErrorCode | None = None,
        reason: str | None = None,
        details: Mapping[str, Any] | None = None,
        violations: tuple[FieldViolation, ...] = (),
        extensions: Mapping[str, Any] | None = None,
        retry_after_seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
        status: int | None = None,
    ) -> None:
        self.code = code or self.default_code
        self.reason = reason or self.code.value
        self.message = message
        self.details = dict(details or {})
        self.violations = violations
        self.extensions = dict(extensions or {})
        self.retry_after_seconds = retry_after_seconds
        self.headers = dict(headers or {})
        self.status = status
        super().__init__(message or self.reason)


class NotFoundError(MySingleError):
    """The thing does not exist, or the caller may not know that it does (404)."""

    default_code = ErrorCode.NOT_FOUND


class AlreadyExistsError(MySingleError):
    """The thing exists already, or was changed by somebody else meanwhile (409)."""

    default_code = ErrorCode.ALREADY_EXISTS


class InvalidArgumentError(MySingleError):
    """The request makes no sense, whatever the state of the system (400)."""

    default_code = ErrorCode.INVALID_ARGUMENT


class PermissionDeniedError(MySingleError):
    """The caller is known and may not do this (403)."""

    default_code = ErrorCode.PERMISSION_DENIED


class UnauthenticatedError(MySingleError):
    """Nobody, or nobody whom we believe, is calling (401)."""

    default_code = ErrorCode.UNAUTHENTICATED


class ResourceExhaustedError(MySingleError):
    """A quota or rate limit is used up (429)."""

    default_code = ErrorCode.RESOURCE_EXHAUSTED


class UnavailableError(MySingleError):
    """The service, or something it needs, is away for the moment (503)."""

    default_code = ErrorCode.UNAVAILABLE


_translators: dict[type[BaseException], Callable[[Any], MySingleError]] = {}


def add_translator(error_type: type[BaseException], translator: Callable[[Any], MySingleError]) -> None:
    """
    Say how a library's exception reads in our family; the most specific registered type wins.

    The package that owns the library calls this when its resource opens. Registering again replaces the old entry.
    """
    _translators[error_type] = translator


def translate(error: BaseException) -> MySingleError | None:
    """Return the error in our family: itself, its registered translation, or None when nobody knows it."""
    if isinstance(error, MySingleError):
        return error
    for error_type in type(error).__mro__:
        translator = _translators.get(error_type)
        if translator is not None:
            return translator(error)
    return None
