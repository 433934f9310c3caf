"""The log of a worker: the same lines as those of a service, and no values of arguments or results in them."""

import logging
from typing import Any

from kombu.exceptions import EncodeError

from mysingle._kernel.logging import setup_logging
from mysingle._kernel.settings import CommonSettings

__all__ = ["set_up_logs"]


class _SaidAlready(logging.Filter):
    """Leaves out what `task.succeeded` and its sisters say; a result that is no JSON is known to Celery only."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        return kind is not None and issubclass(kind, EncodeError)


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
    trace = logging.getLogger("celery.app.trace")
    if not any(isinstance(existing, _SaidAlready) for existing in trace.filters):
        trace.addFilter(_SaidAlready())
    logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)
