"""`mysingle gateway render` and `mysingle gateway lint`: the configuration of the gateway."""

import argparse
import asyncio
import difflib
import json
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mysingle.tooling.gateway import Finding, SigningKey

__all__ = ["add_arguments", "execute"]

_TARGETS = ("kong", "envoy")
_FINDINGS = 1
_MIN_WIDTH = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="{render,lint}")
    render = actions.add_parser("render", help="make the configuration of a gateway from a list of services")
    render.add_argument("file", type=Path, help="the list of services, YAML or JSON")
    render.add_argument("--target", choices=_TARGETS, required=True, help="the gateway that is to be configured")
    render.add_argument("-o", "--output", type=Path, help="where to write; a name that ends in .json gets JSON")
    render.add_argument("--dry-run", action="store_true", help="show what would change in OUTPUT, and write nothing")
    keys = render.add_mutually_exclusive_group()
    keys.add_argument("--keys", type=Path, metavar="FILE", help="a JWKS file; its keys replace those of the list")
    keys.add_argument("--fetch", metavar="URL", help="fetch the JWKS instead: https, or http on the loopback")
    lint = actions.add_parser("lint", help="find what makes a configuration of Kong unsafe")
    lint.add_argument("file", type=Path, help="a declarative file of Kong, YAML or JSON")
    lint.add_argument("--kong-conf", type=Path, help="the kong.conf beside it; comments in the file count otherwise")
    lint.add_argument("--json", action="store_true", help="write the findings as JSON")


def execute(arguments: argparse.Namespace) -> int:
    """Render or lint, and return the exit code."""
    return _render(arguments) if arguments.action == "render" else _lint(arguments)


def _render(arguments: argparse.Namespace) -> int:
    from mysingle.tooling.gateway import render

    output: Path | None = arguments.output
    as_json = output is not None and output.suffix == ".json"
    text = render(arguments.file, arguments.target, as_json=as_json, keys=_keys(arguments))
    if output is None:
        sys.stdout.write(text)
    elif arguments.dry_run:
        sys.stdout.writelines(_changes(output, text))
    else:
        _write(output, text)
    return 0


def _keys(arguments: argparse.Namespace) -> tuple["SigningKey", ...]:
    """Return the keys that the command line names; none when the list of services names them itself."""
    from mysingle.tooling.gateway import fetch_keys, read_keys

    if arguments.fetch is not None:
        return asyncio.run(fetch_keys(arguments.fetch))
    return read_keys(arguments.keys) if arguments.keys is not None else ()


def _write(output: Path, text: str) -> None:
    from mysingle.tooling.gateway import GatewayFileError

    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise GatewayFileError(output, None, f"the file cannot be written: {error.strerror}") from error
    sys.stderr.write(f"{output} is written\n")


def _changes(output: Path, text: str) -> Iterator[str]:
    """Compare with what is there; a file that is not there yet is all new."""
    before = output.read_text(encoding="utf-8", errors="replace") if output.is_file() else ""
    lines = (before.splitlines(keepends=True), text.splitlines(keepends=True))
    difference = list(difflib.unified_diff(*lines, fromfile=str(output), tofile=f"{output} (rendered)"))
    return iter(difference or [f"{output} would not change\n"])


def _lint(arguments: argparse.Namespace) -> int:
    from mysingle.tooling.gateway import lint

    findings = lint(arguments.file, arguments.kong_conf)
    if arguments.json:
        document = {"file": str(arguments.file), "findings": [asdict(finding) for finding in findings]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    elif sys.stdout.isatty():
        sys.stdout.write(_table(arguments.file, findings, shutil.get_terminal_size().columns))
    else:
        sys.stdout.writelines(_line(arguments.file, finding) for finding in findings)
    return _FINDINGS if findings else 0


def _line(file: Path, finding: "Finding") -> str:
    place = f"{file}:{finding.line}" if finding.line is not None else str(file)
    return f"{place}: {finding.rule} at {finding.where}: {finding.why}. Do: {finding.fix}\n"


def _table(file: Path, findings: Sequence["Finding"], columns: int) -> str:
    """Write a block for each finding, as wide as the terminal."""
    if not findings:
        return f"{file}: nothing unsafe found\n"
    width = max(_MIN_WIDTH, columns - 1)
    rows = [_row(finding, width) for finding in findings]
    count = f"{len(findings)} finding{'s' if len(findings) > 1 else ''}"
    return "\n".join([*rows, f"{file}: {count}", ""])


def _row(finding: "Finding", width: int) -> str:
    place = f"line {finding.line}" if finding.line is not None else "missing"
    head = f"\x1b[1;31m{finding.rule}\x1b[0m  \x1b[2m{place}, {finding.where}\x1b[0m"
    texts = ((label, textwrap.wrap(text, width - 8)) for label, text in (("why", finding.why), ("do", finding.fix)))
    lines = [f"  {label if index == 0 else '':<4} {line}" for label, parts in texts for index, line in enumerate(parts)]
    return "\n".join([head, *lines, ""])
