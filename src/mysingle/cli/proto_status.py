"""`mysingle-proto status`: tell whether the stubs are those of the protos."""

import argparse
import sys
from pathlib import Path

__all__ = ["add_arguments", "execute"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--path", type=Path, default=Path("protos"), help="the folder with buf.yaml, protos")


def execute(arguments: argparse.Namespace) -> int:
    """Compare, and return the exit code: 1 when something differs."""
    from mysingle.tooling import ProtoWorkspace

    differences = ProtoWorkspace(arguments.path).drift()
    for path, what in differences:
        sys.stdout.write(f"{path}: {what}\n")
    summary = "run mysingle-proto generate" if differences else "the stubs are those of the protos"
    sys.stdout.write(f"{summary}\n")
    return int(bool(differences))
