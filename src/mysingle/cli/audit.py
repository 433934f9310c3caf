"""`mysingle audit verify`: whether the audit log is what was written."""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mysingle.database import AuditAnchor, AuditReport, AuditStream

__all__ = ["add_arguments", "execute"]

_EXIT = {"intact": 0, "broken": 1, "unknown key": 2}
_ACCEPTABLE = ("pruned", "unchained", "unsigned")
_SHOWN_STREAMS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="{verify}")
    verify = actions.add_parser("verify", help="find records that were changed, removed or put in another order")
    verify.add_argument("--app", help="the app whose log is meant, for example app.main:app")
    verify.add_argument("--database", help="the database of the log; that of SERVICE_NAME when not given")
    verify.add_argument("--anchor", type=Path, metavar="FILE",
                        help="what --json said earlier: what it knew must still be there")  # fmt: skip
    verify.add_argument("--accept", choices=_ACCEPTABLE, action="append", default=[],
                        help="what is no finding; may be given more than once")  # fmt: skip
    verify.add_argument("--all", action="store_true", help="show every stream, however many there are")
    verify.add_argument("--json", action="store_true", help="print JSON, which is also what --anchor reads")


def execute(arguments: argparse.Namespace) -> int:
    """Verify, print, and return 0 for an intact log, 1 for a broken one, 2 when its key is not known."""
    from mysingle import database
    from mysingle.cli._output import write_json
    from mysingle.cli._progress import Progress

    anchor = _anchor(arguments.anchor) if arguments.anchor else None
    name = _database_name(arguments)
    with Progress("audit records") as progress:
        look = database.verify_audit_log(name, accept=arguments.accept, anchor=anchor, on_progress=progress)
        report = asyncio.run(look)
    if arguments.json:
        write_json(report.as_dict())
    else:
        sys.stdout.write(_text(report, shows_all=arguments.all))
    if report.verdict == "unknown key":
        sys.stderr.write("error: set AUDIT_SIGNING_KEYS to the keys of the service, also those it had before\n")
    return _EXIT[report.verdict]


def _database_name(arguments: argparse.Namespace) -> str:
    from mysingle._kernel.errors import InvalidArgumentError
    from mysingle._kernel.settings import get_settings
    from mysingle.core import create_service_config, load_app

    if arguments.database:
        return create_service_config("audit", database_name=arguments.database).database_name
    if arguments.app:
        config = getattr(getattr(load_app(arguments.app), "state", None), "service_config", None)
        if config is not None:
            return str(config.database_name)
        raise InvalidArgumentError(f"{arguments.app} is no app of create_fastapi_app: name its --database")
    service = get_settings().SERVICE_NAME
    if service:
        return create_service_config(service).database_name
    raise InvalidArgumentError("whose audit log? Give --app or --database, or set SERVICE_NAME")


def _anchor(file: Path) -> "AuditAnchor":
    from mysingle.database import AuditAnchor

    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise _no_anchor(file, error.strerror or "it cannot be read") from None
    except (ValueError, RecursionError):
        raise _no_anchor(file, "it is no JSON") from None
    try:
        return AuditAnchor.parse(content)
    except ValueError as error:
        raise _no_anchor(file, str(error)) from None


def _no_anchor(file: Path, cause: str) -> Exception:
    from mysingle._kernel.errors import InvalidArgumentError

    return InvalidArgumentError(f"{file} cannot be an anchor: {cause}", reason="FILE_UNUSABLE")


def _text(report: "AuditReport", *, shows_all: bool) -> str:
    from mysingle.cli._output import table

    shown = [item for item in report.streams if item.verdict != "intact"]
    if shows_all or len(report.streams) <= _SHOWN_STREAMS:
        shown = list(report.streams)
    header = ("STATE", "STREAM", "RECORDS", "FROM", "TO", "FIRST PROBLEM")
    lines = [table(header, [_row(item) for item in shown])] if shown else []
    lines += [f"{item.stream or 'records without a stream'}: {item.reason}\n" for item in report.findings]
    if len(shown) < len(report.streams):
        lines.append(f"{len(report.streams) - len(shown)} more streams are intact; --all shows them\n")
    return "".join([*lines, _conclusion(report)])


def _row(item: "AuditStream") -> tuple[str, ...]:
    problem = "-"
    if item.finding is not None:
        problem = f"record {item.finding.number}: {item.finding.reason}"
        problem += f"; and {item.broken - 1} more" if item.broken > 1 else ""
    elif item.verdict == "unknown key":
        problem = f"signed with the key {item.key_id}, which AUDIT_SIGNING_KEYS does not hold"
    return (item.verdict, item.stream, str(item.records), _short(item.began), _short(item.ended), problem)


def _short(moment: str | None) -> str:
    return "?" if moment is None else f"{moment[:19]}Z"


def _conclusion(report: "AuditReport") -> str:
    where = f"{report.collection} of {report.database} at {report.server}"
    counts = f"{report.records:,} records in {len(report.streams):,} streams"
    verdict = {"intact": "intact", "broken": "BROKEN", "unknown key": "cannot be verified"}[report.verdict]
    if report.records == 0 and report.verdict == "intact":
        return f"{where}: no records\n"
    return f"{where}: {verdict}, {counts}\n"
