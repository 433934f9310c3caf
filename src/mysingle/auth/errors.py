"""Why a caller was refused: the stable words that clients match on."""

from enum import StrEnum

from mysingle._kernel.errors import ErrorCode, MySingleError, PermissionDeniedError, UnauthenticatedError

__all__ = ["AuthConfigurationError", "AuthReason", "forbidden", "unauthenticated"]

_CHALLENGE = 'Bearer realm="mysingle"'


class AuthReason(StrEnum):
    """The `code` of a problem document that speaks of identity."""

    AUTH_REQUIRED = "AUTH_REQUIRED"
    GATEWAY_PROOF_MISSING = "GATEWAY_PROOF_MISSING"
    GATEWAY_PROOF_INVALID = "GATEWAY_PROOF_INVALID"
    GATEWAY_HEADER_MALFORMED = "GATEWAY_HEADER_MALFORMED"
    USER_INACTIVE = "USER_INACTIVE"
    EMAIL_NOT_VERIFIED = "EMAIL_NOT_VERIFIED"
    SUPERUSER_REQUIRED = "SUPERUSER_REQUIRED"


class AuthConfigurationError(MySingleError):
    """A service that must not start: the message lists each setting that is missing or unsafe, never a value."""

    default_code = ErrorCode.FAILED_PRECONDITION

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"This service must not start like this:\n{lines}", reason="AUTH_CONFIGURATION")


def unauthenticated(reason: AuthReason, message: str) -> UnauthenticatedError:
    """Return a 401 with its `WWW-Authenticate` challenge."""
    return UnauthenticatedError(message, reason=reason, headers={"WWW-Authenticate": _CHALLENGE})


def forbidden(reason: AuthReason, message: str) -> PermissionDeniedError:
    """Return a 403: we know the caller, and the answer is no."""
    return PermissionDeniedError(message, reason=reason)
