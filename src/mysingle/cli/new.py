"""`mysingle new`: a service from the template, or a later template into a service."""

import argparse
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mysingle._kernel.errors import InvalidArgumentError

if TYPE_CHECKING:
    from mysingle.tooling.scaffold import Change

__all__ = ["add_arguments", "execute"]

_NEEDS_SOMEBODY = 1
_INTERRUPTED = 130
_BOLD, _DIM, _END = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("service", nargs="?", help="its name, for example order-service; not with --update")
    parser.add_argument("--type", choices=("iam", "non-iam"), help="non-iam, unless it owns users")
    parser.add_argument("--grpc", action="store_true", help="with a gRPC server and client")
    parser.add_argument("--dsl", action="store_true", help="with a strategy in the platform's language")
    parser.add_argument("--tasks", action="store_true", help="with background tasks and a worker")
    parser.add_argument("--path", type=Path, help="the folder to make or to update; the name, or this one")
    parser.add_argument("--update", action="store_true", help="bring the template of this version into a service")
    parser.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")


def execute(arguments: argparse.Namespace) -> int:
    """Make or update a service, and return the exit code."""
    if arguments.update == (arguments.service is not None):
        raise InvalidArgumentError(
            "give a name to make a service, or --update alone to update one: `mysingle new order-service`"
        )
    if arguments.update and arguments.type is not None:
        raise InvalidArgumentError("a service keeps its type: leave --type out, or make another service")
    try:
        return _update(arguments) if arguments.update else _create(arguments)
    except KeyboardInterrupt:
        done = "run `mysingle new --update` again" if arguments.update else "nothing was made"
        sys.stderr.write(f"error: interrupted; {done}\n")
        return _INTERRUPTED


def _create(arguments: argparse.Namespace) -> int:
    from mysingle.tooling.scaffold import Answers, create

    answers = Answers(
        service_name=arguments.service,
        service_type=arguments.type or "non-iam",
        grpc=arguments.grpc,
        dsl=arguments.dsl,
        tasks=arguments.tasks,
    )
    folder: Path = arguments.path or Path(answers.service_name)
    files = create(answers, folder, is_dry=arguments.dry_run)
    if arguments.dry_run:
        sys.stdout.writelines(f"{folder / name}\n" for name in files)
        return 0
    steps = [
        (f"cd {shlex.quote(str(folder))}", ""),
        ("python -m venv .venv && . .venv/bin/activate", ""),
        ('pip install -e ".[dev]"', ""),
        ("pytest", "its tests, on real servers that start by themselves"),
        ("mysingle dev", "serve it on port 8000; an edit starts it anew"),
    ]
    _say(f"{answers.service_name} is in {folder}, {len(files)} files.", "Next:", steps)
    return 0


def _update(arguments: argparse.Namespace) -> int:
    from mysingle.tooling.scaffold import finish_interrupted, plan_update

    folder: Path = arguments.path or Path()
    if finish_interrupted(folder):
        sys.stderr.write("finished an update that was interrupted\n")
    update = plan_update(folder, grpc=arguments.grpc, dsl=arguments.dsl, tasks=arguments.tasks)
    if not update.is_needed:
        sys.stdout.write(f"{folder.absolute().name} has the template of mysingle {update.now.version} already\n")
        return _remind(update.undecided)
    if not arguments.dry_run:
        update.apply()
    _list(update.changes)
    waiting = [change for change in update.changes if change.needs_somebody]
    files = "1 file" if len(update.changes) == 1 else f"{len(update.changes)} files"
    head = f"{files} {'to look at' if arguments.dry_run else 'looked at'}."
    steps = [("git diff", "what the template brings"), ("pytest", "")]
    if waiting:
        count = "1 file needs" if len(waiting) == 1 else f"{len(waiting)} files need"
        steps.insert(0, ("grep -rn '<<<<<<<' .", f"{count} a decision of yours"))
    _say(head, "Next:", steps)
    return _NEEDS_SOMEBODY if waiting else 0


def _remind(undecided: tuple[str, ...]) -> int:
    """Name the files that still have marks of an update, and return the exit code."""
    for name in undecided:
        sys.stdout.write(f"undecided {name}  (has places marked with <<<<<<<)\n")
    return _NEEDS_SOMEBODY if undecided else 0


def _list(changes: "Iterable[Change]") -> None:
    for change in changes:
        sys.stdout.write(f"{change.outcome.value:<9} {change.target}{f'  ({change.note})' if change.note else ''}\n")


def _say(head: str, title: str, steps: Iterable[tuple[str, str]]) -> None:
    """Write a summary: what is there, and what to do next."""
    bold, dim, end = (_BOLD, _DIM, _END) if sys.stdout.isatty() else ("", "", "")
    rows = [f"  {command:<46}{dim}{f'# {note}' if note else ''}{end}".rstrip() for command, note in steps]
    sys.stdout.write("\n".join([f"{bold}{head}{end}", "", title, *rows, ""]))
