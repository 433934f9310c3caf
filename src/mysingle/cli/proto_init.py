"""`mysingle-proto init`: begin a folder of protos."""

import argparse
import sys
from pathlib import Path

__all__ = ["add_arguments", "execute"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("service", help="the name of the service, for example order-service")
    parser.add_argument("--path", type=Path, default=Path("protos"), help="the folder to begin, protos")
    parser.add_argument("--out", default="../app/protos", help="where the stubs go, seen from there, ../app/protos")
    parser.add_argument("--organisation", default="acme", help="the first part of the package's name, acme")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be written")


def execute(arguments: argparse.Namespace) -> int:
    """Write the files that are missing, and return the exit code."""
    from mysingle.tooling import first_files

    files = first_files(arguments.service, arguments.organisation, arguments.out)
    for name, text in files.items():
        path = arguments.path / name
        exists = path.exists()
        sys.stdout.write(f"{path}: {'exists, left alone' if exists else 'new'}\n")
        if not exists and not arguments.dry_run:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 0
