"""`mysingle run`: serve one app."""

import argparse

__all__ = ["add_arguments", "execute"]

_LEAVE_SECONDS = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("app", help="where the app is, for example app.main:app")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on; 0.0.0.0 in a container")
    parser.add_argument("--port", type=_port, default=8000, help="the port to listen on, 8000; 0 takes a free one")
    parser.add_argument("--fd", type=int, help="a listening socket shared with other processes, instead")


def execute(arguments: argparse.Namespace) -> int:
    """Serve, and return the exit code."""
    from mysingle.core import leave_within, run

    exit_code = run(arguments.app, arguments.host, arguments.port, fd=arguments.fd)
    leave_within(_LEAVE_SECONDS, exit_code)
    return exit_code


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 65535")
    return int(text)
