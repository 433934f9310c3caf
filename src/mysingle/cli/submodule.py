"""`mysingle submodule`: this package as a git submodule of a service."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mysingle.tooling.submodule import Checkout, Standing

__all__ = ["add_arguments", "execute"]

_DEFAULT_PATH = "packages/mysingle"
_FINDINGS = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    add = actions.add_parser("add", help="add the package at its newest release, commit that, and install it")
    add.add_argument("url", nargs="?", help="the package's repository; where this one was installed from by default")
    update = actions.add_parser("update", help="go to the newest release, and commit that")
    status = actions.add_parser("status", help="show how the submodule stands; exit code 1 when something is open")
    status.add_argument("--fetch", action="store_true", help="ask the remote for releases first")
    status.add_argument("--json", action="store_true", help="print JSON")
    sync = actions.add_parser("sync", help="put local changes on a branch, for a pull request")
    sync.add_argument("-m", "--message", help="what local changes do, for example 'fix(auth): ...'")
    sync.add_argument("--branch", help="the name of the branch; made from the message by default")
    sync.add_argument("--push", action="store_true", help="push the branch")
    for action in (add, update):
        action.add_argument("--to", metavar="TAG", help="the release to take, instead of the newest one")
        action.add_argument("--extras", default="common", help="the extras to install, common")
        action.add_argument("--no-install", action="store_true", help="do not run pip")
        action.add_argument("--dry-run", action="store_true", help="show what would be done, and change nothing")
    for action in (add, update, status, sync):
        action.add_argument("--path", default=_DEFAULT_PATH, help=f"where the submodule is, {_DEFAULT_PATH}")


def execute(arguments: argparse.Namespace) -> int:
    """Do what is asked, and return the exit code."""
    from mysingle.tooling.submodule import Checkout

    checkout = Checkout(Path(), arguments.path)
    if arguments.action == "status":
        return _status(checkout, arguments)
    return _sync(checkout, arguments) if arguments.action == "sync" else _change(checkout, arguments)


def _change(checkout: "Checkout", arguments: argparse.Namespace) -> int:
    from mysingle.tooling.submodule import Workflow, install_editable

    workflow = Workflow(checkout)
    is_add = arguments.action == "add"
    before = checkout.recorded()
    if arguments.dry_run:
        tag = workflow.plan_add(_url(arguments), arguments.to) if is_add else workflow.plan_update(arguments.to)
        sys.stdout.write(f"{checkout.path} would be at {tag}\n")
        return 0
    tag = workflow.add(_url(arguments), arguments.to) if is_add else workflow.update(arguments.to)
    done = "committed" if checkout.recorded() != before else "nothing to commit"
    sys.stdout.write(f"{checkout.path} is at {tag}, {done}\n")
    if not arguments.no_install:
        install_editable(checkout.folder, arguments.extras)
        sys.stdout.write(f"installed, editable, with [{arguments.extras}]\n")
    return 0


def _url(arguments: argparse.Namespace) -> str:
    from mysingle.tooling.submodule import SubmoduleError, origin

    url = arguments.url or origin()
    if url is None:
        raise SubmoduleError("where the package comes from is not known: run `mysingle submodule add <url>`")
    return str(url)


def _sync(checkout: "Checkout", arguments: argparse.Namespace) -> int:
    from mysingle.tooling.submodule import Workflow

    sent = Workflow(checkout).sync(arguments.message, arguments.branch, pushes=arguments.push)
    if sent is None:
        sys.stdout.write(f"{checkout.path} has no changes to give back\n")
    elif sent.is_pushed:
        sys.stdout.write(f"{sent.branch} is pushed to {checkout.url()}: open a pull request from it\n")
    else:
        sys.stdout.write(f"{sent.branch} is made in {checkout.path}; run again with --push to push it\n")
    return 0


def _status(checkout: "Checkout", arguments: argparse.Namespace) -> int:
    if arguments.fetch and checkout.is_checked_out():
        checkout.fetch()
    standing = checkout.standing()
    sys.stdout.write(json.dumps(standing.as_dict(), indent=2) + "\n" if arguments.json else _table(standing))
    return _FINDINGS if standing.problems else 0


def _table(standing: "Standing") -> str:
    rows = {
        "path": standing.path,
        "url": standing.url,
        "recorded": (standing.recorded or "none")[:12],
        "at": standing.version or "not checked out",
        "newest": standing.newest or "not known",
    }
    lines = [f"{name:<9} {value}" for name, value in rows.items()]
    return "\n".join([*lines, *(f"open      {problem}" for problem in standing.problems)]) + "\n"
