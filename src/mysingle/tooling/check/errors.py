"""Why a check cannot begin."""

from mysingle._kernel.errors import ErrorCode, MySingleError

__all__ = ["CheckError"]


class CheckError(MySingleError):
    """A path, option, configuration or baseline cannot be used; the message says which, and what would be accepted."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=ErrorCode.INVALID_ARGUMENT, reason="CHECK_UNUSABLE")
