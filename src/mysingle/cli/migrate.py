"""`mysingle migrate v2`: change a service of version 1 into one of version 2."""

import argparse
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mysingle.tooling.migrate import Finding, Migration

__all__ = ["add_arguments", "execute"]

_FAILED = 1
_INTERRUPTED = 130
_MIN_WIDTH = 60
_COLOURS = {"+": "32", "-": "31", "@": "36"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("version", choices=("v2",), metavar="v2", help="the version to change to")
    parser.add_argument("path", nargs="?", type=Path, default=Path(), help="a service or one file, the folder here")
    parser.add_argument("--diff", "--dry-run", action="store_true", help="show what would change, and write nothing")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when something would change")
    parser.add_argument("--json", action="store_true", help="write the report as JSON")


def execute(arguments: argparse.Namespace) -> int:
    """Migrate, and return the exit code."""
    from mysingle.tooling.migrate import Migration, plan

    migration = Migration()
    try:
        migration = plan(arguments.path)
        is_dry = arguments.diff or arguments.check
        if not is_dry:
            migration.apply()
    except KeyboardInterrupt:
        done = f"{_files(len(migration.written))} written, each of them whole"
        sys.stderr.write(f"\ninterrupted: {done}. Run the command again for the rest.\n")
        return _INTERRUPTED
    _print(_report(migration, arguments, is_dry=is_dry))
    is_pending = arguments.check and migration.changes
    return _FAILED if migration.failures or is_pending else 0


def _print(lines: Iterator[str]) -> None:
    """Write the report; whoever reads it may stop early, as `head` does."""
    try:
        sys.stdout.writelines(lines)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _document(migration: "Migration", *, is_dry: bool) -> dict[str, object]:
    findings = migration.as_before() if is_dry else migration.findings
    return {
        "looked_at": migration.looked_at,
        "changes": [change.file for change in migration.changes],
        "written": migration.written,
        "to_do": [{**asdict(item), "guide": item.guide} for item in findings],
        "failures": [asdict(item) for item in migration.failures],
    }


def _report(migration: "Migration", arguments: argparse.Namespace, *, is_dry: bool) -> Iterator[str]:
    if arguments.json:
        yield json.dumps(_document(migration, is_dry=is_dry), indent=2, ensure_ascii=False) + "\n"
        return
    if arguments.diff:
        for change in migration.changes:
            yield from map(_coloured, change.diff())
    findings = migration.as_before() if is_dry else migration.findings
    yield from _to_do(findings)
    for item in migration.failures:
        place = f"{item.file}:{item.line}" if item.line is not None else item.file
        yield f"{_strong(place, '31')}: not changed: {item.why}\n"
    yield _summary(migration, is_dry=is_dry)


def _to_do(findings: list["Finding"]) -> Iterator[str]:
    if not sys.stdout.isatty():
        for item in findings:
            yield f"{item.file}:{item.line}: {item.what}. {item.why} ({item.guide})\n"
        return
    width = max(_MIN_WIDTH, shutil.get_terminal_size().columns - 1)
    file = ""
    for item in findings:
        if item.file != file:
            file = item.file
            yield f"\n{_strong(file, '1')}\n"
        texts = textwrap.wrap(f"{item.what}: {item.why}", width - 8)
        yield f"{item.line:>6}  {texts[0]}\n"
        yield from (f"        {text}\n" for text in texts[1:])
        yield f"        \x1b[2m{item.guide}\x1b[0m\n"


def _summary(migration: "Migration", *, is_dry: bool) -> str:
    count = len(migration.changes) if is_dry else len(migration.written)
    would = "would change" if is_dry else "changed"
    parts = [f"{_files(migration.looked_at)} looked at", f"{count} {would}", f"{len(migration.findings)} to do by hand"]
    if migration.failures:
        parts.append(f"{len(migration.failures)} failed")
    return ", ".join(parts) + "\n"


def _files(count: int) -> str:
    return f"{count} file" if count == 1 else f"{count} files"


def _strong(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if sys.stdout.isatty() else text


def _coloured(line: str) -> str:
    colour = _COLOURS.get(line[:1])
    if colour is None or not sys.stdout.isatty():
        return line
    text = line.removesuffix("\n")
    return f"\x1b[{colour}m{text}\x1b[0m{line[len(text) :]}"
