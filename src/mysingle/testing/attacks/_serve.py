"""
The process behind the attacks: it loads the libraries once, and forks a server for every job.

Each line on its standard input is a job in JSON. A server writes what a client has to know into `facts.json` of the
job's folder, and ends when that file is gone, or when this process is; this process ends with its standard input.
"""

import importlib
import json
import os
import re
import signal
import socket
import sys
import traceback
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import uvicorn
from fastapi.routing import iter_route_contexts
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, WebSocketRoute
from uvicorn.importer import ImportFromStringError, import_from_string

from mysingle._kernel.logging import flush_logs
from mysingle._kernel.settings import get_settings
from mysingle.core.service import ServiceConfig
from mysingle.testing.attacks._handshake import HandshakeProtocol
from mysingle.testing.attacks._job import FACTS, OUTPUT
from mysingle.testing.attacks._witness import Witness

__all__ = ["main"]

_MAX_HEAD_BYTES = 1 << 20  # as `mysingle run` has it
_LIBRARIES = (
    "fastapi",
    "joserfc.jwk",
    "mysingle.core.app",
    "mysingle.core.audit",
    "mysingle.core.config",
    "mysingle.core.errors",
    "mysingle.database.documents",
    "mysingle.database.mongo",
    "redis.asyncio",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.h11_impl",
)
"""What most services load; what is not installed is not needed."""

_SAMPLES = ("a11ce0000000000000000001", str(uuid.UUID(int=1)), "1", "1.5")


def main() -> None:
    """Serve jobs until the standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, and they end this process
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _load_libraries()
    for line in sys.stdin:
        sys.stdout.flush()
        if os.fork() == 0:
            _begin(json.loads(line))


def _load_libraries() -> None:
    """Import what every app needs, once for all servers."""
    for name in _LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)


def _begin(job: dict[str, Any]) -> NoReturn:
    """Become the server of one job."""
    folder = Path(job["folder"])
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _redirect_output(folder / OUTPUT)
        _enter(job)
        code = _serve(job, folder)
    except (
        Exception,
        SystemExit,
    ) as error:  # the edge of this process: whoever waits for the server reads why there is none
        known = isinstance(error, _UnusableAppError | ImportFromStringError)
        _tell(folder, {"error": str(error) if known else traceback.format_exc()})
    finally:
        os._exit(code)


def _redirect_output(path: Path) -> None:
    with path.open("wb") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)


def _enter(job: dict[str, Any]) -> None:
    """Put the variables of the job into the environment, before anything reads them."""
    for name, value in job["environment"].items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    os.chdir(job["directory"])
    sys.path[:] = job["path"]


class _UnusableAppError(Exception):
    """An app that cannot be attacked; the message says why."""


def _serve(job: dict[str, Any], folder: Path) -> int:
    app = import_from_string(job["app"])
    service = getattr(getattr(app, "state", None), "service_config", None)
    if not isinstance(service, ServiceConfig):
        raise _UnusableAppError(f"{job['app']} was not made by create_fastapi_app")
    if not service.is_gateway_downstream:
        raise _UnusableAppError(f"{job['app']} is an IAM service: the attacks are for services behind a gateway")
    app.user_middleware.append(Middleware(Witness, routes=app.router.routes, mark=job["mark"]))
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        lifespan="on" if job["lifespan"] else "off",
        http="h11",  # servers differ in what they make of bytes; the table says what this one makes of them
        ws=HandshakeProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
    )
    facts = {"port": listener.getsockname()[1], **_describe(app, service)}
    server = _Server(config, folder, facts)
    try:
        server.run([listener])
    except SystemExit:  # how uvicorn says that the lifespan has failed; the output tells why
        flush_logs()
        sys.stdout.flush()
        _tell(folder, {"error": "its start has failed"})
        return 1
    return 0


def _describe(app: Any, service: ServiceConfig) -> dict[str, Any]:
    settings = get_settings()
    return {
        "service_name": service.service_name,
        "trust": settings.GATEWAY_TRUST,
        "public": [*service.public_paths, *settings.AUTH_PUBLIC_PATHS],
        "has_health": service.enable_health_check,
        "routes": list(_routes(app.router.routes)),
    }


def _routes(routes: list[BaseRoute]) -> Iterator[dict[str, Any]]:
    """Tell where each handler is, with an example of a path to it."""
    for context in iter_route_contexts(routes):
        path = context.path_format
        if path is None:
            continue
        is_mount = isinstance(context.original_route, Mount)
        kind = "websocket" if isinstance(context.original_route, WebSocketRoute) else "http"
        convertors = getattr(context, "param_convertors", {})
        for name, convertor in convertors.items():
            sample = next((text for text in _SAMPLES if convertor.regex and _fits(convertor.regex, text)), "x")
            path = path.replace(f"{{{name}}}", sample)
        methods = ["GET"] if is_mount or kind == "websocket" else sorted((context.methods or {"GET"}) - {"HEAD"})
        for method in methods:
            yield {"kind": kind, "method": method, "path": path, "template": context.path_format}


def _fits(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text) is not None


class _Server(uvicorn.Server):
    """A server that says when it serves, and ends with its folder or with the process that has forked it."""

    def __init__(self, config: uvicorn.Config, folder: Path, facts: dict[str, Any]) -> None:
        super().__init__(config)
        self._folder = folder
        self._facts = facts
        self._owner = os.getppid()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        if self.started:
            _tell(self._folder, self._facts)

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether somebody still wants this server."""
        if os.getppid() != self._owner or not (self._folder / FACTS).exists():
            self.should_exit = self.force_exit = True
        return await super().on_tick(counter)


def _tell(folder: Path, facts: dict[str, Any]) -> None:
    """Write the facts as a whole or not at all; without a folder nobody waits for them."""
    try:
        (folder / f"{FACTS}.part").write_text(json.dumps(facts), encoding="utf-8")
        (folder / f"{FACTS}.part").replace(folder / FACTS)
    except OSError:
        return


if __name__ == "__main__":
    main()
