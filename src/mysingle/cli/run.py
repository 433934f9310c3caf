"""`mysingle run`: serve one app."""

import argparse
import time
from pathlib import Path

__all__ = ["add_arguments", "execute"]

_LEAVE_SECONDS = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("app", help="where the app is, for example app.main:app")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on; 0.0.0.0 in a container")
    parser.add_argument("--port", type=_port, default=8000, help="the port to listen on, 8000; 0 takes a free one")
    parser.add_argument("--fd", type=int, help="a listening socket shared with other processes, instead")
    parser.add_argument("--after", type=int, metavar="PID", help="take the place of that process when it has ended")
    parser.add_argument("--modules", type=Path, metavar="FILE", help="where to note the libraries; --after loads them")


def execute(arguments: argparse.Namespace) -> int:
    """Serve, and return the exit code."""
    from mysingle.cli._succession import note_libraries
    from mysingle.core import leave_within, load_app, run

    if arguments.after is not None:
        _take_over(arguments.after, arguments.modules)
    app = load_app(arguments.app)
    note_libraries(arguments.modules)
    exit_code = run(app, arguments.host, arguments.port, fd=arguments.fd)
    leave_within(_LEAVE_SECONDS, exit_code)
    return exit_code


def _take_over(pid: int, modules: Path | None) -> None:
    """Return when it is this process's turn; what was loaded for it is what lies on the disk then."""
    from mysingle.cli._succession import await_end, libraries_changed, load_libraries, start_over

    begun = time.time()
    load_libraries(modules)
    await_end(pid)
    if libraries_changed(begun):
        start_over()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 65535")
    return int(text)
