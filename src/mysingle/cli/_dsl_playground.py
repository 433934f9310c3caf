"""`mysingle dsl playground`: strategies in the browser, served from this machine to this machine."""

import argparse
import os
import socket
import sys
import threading
from typing import Any

__all__ = ["add_command", "execute"]

_HOST = "127.0.0.1"
_PORT = 8765
_LEAVE_SECONDS = 3.0
_BROWSER_AFTER_SECONDS = 0.8


def add_command(actions: Any) -> None:
    """Add the command to those of `mysingle dsl`."""
    parser = actions.add_parser("playground", help="write, run and sweep strategies in the browser")
    parser.add_argument("--port", type=_port, default=_PORT, help=f"the port to listen on, {_PORT}; 0 takes a free one")
    parser.add_argument("--no-browser", action="store_true", help="open no browser, also at a terminal")
    actions.metavar = "{" + ",".join(actions.choices) + "}"


def execute(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C, and return the exit code."""
    from mysingle._kernel.extras import require

    for extra in ("dsl", "web"):
        require(extra, "mysingle dsl playground")
    listener = _listen(arguments.port)
    from mysingle.core import leave_within, run
    from mysingle.dsl.playground import PAGE_PATH

    address = f"http://{_HOST}:{listener.getsockname()[1]}{PAGE_PATH}"
    app = _app()
    _announce(address, opens_browser=not arguments.no_browser and sys.stdout.isatty())
    exit_code = run(app, fd=listener.detach())
    leave_within(_LEAVE_SECONDS, exit_code)
    return exit_code


def _listen(port: int) -> socket.socket:
    """Take the port before anything slow happens, so that one that is taken is told at once."""
    from mysingle._kernel.errors import UnavailableError

    try:
        return socket.create_server((_HOST, port))
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise UnavailableError(
            f"cannot listen on {_HOST}:{port}: {why}; --port 0 takes a free one", reason="CANNOT_LISTEN"
        ) from error


def _app() -> Any:
    """Make an app of the page alone; what the environment says of a service does not concern it."""
    from mysingle._kernel.settings import CommonSettings, set_settings
    from mysingle.core import create_fastapi_app, create_service_config
    from mysingle.dsl.playground import create_playground_router

    settings = CommonSettings(_env_file=None, ENVIRONMENT="development", LOG_LEVEL="ERROR", HTTP_ACCESS_LOG=False)
    set_settings(settings)
    app = create_fastapi_app(
        create_service_config("playground", enable_database=False, enable_audit_logging=False, public_paths=["/dsl/*"])
    )
    app.include_router(create_playground_router(settings))
    return app


def _announce(address: str, *, opens_browser: bool) -> None:
    sys.stdout.write(f"The playground is at {address}\nCtrl-C ends it.\n")
    sys.stdout.flush()
    if opens_browser:
        import webbrowser

        timer = threading.Timer(_BROWSER_AFTER_SECONDS, webbrowser.open, [address])
        timer.daemon = True
        timer.start()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 65535")
    return int(text)
