"""Why the IAM service refuses: the stable words that clients match on, and the errors that carry them."""

from enum import StrEnum

from mysingle._kernel.errors import (
    AlreadyExistsError,
    FieldViolation,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
)

__all__ = [
    "IamReason",
    "bad_gateway",
    "bad_request",
    "conflict",
    "forbidden",
    "not_found",
    "too_many",
    "unauthorized",
    "unavailable",
]

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="mysingle"'}


class IamReason(StrEnum):
    """The `code` of a problem document that the IAM service sends."""

    REGISTER_USER_ALREADY_EXISTS = "REGISTER_USER_ALREADY_EXISTS"
    REGISTER_INVALID_PASSWORD = "REGISTER_INVALID_PASSWORD"  # noqa: S105  # a reason, no password
    REGISTRATION_DISABLED = "REGISTRATION_DISABLED"
    LOGIN_BAD_CREDENTIALS = "LOGIN_BAD_CREDENTIALS"
    LOGIN_USER_NOT_VERIFIED = "LOGIN_USER_NOT_VERIFIED"
    MFA_REQUIRED = "MFA_REQUIRED"
    MFA_INVALID = "MFA_INVALID"
    MFA_ALREADY_ENABLED = "MFA_ALREADY_ENABLED"
    REFRESH_TOKEN_INVALID = "REFRESH_TOKEN_INVALID"  # noqa: S105  # a reason, no token
    REFRESH_TOKEN_EXPIRED = "REFRESH_TOKEN_EXPIRED"  # noqa: S105  # a reason, no token
    REFRESH_TOKEN_REUSED = "REFRESH_TOKEN_REUSED"  # noqa: S105  # a reason, no token
    REFRESH_IN_PROGRESS = "REFRESH_IN_PROGRESS"
    CSRF_FAILED = "CSRF_FAILED"
    SESSION_REVOKED = "SESSION_REVOKED"
    SESSION_NOT_FOUND = "SESSION_NOT_FOUND"
    VERIFY_USER_BAD_TOKEN = "VERIFY_USER_BAD_TOKEN"  # noqa: S105  # a reason, no token
    RESET_PASSWORD_BAD_TOKEN = "RESET_PASSWORD_BAD_TOKEN"  # noqa: S105  # a reason, no token
    RESET_PASSWORD_INVALID_PASSWORD = "RESET_PASSWORD_INVALID_PASSWORD"  # noqa: S105  # a reason, no password
    REAUTH_FAILED = "REAUTH_FAILED"
    REAUTH_REQUIRED = "REAUTH_REQUIRED"
    UPDATE_USER_EMAIL_ALREADY_EXISTS = "UPDATE_USER_EMAIL_ALREADY_EXISTS"
    UPDATE_USER_INVALID_PASSWORD = "UPDATE_USER_INVALID_PASSWORD"  # noqa: S105  # a reason, no password
    USER_NOT_FOUND = "USER_NOT_FOUND"
    USER_CHANGED = "USER_CHANGED"
    LAST_SUPERUSER = "LAST_SUPERUSER"
    LAST_LOGIN_METHOD = "LAST_LOGIN_METHOD"
    AUTHORIZATION_FAILED = "AUTHORIZATION_FAILED"
    RATE_LIMITED = "RATE_LIMITED"
    AUTH_TEMPORARILY_UNAVAILABLE = "AUTH_TEMPORARILY_UNAVAILABLE"
    OAUTH_UNKNOWN_PROVIDER = "OAUTH_UNKNOWN_PROVIDER"
    OAUTH_INVALID_REDIRECT = "OAUTH_INVALID_REDIRECT"
    OAUTH_INVALID_STATE = "OAUTH_INVALID_STATE"
    OAUTH_NOT_AVAILABLE_EMAIL = "OAUTH_NOT_AVAILABLE_EMAIL"
    OAUTH_INVALID_ID_TOKEN = "OAUTH_INVALID_ID_TOKEN"  # noqa: S105  # a reason, no token
    OAUTH_ACCOUNT_EXISTS = "OAUTH_ACCOUNT_EXISTS"
    OAUTH_ACCOUNT_NOT_FOUND = "OAUTH_ACCOUNT_NOT_FOUND"
    OAUTH_ALREADY_LINKED = "OAUTH_ALREADY_LINKED"
    OAUTH_PROVIDER_ERROR = "OAUTH_PROVIDER_ERROR"


def bad_request(
    reason: IamReason, message: str, *, violations: tuple[FieldViolation, ...] = ()
) -> InvalidArgumentError:
    """Return a 400; `violations` name the wrong fields."""
    return InvalidArgumentError(message, reason=reason, violations=violations)


def unauthorized(reason: IamReason, message: str) -> UnauthenticatedError:
    """Return a 401 with its `WWW-Authenticate` challenge."""
    return UnauthenticatedError(message, reason=reason, headers=_CHALLENGE)


def forbidden(reason: IamReason, message: str) -> PermissionDeniedError:
    """Return a 403: we know the caller, and the answer is no."""
    return PermissionDeniedError(message, reason=reason)


def not_found(reason: IamReason, message: str) -> NotFoundError:
    """Return a 404."""
    return NotFoundError(message, reason=reason)


def conflict(reason: IamReason, message: str, *, retry_after_seconds: float | None = None) -> AlreadyExistsError:
    """Return a 409."""
    return AlreadyExistsError(message, reason=reason, retry_after_seconds=retry_after_seconds)


def too_many(
    retry_after_seconds: float, message: str = "Too many attempts. Wait, then try again."
) -> ResourceExhaustedError:
    """Return a 429 that says when to come back."""
    return ResourceExhaustedError(message, reason=IamReason.RATE_LIMITED, retry_after_seconds=retry_after_seconds)


def bad_gateway(reason: IamReason, message: str) -> UnavailableError:
    """Return a 502: another system that we need answered wrongly, or not at all."""
    return UnavailableError(message, reason=reason, status=502)


def unavailable(message: str, *, retry_after_seconds: float = 1.0) -> UnavailableError:
    """Return a 503 that says when to come back."""
    return UnavailableError(
        message, reason=IamReason.AUTH_TEMPORARILY_UNAVAILABLE, retry_after_seconds=retry_after_seconds
    )
