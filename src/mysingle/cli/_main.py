"""The two commands and their exit codes: 0 ok, 1 findings or a failed service, 2 usage or environment."""

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.extras import MissingExtraError

__all__ = ["main", "proto_main"]

EXIT_USAGE = 2

COMMANDS: Mapping[str, str] = {"run": "Serve one app until SIGTERM or Ctrl-C, with a drain."}
"""Command → one line of help. Its module, `mysingle.cli.<command>`, is imported only when it runs."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `mysingle`."""
    parser = argparse.ArgumentParser(prog="mysingle", description="The service chassis of the platform.")
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    parser.add_argument("command", nargs="?", choices=COMMANDS, metavar="command", help=_list(COMMANDS))
    parser.formatter_class = argparse.RawTextHelpFormatter
    given = list(sys.argv[1:] if arguments is None else arguments)
    known = parser.parse_args(given[:1])
    if known.version:
        _show_version()
    elif known.command is None:
        parser.print_help()
        sys.exit(EXIT_USAGE)
    else:
        sys.exit(_execute(known.command, given[1:]))


def proto_main(arguments: Sequence[str] | None = None) -> None:
    """Run `mysingle-proto`."""
    description = "Protocol buffers: generate stubs, lint, check for breaking changes."
    parser = argparse.ArgumentParser(prog="mysingle-proto", description=description)
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    if parser.parse_args(arguments).version:
        _show_version()
    else:
        parser.print_help()
        sys.exit(EXIT_USAGE)


def _list(commands: Mapping[str, str]) -> str:
    return "\n".join(f"{name:<10} {purpose}" for name, purpose in commands.items())


def _show_version() -> None:
    from mysingle import __version__

    sys.stdout.write(f"{__version__}\n")


def _execute(command: str, arguments: Sequence[str]) -> int:
    """Turn what we know into one line and exit code 2; what we do not know keeps its traceback."""
    module = importlib.import_module(f"mysingle.cli.{command}")
    parser = argparse.ArgumentParser(prog=f"mysingle {command}", description=COMMANDS[command])
    module.add_arguments(parser)
    try:
        return int(module.execute(parser.parse_args(arguments)))
    except (MySingleError, MissingExtraError) as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_USAGE
