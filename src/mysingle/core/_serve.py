"""Serve an app with a real drain: uvicorn, driven by the state of the service."""

import asyncio
import contextvars
import math
import os
import signal
import socket
import sys
import threading
import time
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.importer import ImportFromStringError, import_from_string

from mysingle._kernel.asgi import App
from mysingle._kernel.errors import InvalidArgumentError, UnavailableError
from mysingle._kernel.health import HealthRegistry, ServiceState
from mysingle._kernel.joining import DrainingResource
from mysingle._kernel.lifecycle import Resource
from mysingle._kernel.logging import flush_logs, get_logger
from mysingle._kernel.settings import CommonSettings, get_settings
from mysingle._kernel.shutdown import LEAVE_SECONDS
from mysingle.core._background import BackgroundLifespan
from mysingle.core._leave import leave_within
from mysingle.core._lifespan import set_up_logging
from mysingle.core._protocol import with_bounded_silence
from mysingle.core.service import ServiceConfig

__all__ = ["load_app", "run"]

_KEEP_ALIVE_SECONDS = 75
_MAX_HEAD_BYTES = 1 << 20  # far more than the headers may have, so that 431 can be answered
_LAST_CONNECTIONS_SECONDS = 0.2

log = get_logger("mysingle.core")


def run(app: Any, host: str = "127.0.0.1", port: int = 8000, *, fd: int | None = None) -> int:
    """
    Serve one app until SIGTERM or Ctrl-C; return 0 after a clean end, 1 when the start or the end failed.

    Probes answer from the first moment; other requests get 503 until the service is READY. On SIGTERM `/ready`
    answers 503 at once while everything is still served for the drain delay; then the listener closes, requests in
    flight finish (at most `SHUTDOWN_GRACE_SECONDS`), and resources close. A second signal ends the delay, a third
    one the waiting.

    Args:
        app: the app, or `"package.module:name"`.
        host, port: where to listen; port 0 takes a free one.
        fd: a listening socket that another process shares with this one; it is used from READY on only.

    Raises:
        InvalidArgumentError: an app that cannot be imported, or that `create_fastapi_app` did not make.
        UnavailableError: an address that cannot be listened on.
    """
    loaded = load_app(app)
    service, health = _parts_of(loaded)
    settings = get_settings()
    set_up_logging(service, settings)
    config = uvicorn.Config(
        loaded,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.FORWARDED_ALLOW_IPS,  # also from .env, which uvicorn does not read
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        reset_contextvars=True,  # a pipelined request would begin in the context of the one before
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(settings.SHUTDOWN_GRACE_SECONDS),
    )
    server = _DrainingServer(
        config,
        health,
        _drain_delay(service, settings),
        settings.HTTP_BODY_TIMEOUT_SECONDS,
        shares_socket=fd is not None,
        grpc_server=service.grpc_server,
    )
    listener = _listen(host, port) if fd is None else _inherit(fd)
    try:
        server.run([listener])
    except SystemExit:  # uvicorn's way to say that the start failed, or was given up; the log says why
        server.exit_code = 0 if server.should_exit else 1
    if server.leaving is not None:
        server.leaving.cancel()
    flush_logs()
    return server.exit_code or int(server.has_ended_badly)


def load_app(app: Any) -> App:
    """
    Return the app that `"package.module:name"` names; an app is returned as it is.

    Raises:
        InvalidArgumentError: it cannot be imported.
    """
    if not isinstance(app, str):
        return app  # type: ignore[no-any-return]  # checked by _parts_of
    sys.path.insert(0, "")
    try:
        return import_from_string(app)  # type: ignore[no-any-return]  # checked by _parts_of
    except (ImportFromStringError, TypeError) as error:  # the second for a name that begins with a dot
        raise InvalidArgumentError(f"{app!r} cannot be imported: {error}", reason="APP_NOT_FOUND") from error


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise _cannot_listen(f"{host}:{port}", error) from error
    # Looked at anew, the socket knows that it is TCP; only then does asyncio switch Nagle's algorithm off, and a
    # keep-alive client does not wait 40 ms for each answer.
    return socket.socket(fileno=listener.detach())


