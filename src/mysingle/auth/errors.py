"""Why a caller was refused: the stable words that clients match on."""

from enum import StrEnum

from mysingle._kernel.errors import (
    ErrorCode,
    MySingleError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnavailableError,
)

__all__ = ["AuthConfigurationError", "AuthReason", "AuthUnavailableError", "forbidden", "unauthenticated"]

_CHALLENGE = 'Bearer realm="mysingle"'
_RETRY_AFTER_SECONDS = 5


class AuthReason(StrEnum):
    """The `code` of a problem document that speaks of identity."""

    AUTH_REQUIRED = "AUTH_REQUIRED"
    GATEWAY_PROOF_MISSING = "GATEWAY_PROOF_MISSING"
    GATEWAY_PROOF_INVALID = "GATEWAY_PROOF_INVALID"
    GATEWAY_PROOF_EXPIRED = "GATEWAY_PROOF_EXPIRED"
    GATEWAY_PROOF_REPLAYED = "GATEWAY_PROOF_REPLAYED"
    GATEWAY_HEADER_MALFORMED = "GATEWAY_HEADER_MALFORMED"
    IDENTITY_MISMATCH = "IDENTITY_MISMATCH"
    TOKEN_INVALID = "TOKEN_INVALID"  # noqa: S105  # a word, no secret
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105  # a word, no secret
    TOKEN_NOT_YET_VALID = "TOKEN_NOT_YET_VALID"  # noqa: S105  # a word, no secret
    TOKEN_WRONG_TYPE = "TOKEN_WRONG_TYPE"  # noqa: S105  # a word, no secret
    SESSION_REVOKED = "SESSION_REVOKED"
    USER_INACTIVE = "USER_INACTIVE"
    EMAIL_NOT_VERIFIED = "EMAIL_NOT_VERIFIED"
    SUPERUSER_REQUIRED = "SUPERUSER_REQUIRED"
    AUTHORIZATION_FAILED = "AUTHORIZATION_FAILED"
    AUTH_TEMPORARILY_UNAVAILABLE = "AUTH_TEMPORARILY_UNAVAILABLE"


_OF_TOKENS = frozenset(
    {
        AuthReason.TOKEN_INVALID,
        AuthReason.TOKEN_EXPIRED,
        AuthReason.TOKEN_NOT_YET_VALID,
        AuthReason.TOKEN_WRONG_TYPE,
        AuthReason.SESSION_REVOKED,
    }
)


class AuthConfigurationError(MySingleError):
    """A service that must not start: the message lists each setting that is missing or unsafe, never a value."""

    default_code = ErrorCode.FAILED_PRECONDITION

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"This service must not start like this:\n{lines}", reason="AUTH_CONFIGURATION")


class AuthUnavailableError(UnavailableError):
    """Nobody can say right now who is calling: 503 with `Retry-After`, and nobody gets in meanwhile."""

    def __init__(self, message: str = "Authentication is not possible at the moment.") -> None:
        reason = AuthReason.AUTH_TEMPORARILY_UNAVAILABLE
        super().__init__(message, reason=reason, retry_after_seconds=_RETRY_AFTER_SECONDS)


def unauthenticated(reason: AuthReason, message: str) -> UnauthenticatedError:
    """Return a 401 with its `WWW-Authenticate` challenge; where a token is at fault it says so (RFC 6750 §3)."""
    challenge = f'{_CHALLENGE}, error="invalid_token"' if reason in _OF_TOKENS else _CHALLENGE
    return UnauthenticatedError(message, reason=reason, headers={"WWW-Authenticate": challenge})


def forbidden(reason: AuthReason, message: str) -> PermissionDeniedError:
    """Return a 403: we know the caller, and the answer is no."""
    return PermissionDeniedError(message, reason=reason)
