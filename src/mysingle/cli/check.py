"""`mysingle check`: the rules of the guide, checked."""

import argparse
import difflib
import os
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mysingle.tooling.check import CheckConfig, CheckReport

__all__ = ["add_arguments", "execute"]

_FINDINGS = 1
_INTERRUPTED = 130
_FORMATS = ("text", "json", "sarif", "github")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("paths", nargs="*", type=Path, default=[Path()], help="files and folders; here, when not given")
    parser.add_argument(
        "--select", action="append", metavar="CODES", help="only these rules: MS501, or MS5 for a family"
    )
    parser.add_argument("--ignore", action="append", metavar="CODES", help="without these rules")
    parser.add_argument("--format", choices=_FORMATS, default="text", help="how findings are written, text")
    parser.add_argument("--fix", action="store_true", help="repair what is safe to repair")
    parser.add_argument("--dry-run", action="store_true", help="with --fix: show what would change, and write nothing")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="the pyproject.toml; the nearest one when not given"
    )
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="findings that do not count")
    parser.add_argument("--write-baseline", type=Path, metavar="FILE", help="write what is found now as the baseline")
    parser.add_argument("--explain", metavar="CODE", help="explain one rule")
    parser.add_argument("--list", action="store_true", help="list the rules")


def execute(arguments: argparse.Namespace) -> int:
    """Check, explain or list, and return the exit code."""
    try:
        if arguments.list:
            return _list()
        return _explain(arguments.explain) if arguments.explain else _check(arguments)
    except BrokenPipeError:  # the reader of a pipe went away; nobody is left to tell
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # it lives until the process ends
        return _FINDINGS
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted; files that are written are whole, the others are as they were\n")
        return _INTERRUPTED


def _check(arguments: argparse.Namespace) -> int:
    from mysingle.tooling.check import Baseline, check_paths, fix_paths, written

    config = _config(arguments)
    if arguments.write_baseline is not None:
        report = check_paths(arguments.paths, replace(config, baseline=None))
        Baseline.write(arguments.write_baseline, report.findings)
        sys.stderr.write(f"{arguments.write_baseline} is written: {len(report.findings)} findings\n")
        return 0
    if arguments.fix:
        report = fix_paths(arguments.paths, config, writes=not arguments.dry_run)
        if arguments.dry_run:
            sys.stdout.writelines(_changes(report))
            return _FINDINGS if report.texts else 0
    else:
        report = check_paths(arguments.paths, config)
    sys.stdout.write(written(report, arguments.format, is_colourful=sys.stdout.isatty()))
    return _FINDINGS if report.has_failed else 0


def _config(arguments: argparse.Namespace) -> "CheckConfig":
    """Put the command line above the file."""
    from mysingle.tooling.check import CheckError, find_pyproject, read_config

    if arguments.config is not None and not arguments.config.is_file():
        raise CheckError(f"{arguments.config}: there is no such file")
    file = arguments.config or find_pyproject(Path.cwd())
    config = read_config(file.absolute() if file else None, Path.cwd())
    changed = replace(
        config,
        select=_codes(arguments.select) or config.select,
        ignore=(*config.ignore, *_codes(arguments.ignore)),
        baseline=arguments.baseline or config.baseline,
    )
    changed.active("", in_tests=False)  # wrong codes are an error before the first file is read
    return changed


def _codes(given: list[str] | None) -> tuple[str, ...]:
    return tuple(code.strip() for part in given or () for code in part.split(",") if code.strip())


def _changes(report: "CheckReport") -> Iterator[str]:
    for file, (before, after) in report.texts.items():
        lines = (before.splitlines(keepends=True), after.splitlines(keepends=True))
        for line in difflib.unified_diff(*lines, fromfile=str(file), tofile=f"{file} (repaired)"):
            yield line if line.endswith("\n") else f"{line}\n"


def _list() -> int:
    from mysingle.tooling.check import RULES

    for rule in RULES.values():
        marks = [mark for mark, is_on in (("fix", rule.has_fix), ("tests too", rule.in_tests)) if is_on]
        note = f"  ({', '.join(marks)})" if marks else ""
        sys.stdout.write(f"{rule.code}  {rule.title}{note}\n")
    return 0


def _explain(code: str) -> int:
    from mysingle.tooling.check import RULES, CheckError

    rule = RULES.get(code.upper())
    if rule is None:
        raise CheckError(f"there is no rule {code!r}; `mysingle check --list` shows them")
    notes = [
        f"Family: {rule.family}.",
        "`--fix` repairs it." if rule.has_fix else "A person has to repair it.",
        "Tests have to keep it too." if rule.in_tests else "Tests need not keep it.",
        f"More: {rule.page}",
    ]
    body = "\n".join(textwrap.fill(part, 100) for part in (f"Why: {rule.why}", f"Instead: {rule.instead}", *notes))
    sys.stdout.write(f"{rule.code}: {rule.title}\n\n{body}\n")
    return 0
