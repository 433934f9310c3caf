"""Why an embedded server did not start."""

from mysingle._kernel.errors import MySingleError

__all__ = ["DataDirectoryInUseError", "PortInUseError", "ServerStartError"]


class ServerStartError(MySingleError):
    """An embedded server did not become healthy; the message says why and quotes the end of its log."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message, reason=reason)


class PortInUseError(ServerStartError):
    """Something else listens on the port that the server should use."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(
            f"{name} cannot listen on 127.0.0.1:{port}: the port is taken. "
            "Stop what listens there, or leave the port out to get a free one.",
            reason="PORT_IN_USE",
        )


class DataDirectoryInUseError(ServerStartError):
    """A server that is still running owns the data directory."""

    def __init__(self, directory: object, owner: int | None) -> None:
        super().__init__(
            f"{directory} is in use by {f'process {owner}' if owner else 'another server'}. "
            "Stop that process, share its servers by setting MONGODB_URL and REDIS_HOST, or choose another data_dir.",
            reason="DATA_DIRECTORY_IN_USE",
        )