def _inherit(fd: int) -> socket.socket:
    try:
        return socket.socket(fileno=fd)
    except OSError as error:
        raise _cannot_listen(f"file descriptor {fd}", error) from error


def _cannot_listen(where: str, error: OSError) -> UnavailableError:
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    return UnavailableError(f"cannot listen on {where}: {reason}", reason="CANNOT_LISTEN")


def _parts_of(app: App) -> tuple[ServiceConfig, HealthRegistry]:
    state = getattr(app, "state", None)
    service, health = getattr(state, "service_config", None), getattr(state, "health", None)
    if not isinstance(service, ServiceConfig) or not isinstance(health, HealthRegistry):
        raise InvalidArgumentError(
            "mysingle serves apps that create_fastapi_app made; use uvicorn for others", reason="APP_NOT_OURS"
        )
    return service, health


def _drain_delay(service: ServiceConfig, settings: CommonSettings) -> float:
    own = service.drain_delay_seconds
    return settings.drain_delay_seconds if own is None else own


class _DrainingServer(uvicorn.Server):
    """Uvicorn with our signals: the first one drains, and only then does it stop listening."""

    def __init__(
        self,
        config: uvicorn.Config,
        health: HealthRegistry,
        drain_delay_seconds: float,
        silence_seconds: float,
        *,
        shares_socket: bool,
        grpc_server: Resource | None = None,
    ) -> None:
        super().__init__(config)
        self.exit_code = 0
        self.leaving: threading.Timer | None = None
        self._health = health
        health.has_drain = True
        self._drain_delay_seconds = drain_delay_seconds
        self._drain_ends: float | None = None
        self._grpc_server = grpc_server
        self._loop: asyncio.AbstractEventLoop | None = None
        config.load()
        config.http_protocol_class = with_bounded_silence(config.http_protocol_class, silence_seconds)
        lifespan = BackgroundLifespan(config.loaded_app, health, waits=shares_socket)
        config.lifespan_class = lambda _: lifespan
        self._life = lifespan

    @property
    def has_ended_badly(self) -> bool:
        """Whether the end of the service's own lifespan failed, or took too long."""
        return self._life.has_failed

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal, outside of the context of whatever request happened to run."""
        contextvars.Context().run(self._take, sig)

    def _take(self, sig: int) -> None:
        """Drain, then hurry, then leave."""
        if self.should_exit:
            self.force_exit = True
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._abandon_requests)
        elif self._drain_ends is not None or self._health.state is not ServiceState.READY:
            self.should_exit = True
            self._life.give_up()
        else:
            self._health.enter(ServiceState.DRAINING)
            self._drain_ends = time.monotonic() + self._drain_delay_seconds
            log.info("service.draining", signal=signal.Signals(sig).name, delay_s=self._drain_delay_seconds)

    def _abandon_requests(self) -> None:
        """End what is in flight: from Python 3.12 on a listener counts as closed only when its connections are."""
        for task in list(self.server_state.tasks):
            task.cancel()
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether the drain is over or the start has failed."""
        if self._drain_ends is not None and time.monotonic() >= self._drain_ends:
            self.should_exit = True
        if self._life.should_exit:
            self.exit_code = 1
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting first: who connected a moment ago still gets an answer, and that closes the connection."""
        for server in self.servers:
            server.close()
        if isinstance(self._grpc_server, DrainingResource):
            self._grpc_server.begin_stop()  # beside the end of HTTP, not after it
        await asyncio.sleep(_LAST_CONNECTIONS_SECONDS)
        await super().shutdown(sockets)
        self.leaving = leave_within(LEAVE_SECONDS, self.exit_code)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say where; a start that has failed already is not announced."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self._life.should_exit:
            return
        host, port = (sockets or [])[0].getsockname()[:2]
        log.info("service.listening", url=f"http://{host}:{port}")
