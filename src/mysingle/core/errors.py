"""The family of errors: raise them, and HTTP and gRPC answer in the same words."""

from mysingle._kernel.errors import (
    AlreadyExistsError,
    ErrorCode,
    FieldViolation,
    InvalidArgumentError,
    MySingleError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
    add_translator,
)

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
]
