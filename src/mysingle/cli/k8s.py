"""`mysingle k8s render`: a manifest whose numbers are those of the code, or what is wrong with one that exists."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mysingle.tooling.k8s import Disagreement, StatedNumbers, Workload

__all__ = ["add_arguments", "execute"]

_FINDINGS = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="{render}")
    render = actions.add_parser("render", help="print a manifest, or compare one with the code")
    render.add_argument("folder", nargs="?", type=Path, default=Path(), help="of the service; this one by default")
    render.add_argument("--name", help="of the service; that of its pyproject.toml when not given")
    render.add_argument("--image", help="what runs; the name, with the version as its tag, when not given")
    render.add_argument("--app", help="where the app is in the image, app.main:app when not given")
    render.add_argument("--port", type=_port, help="of HTTP, 8000 when not given")
    render.add_argument("--grpc-port", type=_port, help="of gRPC; none, unless the service was made with --grpc")
    render.add_argument("--iam", action="store_true", help="the service that owns the users")
    render.add_argument("--pre-stop", type=_seconds, default=0, metavar="SECONDS",
                        help="how long to hold SIGTERM back, as a part of the drain")  # fmt: skip
    render.add_argument("--check", type=Path, metavar="FILE",
                        help="print nothing but what in FILE does not agree with the code")  # fmt: skip
    render.add_argument("--json", action="store_true", help="with --check: print JSON")


def execute(arguments: argparse.Namespace) -> int:
    """Print or compare, and return 1 when something does not agree."""
    from mysingle._kernel.errors import InvalidArgumentError
    from mysingle.tooling.k8s import cluster_numbers, render_manifest, stated_numbers

    if not arguments.folder.is_dir():
        raise InvalidArgumentError(f"{arguments.folder} is no folder: name that of the service")
    stated = stated_numbers(arguments.folder)
    if arguments.check is not None:
        return _check(arguments, stated)
    sys.stdout.write(render_manifest(_workload(arguments), cluster_numbers(stated, arguments.pre_stop)))
    return 0


def _workload(arguments: argparse.Namespace) -> "Workload":
    from mysingle.tooling.k8s import workload_of

    workload = workload_of(arguments.folder, name=arguments.name, image=arguments.image)
    return replace(
        workload,
        app=arguments.app or workload.app,
        port=arguments.port or workload.port,
        grpc_port=arguments.grpc_port or workload.grpc_port,
        is_iam=arguments.iam or workload.is_iam,
    )


def _check(arguments: argparse.Namespace, stated: "StatedNumbers") -> int:
    from mysingle.cli._output import write_json
    from mysingle.tooling.k8s import check_manifest

    found = check_manifest(arguments.check, stated)
    if arguments.json:
        write_json({"file": str(arguments.check), "disagreements": [item._asdict() for item in found]})
    else:
        sys.stdout.write(_text(arguments.check, found))
    return _FINDINGS if found else 0


def _text(file: Path, found: "Sequence[Disagreement]") -> str:
    from mysingle.cli._output import table

    if not found:
        return f"{file} agrees with the code\n"
    return table(("WHERE", "VALUE", "IS", "SHOULD BE", "BECAUSE"), found)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 1 and 65535")
    return int(text)


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) > 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds, at most 3600")
    return int(text)
