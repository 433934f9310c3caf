"""A worker of a service: the process that runs its tasks, or the one that sends the periodic ones."""

import sys
from importlib import import_module
from typing import Any

from mysingle._kernel.errors import InvalidArgumentError
from mysingle._kernel.logging import flush_logs
from mysingle.tasks.app import TaskApp

__all__ = ["run_beat", "run_worker"]

# Workers need not know each other: gossip and mingle cost a second at the start, and fail when the broker does.
_ALONE = ("--without-gossip", "--without-mingle")


def run_worker(app: TaskApp | str, concurrency: int | None = None, *, log_level: str | None = None) -> int:
    """
    Run tasks until SIGTERM or Ctrl-C, which let the tasks that run end; return the exit code.

    Args:
        app: a `TaskApp`, or where it is, such as `app.tasks:celery`.
        concurrency: how many processes run tasks; the number of cores when not given.
        log_level: `LOG_LEVEL` when not given.

    Raises:
        InvalidArgumentError: there is no `TaskApp` at that place.
    """
    own = () if concurrency is None else ("--concurrency", str(concurrency))
    return _start(app, "worker", *_ALONE, *own, log_level=log_level)


def run_beat(app: TaskApp | str, *, log_level: str | None = None) -> int:
    """
    Send the tasks of `app.conf.beat_schedule` when they are due, until SIGTERM or Ctrl-C; return the exit code.

    One process of a service does this: two would send everything twice. What was due while none ran is not made up for.
    """
    return _start(app, "beat", "--pidfile=", log_level=log_level)


def _start(app: TaskApp | str, *arguments: str, log_level: str | None) -> int:
    found = _load(app) if isinstance(app, str) else app
    level = log_level or found.settings.LOG_LEVEL
    try:
        code = found.start(["--quiet", *arguments, f"--loglevel={level}"])  # a banner is no line of a log
    except SystemExit as end:
        code = end.code
    flush_logs()
    return code if isinstance(code, int) else int(code is not None)


def _load(place: str) -> TaskApp:
    module_name, _, name = place.partition(":")
    if not all(module_name.split(".")):
        raise _not_there(place, "it names no module; name it as app.tasks:celery")
    sys.path.insert(0, "")
    try:
        found: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise _not_there(place, f"there is no module {error.name}") from error
    for part in (name or "celery").split("."):
        found = getattr(found, part, None)
    if not isinstance(found, TaskApp):
        raise _not_there(place, "it is no app of create_celery_app; name it as app.tasks:celery")
    return found


def _not_there(place: str, why: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{place!r} cannot be run: {why}", reason="APP_NOT_FOUND")
