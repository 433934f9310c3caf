"""The two commands and their exit codes: 0 ok, 1 findings or a failed service, 2 usage or environment."""

import sys

import typer

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.extras import MissingExtraError
from mysingle.cli import run

__all__ = ["main", "proto_main"]

EXIT_USAGE = 2


def main() -> None:
    """Run `mysingle`."""
    app = _make_app("The service chassis of the platform.")
    app.command("run")(run.run)
    _guarded(app)


def proto_main() -> None:
    """Run `mysingle-proto`."""
    _guarded(_make_app("Protocol buffers: generate stubs, lint, check for breaking changes."))


def _make_app(purpose: str) -> typer.Typer:
    app = typer.Typer(help=purpose, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(_options)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        from mysingle import __version__

        typer.echo(__version__)
        raise typer.Exit


def _options(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Hold the options that come before a command."""


def _guarded(app: typer.Typer) -> None:
    """Turn what we know into one line and exit code 2; what we do not know keeps its traceback."""
    try:
        app()
    except (MySingleError, MissingExtraError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(EXIT_USAGE)
