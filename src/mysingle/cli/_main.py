"""The two commands and their exit codes: 0 ok, 1 findings or a failed service, 2 usage or environment, 130 Ctrl-C."""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Mapping, Sequence

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.extras import MissingExtraError

__all__ = ["COMMANDS", "PROTO_COMMANDS", "main", "proto_main"]

EXIT_UNREAD = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

COMMANDS: Mapping[str, str] = {
    "audit": "Verify that the audit log is what was written.",
    "check": "Find what a service does against the rules of the guide.",
    "completion": "Print the completion script of bash, zsh or fish.",
    "dev": "Run the whole platform on this machine: data servers, services, gateway.",
    "doctor": "Look at everything around a service: settings, servers, clocks, trust, drain.",
    "dsl": "Check, run, explain, sweep and backtest strategies.",
    "gateway": "Make the configuration of Kong or Envoy, and find what is unsafe in it.",
    "k8s": "Make the manifest of Kubernetes, or compare one with the code.",
    "keys": "Print what a service has to know of another one that calls it.",
    "migrate": "Change a service of version 1 into one of version 2.",
    "new": "Make a service that runs, or bring a later template into one.",
    "openapi": "Print the API document of an app, write it, or check that it is up to date.",
    "routes": "List what an app offers, over HTTP and gRPC, and who may call it.",
    "run": "Serve one app until SIGTERM or Ctrl-C, with a drain.",
    "submodule": "Keep this package inside of a service as a git submodule.",
    "version": "Release: the next version from the commits, changelog, commit and tag.",
    "worker": "Run the background tasks of a service until SIGTERM or Ctrl-C.",
}
PROTO_COMMANDS: Mapping[str, str] = {
    "init": "Begin a folder of protos: buf.yaml, buf.gen.yaml, a first service.",
    "status": "Tell whether the generated stubs are those of the protos.",
    "info": "List services and methods, with their kind and idempotency.",
    "generate": "Generate the Python stubs.",
    "validate": "Lint and check the format; --breaking also finds breaking changes.",
}
"""Command → one line of help. Its module, `mysingle.cli.<command>` or `proto_<command>`, is imported when it runs."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `mysingle`."""
    _print_anything()
    sys.exit(_dispatch("mysingle", "The service chassis of the platform.", COMMANDS, arguments, ""))


def proto_main(arguments: Sequence[str] | None = None) -> None:
    """Run `mysingle-proto`."""
    _print_anything()
    sys.exit(_dispatch("mysingle-proto", "Protocol buffers, through buf.", PROTO_COMMANDS, arguments, "proto_"))


def _print_anything() -> None:
    """Write what the encoding of the output does not have as an escape, instead of not at all."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _dispatch(
    program: str, purpose: str, commands: Mapping[str, str], arguments: Sequence[str] | None, prefix: str
) -> int:
    listing = "\n".join(f"{name:<11} {line}" for name, line in commands.items())
    parser = argparse.ArgumentParser(program, description=purpose, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    parser.add_argument("command", nargs="?", choices=commands, metavar="command", help=listing)
    given = list(sys.argv[1:] if arguments is None else arguments)
    known = parser.parse_args(given[:1])
    if known.version:
        return _show_version()
    if known.command is None:
        parser.print_help()
        return EXIT_USAGE
    return _execute(f"{program} {known.command}", commands[known.command], prefix + known.command, given[1:])


def _show_version() -> int:
    from mysingle import __version__

    sys.stdout.write(f"{__version__}\n")
    return 0


def _execute(program: str, purpose: str, module_name: str, arguments: Sequence[str]) -> int:
    """Turn what we know into one line and exit code 2; what we do not know keeps its traceback."""
    module = importlib.import_module(f"mysingle.cli.{module_name}")
    parser = argparse.ArgumentParser(program, description=purpose)
    module.add_arguments(parser)
    try:
        code = int(module.execute(parser.parse_args(arguments)))
        sys.stdout.flush()
        return code
    except (MySingleError, MissingExtraError) as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_USAGE
    except BrokenPipeError:  # whoever read our output has enough, as `head` does; nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_UNREAD
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        return EXIT_INTERRUPTED
