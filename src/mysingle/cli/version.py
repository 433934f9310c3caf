"""`mysingle version`: the next version from the commits, and the release itself."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mysingle.tooling.version import Outcome, Plan, Releases

__all__ = ["add_arguments", "execute"]

_ACTIONS = {
    "auto": "let the commits since the last version tag decide",
    "major": "raise the first number",
    "minor": "raise the second number",
    "patch": "raise the third number",
    "set": "take the version that is given",
    "show": "show the version, and what would be released",
}
_PRE_LABELS = ("alpha", "beta", "rc")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    for name, line in _ACTIONS.items():
        action = actions.add_parser(name, help=line, description=line)
        if name == "set":
            action.add_argument("version", help="for example 2.3.0, or 2.3.0-rc.1")
        action.add_argument("--path", type=Path, default=Path(), help="the folder of the package; here by default")
        action.add_argument("--json", action="store_true", help="print JSON")
        if name != "show":
            _add_writing(action)
        if name not in ("set", "show"):
            action.add_argument("--pre", choices=_PRE_LABELS, help="make a pre-release, such as 2.3.0-rc.1")


def _add_writing(action: argparse.ArgumentParser) -> None:
    action.add_argument("--push", action="store_true", help="push the branch and the tag, both or none")
    action.add_argument("--remote", default="origin", help="where --push goes, origin")
    action.add_argument("--dry-run", action="store_true", help="show what would be done, and change nothing")


def execute(arguments: argparse.Namespace) -> int:
    """Release, or show what would be, and return the exit code."""
    from mysingle.tooling.version import Releases

    releases = Releases(arguments.path)
    wish = _wish(arguments)
    if arguments.action == "show" or arguments.dry_run:
        return _show(releases, wish, arguments)
    outcome = releases.make(wish, label=_label(arguments), remote=arguments.remote if arguments.push else None)
    if arguments.json:
        _print_json(outcome.plan, tag=outcome.tag, finished=outcome.finished, pushed=_is_pushed(outcome, arguments))
    else:
        sys.stdout.write(_said(outcome, arguments))
    return 0


def _wish(arguments: argparse.Namespace) -> str:
    if arguments.action != "set":
        return "auto" if arguments.action == "show" else str(arguments.action)
    from mysingle.tooling.version import VersionError, parse_version

    version = parse_version(arguments.version.removeprefix("v"))
    if version is None:
        raise VersionError(f"{arguments.version!r} is no version: write 2.3.0, or 2.3.0-rc.1")
    return str(version)


def _label(arguments: argparse.Namespace) -> str | None:
    return getattr(arguments, "pre", None)


def _is_pushed(outcome: "Outcome", arguments: argparse.Namespace) -> bool:
    return bool(outcome.tag) and bool(arguments.push)


def _show(releases: "Releases", wish: str, arguments: argparse.Namespace) -> int:
    interrupted = releases.interrupted()
    if interrupted:
        sys.stderr.write(f"The release {interrupted} did not end; the next run without --dry-run sees to it first\n")
    plan = releases.plan(wish, label=_label(arguments))
    if arguments.json:
        _print_json(plan)
    elif arguments.action == "show":
        sys.stdout.write(_summary(plan))
    else:
        sys.stdout.write(_preview(plan))
    return 0


def _print_json(plan: "Plan | None", **more: Any) -> None:
    document = {**(plan.as_dict() if plan else {}), **more}
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _summary(plan: "Plan") -> str:
    upcoming = f"{plan.version} ({_reason(plan)})" if plan.version else f"nothing to release ({_reason(plan)})"
    return f"version  {plan.current}\ntag      {plan.since or 'none'}\nnext     {upcoming}\n"


def _preview(plan: "Plan") -> str:
    if plan.version is None:
        return _nothing(plan)
    files = "".join(
        f"would {'delete' if text is None else 'write'}  {path}\n" for path, text in sorted(plan.files.items())
    )
    return f"{_step(plan)}{files}would tag    {plan.tag}\n\n{plan.section}"


def _said(outcome: "Outcome", arguments: argparse.Namespace) -> str:
    if outcome.finished:
        return f"The release {outcome.finished}, which an earlier run began, is finished\n"
    assert outcome.plan is not None
    if outcome.tag is None:
        return _nothing(outcome.plan)
    pushed = f"pushed to {arguments.remote}\n" if arguments.push else ""
    return f"{_step(outcome.plan)}tagged {outcome.tag}\n{pushed}"


def _step(plan: "Plan") -> str:
    return f"{plan.current} -> {plan.version} ({_reason(plan)})\n"


def _nothing(plan: "Plan") -> str:
    return f"Nothing to release: {_reason(plan)}\n"


def _reason(plan: "Plan") -> str:
    count = f"{len(plan.commits)} commit{'' if len(plan.commits) == 1 else 's'}"
    place = f"since {plan.since}" if plan.since else "and no version tag yet"
    size = f"{plan.bump.name.lower()}: " if plan.bump else ""
    return f"{size}{count} {place}"
