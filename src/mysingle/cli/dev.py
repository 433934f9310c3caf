"""`mysingle dev`: the whole platform on this machine."""

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mysingle._kernel.errors import InvalidArgumentError

if TYPE_CHECKING:
    from mysingle.tooling.devplatform import Plan, Row, Stack

__all__ = ["add_arguments", "execute"]

_HEADER = ("WHAT", "ADDRESS", "GRPC", "STATE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("app", nargs="?", help="the one app to run, for example app.main:app, without a stack file")
    parser.add_argument("--file", type=Path, help="the stack file; mysingle.toml of this folder when there is one")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this service alone; more of them")
    parser.add_argument("--port", type=_port, help="where the one service listens, without a stack file")
    parser.add_argument("--keep-data", type=Path, metavar="FOLDER", help="keep data there, instead of in memory")
    parser.add_argument("--no-gateway", action="store_true", help="without Envoy in front")
    parser.add_argument("--no-reload", action="store_true", help="do not start a service anew after an edit")
    parser.add_argument("--dry-run", action="store_true", help="show what would be started, and start nothing")


def execute(arguments: argparse.Namespace) -> int:
    """Run the platform, and return the exit code."""
    import asyncio

    from mysingle.cli._output import table
    from mysingle.tooling.devplatform import Screen, make_plan, run_platform

    plan = make_plan(
        _stack(arguments),
        gateway=not arguments.no_gateway,
        data_dir=arguments.keep_data and arguments.keep_data.absolute(),
        is_dry=arguments.dry_run,
    )
    if arguments.dry_run:
        sys.stdout.write(table(("WHAT", "ADDRESS", "HOW"), _planned(plan)))
        return 0
    workers = tuple(service.worker_name for service in plan.services if service.worker)
    names = (*(service.name for service in plan.services), *workers)
    screen = Screen(_Output().write, names, is_terminal=sys.stdout.isatty())

    def show_addresses(rows: "Sequence[Row]") -> None:
        screen.show(f"\n{table(_HEADER, rows)}\n")

    return asyncio.run(run_platform(plan, screen, show_addresses, reload=not arguments.no_reload))


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 1 and 65535")
    return int(text)


def _stack(arguments: argparse.Namespace) -> "Stack":
    from mysingle.tooling.devplatform import STACK_FILE, read_stack, single_service

    file: Path | None = arguments.file or next((name for name in [Path(STACK_FILE)] if name.is_file()), None)
    if arguments.app is not None and arguments.file is not None:
        raise InvalidArgumentError("give an app or a stack file, not both")
    if arguments.app is not None or file is None:
        return single_service(Path(), arguments.app, arguments.port).only(arguments.only)
    if arguments.port is not None:
        raise InvalidArgumentError(f"--port is for one app; {file} says where its services listen")
    return read_stack(file).only(arguments.only)


def _planned(plan: "Plan") -> "list[tuple[str, str, str]]":
    data = f"data in {plan.data_dir}" if plan.data_dir else "data in memory"
    stores = (("MongoDB", "SecantusDB", plan.mongo_variable), ("Redis", "valkey-server", plan.redis_variable))
    rows = [
        (name, *(("a free port", f"{server}, {data}") if variable is None else (f"as {variable} says", "not started")))
        for name, server, variable in stores
    ]
    rows += [
        (service.name, service.url, f"in {service.folder}: {shlex.join(service.command)}") for service in plan.services
    ]
    rows += [
        (service.worker_name, "", f"in {service.folder}: {shlex.join(service.worker_command)}")
        for service in plan.services
        if service.worker
    ]
    if plan.gateway is not None:
        rows.append(("gateway", plan.gateway.url, f"Envoy: {'; '.join(plan.gateway.routes)}"))
    return [*rows, *([("note", "", plan.note)] if plan.note else [])]


class _Output:
    """Standard output; when nobody reads it any more, everything ends."""

    def __init__(self) -> None:
        self._is_open = True

    def write(self, text: str) -> None:
        """Write text at once."""
        if not self._is_open:
            return
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:
            self._is_open = False
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in the buffer goes there
            signal.raise_signal(signal.SIGTERM)
