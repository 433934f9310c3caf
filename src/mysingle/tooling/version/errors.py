"""Why a version cannot be released."""

from mysingle._kernel.errors import ErrorCode, MySingleError

__all__ = ["VersionError"]


class VersionError(MySingleError):
    """A version cannot be released as asked; the message says why, and what to do. Nothing was changed."""

    default_code = ErrorCode.FAILED_PRECONDITION

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="VERSION_FAILED")
