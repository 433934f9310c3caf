"""`mysingle-proto info`: what the protos define."""

import argparse
import sys
from pathlib import Path

__all__ = ["add_arguments", "execute"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--path", type=Path, default=Path("protos"), help="the folder with buf.yaml, protos")


def execute(arguments: argparse.Namespace) -> int:
    """Print one line for each method, and return the exit code."""
    from mysingle.tooling import ProtoWorkspace

    for method in ProtoWorkspace(arguments.path).methods():
        sys.stdout.write(f"{method.name:<60} {method.kind:<14} {method.idempotency}\n")
    return 0
