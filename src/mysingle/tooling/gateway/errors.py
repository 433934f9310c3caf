"""What is wrong with a file or with published keys, where, and what would be accepted."""

from pathlib import Path

from mysingle._kernel.errors import ErrorCode, MySingleError

__all__ = ["GatewayFileError", "GatewayKeysError"]


class GatewayFileError(MySingleError):
    """A file of the gateway cannot be used; the message names file, line and place, and what would be accepted."""

    def __init__(self, file: Path, line: int | None, what: str) -> None:
        self.file = file
        self.line = line
        place = f"{file}:{line}" if line is not None else str(file)
        super().__init__(f"{place}: {what}", code=ErrorCode.INVALID_ARGUMENT, reason="GATEWAY_FILE_INVALID")


class GatewayKeysError(MySingleError):
    """Published keys cannot be used; the message names the file or address, and why, and shows no key."""

    def __init__(self, where: str, what: str) -> None:
        self.where = where
        super().__init__(f"{where}: {what}", code=ErrorCode.INVALID_ARGUMENT, reason="GATEWAY_KEYS_INVALID")
