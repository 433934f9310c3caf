"""The MongoDB client: bounded by the request's deadline, aware of UTC, and what the connection string says wins."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError
from pymongo.monitoring import CommandListener

from mysingle._kernel.context import current_context
from mysingle._kernel.settings import CommonSettings, SettingsError
from mysingle.database._mongo_errors import budget_exhausted

__all__ = ["Database", "address_of", "connect", "has_transactions"]

Database: TypeAlias = AsyncDatabase[dict[str, Any]]

_TIMEOUT = "timeoutms"
_WITH_TRANSACTIONS = frozenset({"RSPrimary", "RSSecondary", "Mongos", "LoadBalancer"})


class _Client(AsyncMongoClient[dict[str, Any]]):
    """
    A client whose operations end within `limit_seconds` and within the deadline of the request that asks.

    PyMongo asks `_timeout` at the start of each operation of a client without `timeoutMS`, retries included; its
    public `pymongo.timeout` would have to stand around every single call. A block of `pymongo.timeout` still decides
    for itself. The tests try every kind of operation.
    """

    limit_seconds: float | None = None

    @property
    def _timeout(self) -> float | None:
        left = current_context().seconds_left()
        if left is None:
            return self.limit_seconds
        if left == 0:
            raise budget_exhausted()
        return left if self.limit_seconds is None else min(left, self.limit_seconds)

    @_timeout.setter
    def _timeout(self, seconds: float | None) -> None:
        """Take no notice: the driver sets what it found among its options."""


def connect(
    url: str, settings: CommonSettings, app_name: str | None = None, listeners: Sequence[CommandListener] = ()
) -> AsyncMongoClient[dict[str, Any]]:
    """
    Return a client that has not connected yet.

    Raises:
        SettingsError: the connection string is not one.
    """
    location, timeout_ms = _take_timeout(url)
    options: dict[str, Any] = {
        "appname": app_name or "mysingle",
        "minPoolSize": settings.MONGODB_MIN_POOL_SIZE,
        "maxPoolSize": settings.MONGODB_MAX_POOL_SIZE,
        "connectTimeoutMS": settings.MONGODB_CONNECT_TIMEOUT_MS,
        "serverSelectionTimeoutMS": settings.MONGODB_SERVER_SELECTION_TIMEOUT_MS,
    }
    spelled = {name for name, _ in _options_of(url)}
    try:
        client = _Client(
            location,
            tz_aware=True,
            uuidRepresentation="standard",
            event_listeners=list(listeners),
            **{name: value for name, value in options.items() if name.lower() not in spelled},
        )
        limit_ms = int(timeout_ms) if timeout_ms else settings.MONGODB_TIMEOUT_MS
    except (ConfigurationError, ValueError):
        # The driver's message may quote a part of the string, and that part may be the password.
        raise SettingsError([_refusal(url, settings)]) from None
    client.limit_seconds = limit_ms / 1000 or None
    return client


def _refusal(url: str, settings: CommonSettings) -> str:
    if settings.MONGODB_URL is None and url == settings.mongodb_url:
        return "MONGODB_SERVER is no address: host:port, or several with commas; a connection string is MONGODB_URL"
    return "MONGODB_URL is no connection string: mongodb://user:password@host:port/, escaped as in RFC 3986"


def has_transactions(client: AsyncMongoClient[Any]) -> bool:
    """Tell whether the servers that the client has met are of a replica set or a sharded cluster."""
    servers = client.topology_description.server_descriptions().values()
    return any(server.server_type_name in _WITH_TRANSACTIONS for server in servers)


def address_of(url: str) -> str:
    """Return the servers of a connection string. What stands before the last `@` is dropped: it may be a password."""
    location = url.split("://", 1)[-1].rsplit("@", 1)[-1]
    return location.split("/", 1)[0].split("?", 1)[0]


def _options_of(url: str) -> list[tuple[str, str]]:
    """Return the options of a connection string, names in lower case."""
    query = url.rpartition("@")[2].partition("?")[2]
    pairs = (pair.partition("=") for pair in query.replace(";", "&").split("&") if pair)
    return [(name.lower(), value) for name, _, value in pairs]


def _take_timeout(url: str) -> tuple[str, str | None]:
    """Return the string without `timeoutMS`, and its value: the client keeps that limit itself."""
    values = [value for name, value in _options_of(url) if name == _TIMEOUT]
    if not values:
        return url, None
    head, _, query = url.rpartition("?")
    kept = [pair for pair in query.replace(";", "&").split("&") if pair.partition("=")[0].lower() != _TIMEOUT]
    return "?".join([head, "&".join(kept)] if kept else [head]), values[-1]
