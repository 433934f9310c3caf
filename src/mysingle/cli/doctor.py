"""`mysingle doctor`: look at everything around a service. `redis` compares a live server with the allocation."""

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mysingle._kernel.settings import CommonSettings
    from mysingle.core import ServiceConfig
    from mysingle.database import ServerProbe
    from mysingle.tooling.doctor import Line, Report, Subject

__all__ = ["add_arguments", "execute"]

_FINDINGS = 1
_AUDITED_KEYS, _AUDIT_SECONDS = 10_000, 5.0
_COLOURS = {"ok": "32", "note": "2", "warn": "33", "fail": "1;31"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("subject", nargs="?", choices=["redis"], help="look at this alone; at everything by default")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--app", help="the app whose service is meant, for example app.main:app")
    parser.add_argument("--timeout", type=_positive, default=3, help="seconds to wait for each system, 3")
    parser.add_argument("--all", action="store_true", help="also show settings that have their defaults")
    parser.add_argument("--max-keys", type=_positive, default=100_000, help="redis: keys of each database, 100000")
    parser.add_argument("--max-seconds", type=_positive, default=30, help="redis: time for the whole look, 30")


def execute(arguments: argparse.Namespace) -> int:
    """Look, print, and return 1 when there is a problem."""
    return _audit(arguments) if arguments.subject == "redis" else _examine(arguments)


def _audit(arguments: argparse.Namespace) -> int:
    from mysingle import database
    from mysingle._kernel.errors import UnavailableError
    from mysingle.cli._output import write_json
    from mysingle.cli._redis_audit import as_text

    look = database.audit_redis(max_keys=arguments.max_keys, max_seconds=arguments.max_seconds)
    try:
        report = asyncio.run(look).as_dict()
    except UnavailableError as error:
        server = error.details.get("server")
        raise UnavailableError(
            f"Redis at {server} does not answer: start it, or set REDIS_HOST and REDIS_PORT to where it runs"
        ) from error
    if arguments.json:
        write_json(report)
    else:
        sys.stdout.write(as_text(report))
    return _FINDINGS if report["violations"] else 0


def _examine(arguments: argparse.Namespace) -> int:
    from mysingle.cli._output import write_json
    from mysingle.tooling.doctor import Status

    report = _report(arguments)
    if arguments.json:
        write_json(report.as_dict())
    else:
        sys.stdout.write(_text(report, shows_defaults=arguments.all))
    return _FINDINGS if report.count(Status.FAIL) else 0


def _report(arguments: argparse.Namespace) -> "Report":
    from mysingle._kernel.settings import SettingsError, get_settings
    from mysingle.tooling.doctor import Report, examine
    from mysingle.tooling.doctor.facts import versions, wrong_settings

    try:
        service = _service(arguments.app) if arguments.app else None
        settings = get_settings()
    except SettingsError as error:
        return Report((versions(), wrong_settings(error.problems)))
    return asyncio.run(examine(_subject(settings, service, float(arguments.timeout))))


def _service(app: str) -> "ServiceConfig":
    from mysingle._kernel.errors import InvalidArgumentError
    from mysingle.cli._app import open_app
    from mysingle.core import ServiceConfig, load_app

    found = getattr(getattr(open_app(load_app, app), "state", None), "service_config", None)
    if not isinstance(found, ServiceConfig):
        raise InvalidArgumentError(f"{app!r} is no app that create_fastapi_app made", reason="APP_NOT_OURS")
    return found


def _subject(settings: "CommonSettings", service: "ServiceConfig | None", seconds: float) -> "Subject":
    from mysingle import database
    from mysingle.auth.startup import check_startup
    from mysingle.tooling.doctor import Subject

    # The drivers are looked for when the question is asked: without them, the rest of the report is still there.
    async def mongodb() -> "ServerProbe":
        return await database.probe_mongo(settings, seconds)

    async def redis() -> "ServerProbe":
        return await database.probe_redis(settings)

    async def violations() -> list[str]:
        report = await database.audit_redis(settings, max_keys=_AUDITED_KEYS, max_seconds=_AUDIT_SECONDS)
        return report.violations()

    own_delay = service.drain_delay_seconds if service is not None else None
    return Subject(
        settings=settings,
        trust=check_startup(settings, is_gateway_downstream=service is None or service.is_gateway_downstream),
        drain_delay_seconds=settings.drain_delay_seconds if own_delay is None else own_delay,
        probes={"mongodb": mongodb, "redis": redis},
        audit=violations,
        timeout_seconds=seconds,
    )


def _text(report: "Report", *, shows_defaults: bool) -> str:
    from mysingle.tooling.doctor import Status

    blocks = []
    for section in report.sections:
        lines = [line for line in section.lines if shows_defaults or not line.data.get("default")]
        width = max((len(line.name) for line in lines), default=0)
        blocks.append("\n".join([_title(section.title), *(_row(line, width) for line in lines), ""]))
    counts = f"{_count(report.count(Status.FAIL), 'problem')}, {_count(report.count(Status.WARN), 'warning')}\n"
    return "\n".join([*blocks, counts])


def _title(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else text


def _row(line: "Line", width: int) -> str:
    verdict = f"\x1b[{_COLOURS[line.status]}m{line.status:<4}\x1b[0m" if sys.stdout.isatty() else f"{line.status:<4}"
    took = f" ({line.milliseconds:.1f} ms)" if line.milliseconds is not None else ""
    source = f"  [{line.data['source']}]" if "source" in line.data else ""
    text = "".join(character if character.isprintable() else "?" for character in line.text)
    return f"  {verdict}  {line.name:<{width}}  {text}{took}{source}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)
