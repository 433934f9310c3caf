"""`mysingle-proto generate`: make the Python stubs."""

import argparse
from pathlib import Path

__all__ = ["add_arguments", "execute"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--path", type=Path, default=Path("protos"), help="the folder with buf.yaml, protos")


def execute(arguments: argparse.Namespace) -> int:
    """Generate, and return the exit code."""
    from mysingle.tooling import ProtoWorkspace

    return ProtoWorkspace(arguments.path).generate()
