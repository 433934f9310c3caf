"""`mysingle-proto validate`: lint, format, breaking changes."""

import argparse
from pathlib import Path

__all__ = ["add_arguments", "execute"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--path", type=Path, default=Path("protos"), help="the folder with buf.yaml, protos")
    parser.add_argument("--breaking", action="store_true", help="also find changes that break clients")
    parser.add_argument("--against", default="main", help="the branch or tag that --breaking compares with, main")
    parser.add_argument("--fix", action="store_true", help="write the format instead of checking it")


def execute(arguments: argparse.Namespace) -> int:
    """Validate, and return the exit code."""
    from mysingle.tooling import ProtoWorkspace

    against = arguments.against if arguments.breaking else None
    return ProtoWorkspace(arguments.path).validate(fixes=arguments.fix, against=against)
