"""The way to the broker: kombu's, with fewer ends of a worker."""

import json
from base64 import b64decode
from queue import Empty
from typing import Any

from kombu.transport import redis

from mysingle._kernel.logging import get_logger

__all__ = ["RedisTransport", "SentinelTransport"]

_CONTROL = ".pidbox"

log = get_logger("mysingle.tasks")


class _Deliveries(redis.QoS):
    """
    What a worker has taken and not finished.

    kombu gives it back when a connection ends, and ends the whole worker when there is no connection any more to do
    so. Nothing has to be given back then: Redis keeps it, and another worker gets it after the visibility timeout.
    """

    def restore_unacked_once(self, stderr: Any = None) -> None:
        """Give back, unless the connection is gone."""
        if self.channel.connection is not None and self.channel.connection.client is not None:
            super().restore_unacked_once(stderr)  # type: ignore[no-untyped-call]  # kombu has no types here


class _Reading:
    """Throws away what is no message at all; kombu has taken it from the queue by then, and ends the worker."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # of the channel beside this class
        except (ValueError, RecursionError):
            _thrown_away()
            raise Empty from None


class _Channel(_Reading, redis.Channel):
    QoS = _Deliveries


class _SentinelChannel(_Reading, redis.SentinelChannel):
    QoS = _Deliveries


class _Delivering:
    """Throws away what is no message of a task; Celery ends the worker, and the next one, which gets it back."""

    def _deliver(self, message: Any, queue: str) -> None:
        if queue and not queue.endswith(_CONTROL) and not _is_message(message):
            _thrown_away()
        else:
            super()._deliver(message, queue)  # type: ignore[misc]  # of the transport beside this class


class RedisTransport(_Delivering, redis.Transport):
    """The broker on one server."""

    Channel = _Channel


class SentinelTransport(_Delivering, redis.SentinelTransport):
    """The broker on the master that sentinels name."""

    Channel = _SentinelChannel


def _is_message(message: Any) -> bool:
    try:
        headers, properties = message["headers"], message["properties"]
        words = (headers["task"], headers["id"], properties["delivery_tag"], message["content-type"])
        if not all(isinstance(word, str) for word in words) or not isinstance(properties["delivery_info"], dict):
            return False
        return "compression" in headers or _is_body(message)
    except (LookupError, TypeError, ValueError, RecursionError):
        return False


def _is_body(message: dict[str, Any]) -> bool:
    """Return whether it has arguments; what is in another form than JSON is refused unread, and may pass here."""
    if message["content-type"] != "application/json":
        return True
    args, kwargs, embedded = json.loads(b64decode(message["body"]).decode(message["content-encoding"]))
    return isinstance(args, list) and isinstance(kwargs, dict) and isinstance(embedded, dict)


def _thrown_away() -> None:
    log.error("task.unreadable", remedy="find out who else writes to the broker's database")
