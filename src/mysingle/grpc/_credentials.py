"""TLS: credentials of a server that follow their files, and the files of a client."""

from pathlib import Path
from typing import Any, NamedTuple

import grpc
from mysingle._kernel.errors import ErrorCode, MySingleError
from mysingle.grpc._config import GrpcServerConfig

__all__ = ["TlsFiles", "client_credentials", "server_credentials"]


class TlsFiles(NamedTuple):
    """The files of a client: whom it believes, and, for mutual TLS, who it is."""

    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None

    def stamp(self) -> tuple[int, ...]:
        """Return when the files were changed; another stamp means other credentials."""
        return tuple(_changed(path) for path in self if path is not None)


def client_credentials(files: TlsFiles) -> Any:
    """
    Return the credentials of a channel.

    Raises:
        MySingleError: a file that cannot be read.
    """
    return grpc.ssl_channel_credentials(_read(files.ca_file), _read(files.key_file), _read(files.cert_file))


def server_credentials(config: GrpcServerConfig) -> Any:
    """
    Return credentials that read their files again when they change, for connections made from then on.

    Raises:
        MySingleError: a file that cannot be read at the start; later the former ones stay in use.
    """
    files = TlsFiles(config.ca_file, config.cert_file, config.key_file)
    seen = files.stamp()

    def fetch() -> Any:
        nonlocal seen
        stamp = files.stamp()
        if stamp == seen:
            return None
        try:
            configuration = _configuration(files)
        except MySingleError:
            return None
        seen = stamp
        return configuration

    return grpc.dynamic_ssl_server_credentials(_configuration(files), fetch, config.require_client_cert)


def _configuration(files: TlsFiles) -> Any:
    pair = (_read(files.key_file), _read(files.cert_file))
    return grpc.ssl_server_certificate_configuration([pair], _read(files.ca_file))


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise MySingleError(message, code=ErrorCode.FAILED_PRECONDITION, reason="TLS_FILE_UNREADABLE") from error


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
