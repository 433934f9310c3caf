"""`mysingle routes`: what an app offers, and to whom."""

import argparse
import sys

__all__ = ["add_arguments", "execute"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("app", help="where the app is, for example app.main:app")
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(arguments: argparse.Namespace) -> int:
    """List the endpoints, and return the exit code."""
    from mysingle.cli._app import open_app
    from mysingle.cli._output import table, write_json
    from mysingle.core import list_endpoints, load_app

    endpoints = list_endpoints(open_app(load_app, arguments.app))
    if arguments.json:
        write_json([endpoint._asdict() for endpoint in endpoints])
        return 0
    rows = [(item.method, item.path, item.auth, item.audience, ", ".join(item.tags)) for item in endpoints]
    sys.stdout.write(table(("METHOD", "PATH", "AUTH", "FOR", "TAGS"), rows))
    return 0
