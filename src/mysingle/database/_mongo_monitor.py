"""What MongoDB is asked and how long it takes: a histogram, and a log line for what is slow, without any value."""

from collections.abc import Iterable, Mapping
from typing import Any

from pymongo.errors import PyMongoError
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from mysingle._kernel.logging import get_logger
from mysingle._kernel.metrics import OTHER, process_metrics

__all__ = ["CommandMonitor", "shape_of"]

_COMMANDS = frozenset(
    (
        *("abortTransaction", "aggregate", "commitTransaction", "count", "create", "createIndexes", "delete"),
        *("distinct", "drop", "find", "findAndModify", "getMore", "insert", "killCursors", "listCollections"),
        *("listIndexes", "ping", "update"),
    )
)
_SHOWN = ("filter", "query", "q", "u", "update", "updates", "deletes", "pipeline", "sort", "projection", "hint")
_MAX_DEPTH, _MAX_ITEMS, _MAX_SHAPE = 8, 20, 1_000

log = get_logger("mysingle.mongodb")


class CommandMonitor(CommandListener):
    """
    Counts every command, and reports those that take `slow_seconds` or longer; 0 reports none.

    Only the collections in `collections` become label values, so that a name made at run time adds no series.
    """

    def __init__(self, slow_seconds: float, collections: Iterable[str] = ()) -> None:
        self.collections = set(collections)
        self._slow_seconds = slow_seconds
        self._running: dict[tuple[object, int], Mapping[str, Any]] = {}
        self._series: dict[tuple[str, str, str], Any] = {}

    def started(self, event: CommandStartedEvent) -> None:
        """Remember the command until its reply, for its shape."""
        self._running[event.connection_id, event.request_id] = event.command

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Count a command that worked."""
        self._end(event, "")

    def failed(self, event: CommandFailedEvent) -> None:
        """Count a command that failed."""
        self._end(event, _error_type(event.failure))

    def _end(self, event: CommandSucceededEvent | CommandFailedEvent, error: str) -> None:
        command = self._running.pop((event.connection_id, event.request_id), {})
        collection = _collection_of(event.command_name, command)
        seconds = event.duration_micros / 1e6
        self._observe(event.command_name, collection, error, seconds)
        if self._slow_seconds and seconds >= self._slow_seconds:
            log.warning(
                "mongodb.slow",
                command=event.command_name,
                collection=collection,
                duration_s=round(seconds, 4),
                shape=shape_of(command),
                error_type=error or None,
            )

    def _observe(self, command: str, collection: str, error: str, seconds: float) -> None:
        key = (command, collection, error)
        series = self._series.get(key)
        if series is None:
            known = collection if not collection or collection in self.collections else OTHER
            name = command if command in _COMMANDS else OTHER
            series = process_metrics().database_seconds.labels("mongodb", name, known, error)
            if known != OTHER:
                self._series[key] = series
        series.observe(seconds)


def shape_of(command: Mapping[str, Any]) -> str:
    """Return what a command does, its values replaced by `?`, cut at a thousand characters."""
    parts = {name: command.get(name) for name in _SHOWN}
    shown = {name: _without_values(part, 0) for name, part in parts.items() if isinstance(part, Mapping | list)}
    return str(shown).replace("'", "")[:_MAX_SHAPE]


def _without_values(value: Any, depth: int) -> Any:
    if depth == _MAX_DEPTH:
        return "?"
    if isinstance(value, Mapping):
        return {str(name): _without_values(value[name], depth + 1) for name in list(value)[:_MAX_ITEMS]}
    if isinstance(value, list | tuple):
        shapes = [_without_values(item, depth + 1) for item in value[:_MAX_ITEMS]]
        return [shape for number, shape in enumerate(shapes) if shape not in shapes[:number]]
    return "?"


def _collection_of(name: str, command: Mapping[str, Any]) -> str:
    value = command.get("collection") if name == "getMore" else command.get(name)
    return value if isinstance(value, str) else ""


def _error_type(failure: Any) -> str:
    """Return the server's name of the error, or the exception's; both are bounded sets."""
    if isinstance(failure, Mapping):
        return str(failure.get("codeName") or failure.get("errtype") or PyMongoError.__name__)
    return type(failure).__name__
