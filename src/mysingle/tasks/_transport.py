"""The way to the broker: kombu's, with one end of a worker less."""

from typing import Any

from kombu.transport import redis

__all__ = ["RedisTransport", "SentinelTransport"]


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


class _Channel(redis.Channel):
    QoS = _Deliveries


class _SentinelChannel(redis.SentinelChannel):
    QoS = _Deliveries


class RedisTransport(redis.Transport):
    """The broker on one server."""

    Channel = _Channel


class SentinelTransport(redis.SentinelTransport):
    """The broker on the master that sentinels name."""

    Channel = _SentinelChannel
