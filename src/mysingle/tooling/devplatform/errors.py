"""Why a platform cannot be started, and what to do."""

from pathlib import Path

from mysingle._kernel.errors import ErrorCode, MySingleError

__all__ = ["PlatformError", "StackFileError"]


class PlatformError(MySingleError):
    """The platform cannot be started as it is asked for; the message says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=ErrorCode.FAILED_PRECONDITION, reason="PLATFORM_INVALID")


class StackFileError(PlatformError):
    """A stack file cannot be used; the message names file, place and what would be accepted."""

    def __init__(self, file: Path, place: str, what: str) -> None:
        self.file = file
        super().__init__(f"{file}: {f'{place}: ' if place else ''}{what}")
