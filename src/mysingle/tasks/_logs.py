"""The log of a worker: the same lines as those of a service, and no values of arguments or results in them."""

import logging
from typing import Any

from celery.exceptions import InvalidTaskError
from kombu.exceptions import EncodeError

from mysingle._kernel.logging import setup_logging
from mysingle._kernel.settings import CommonSettings

__all__ = ["set_up_logs"]


class _SaidAlready(logging.Filter):
    """Leaves out what `task.succeeded` and its sisters say; a result that is no JSON is known to Celery only."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        return kind is not None and issubclass(kind, EncodeError)


class _WithoutBodies(logging.Filter):
    """Leaves out the messages that Celery throws away: in them are the arguments of somebody's task."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str) and record.args and "body" in record.msg:
            cause = record.args[0] if isinstance(record.args, tuple) else None
            unread = str(cause) if isinstance(cause, InvalidTaskError | KeyError) else type(cause).__name__
            record.msg, record.args = "A message was thrown away: %s", (unread,)
            record.exc_info = record.exc_text = None
        return True


def set_up_logs(settings: CommonSettings, service_name: str, level: Any = None) -> None:
    """Send the log of Celery through the platform's; `level` is what the command line of the worker says."""
    chosen = logging.getLevelName(level) if isinstance(level, int) else level
    setup_logging(
        service_name,
        chosen or settings.LOG_LEVEL,
        settings.environment or "development",
        log_format=settings.LOG_FORMAT,
        log_file=settings.LOG_FILE,
    )
    _add_filter("celery.app.trace", _SaidAlready())
    _add_filter("celery.worker.consumer.consumer", _WithoutBodies())
    logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)


def _add_filter(name: str, added: logging.Filter) -> None:
    logger = logging.getLogger(name)
    if not any(type(existing) is type(added) for existing in logger.filters):
        logger.addFilter(added)
