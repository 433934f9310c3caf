"""`mysingle run`: serve one app."""

from typing import Annotated

import typer

__all__ = ["run"]


def run(
    app: Annotated[str, typer.Argument(help="Where the app is, for example app.main:app")],
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 in a container.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")] = 8000,
    fd: Annotated[int | None, typer.Option(help="A listening socket shared with other processes.")] = None,
) -> None:
    """
    Serve one app until SIGTERM or Ctrl-C, with a drain.

    Probes answer at once; other requests get 503 until the service is ready.
    """
    from mysingle.core import run as serve

    raise typer.Exit(serve(app, host, port, fd=fd))
