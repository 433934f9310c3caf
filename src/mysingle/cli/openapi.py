"""`mysingle openapi`: the API document of an app, in one spelling, so that it can be compared."""

import argparse
import difflib
import json
import sys
from itertools import islice
from pathlib import Path

__all__ = ["add_arguments", "execute"]

_FINDINGS = 1
_SHOWN_LINES = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("app", help="where the app is, for example app.main:app")
    places = parser.add_mutually_exclusive_group()
    places.add_argument("-o", "--output", type=Path, help="where to write, instead of standard output")
    places.add_argument("--check", type=Path, metavar="FILE", help="exit code 1 when FILE is another document")


def execute(arguments: argparse.Namespace) -> int:
    """Print, write or compare the document, and return the exit code."""
    from mysingle.cli._app import open_app
    from mysingle.core import api_document, load_app

    document = api_document(open_app(load_app, arguments.app))
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if arguments.check is not None:
        return _check(arguments.check, text)
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        _write(arguments.output, text)
    return 0


def _check(file: Path, text: str) -> int:
    try:
        before = file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise _failure(file, "read", error) from None
    if before == text:
        sys.stdout.write(f"{file} is up to date\n")
        return 0
    lines = (before.splitlines(keepends=True), text.splitlines(keepends=True))
    difference = difflib.unified_diff(*lines, fromfile=str(file), tofile=f"{file} (from the app)")
    sys.stdout.writelines(islice(difference, _SHOWN_LINES))
    sys.stderr.write(f"{file} is not the document of the app: write it anew with --output {file}\n")
    return _FINDINGS


def _write(file: Path, text: str) -> None:
    from mysingle._kernel.files import write_whole

    try:
        write_whole(file, text.encode())
    except OSError as error:
        raise _failure(file, "written", error) from None
    sys.stderr.write(f"{file} is written\n")


def _failure(file: Path, done: str, error: OSError | UnicodeError) -> Exception:
    from mysingle._kernel.errors import InvalidArgumentError

    cause = getattr(error, "strerror", None) or error
    return InvalidArgumentError(f"{file} cannot be {done}: {cause}", reason="FILE_UNUSABLE")
