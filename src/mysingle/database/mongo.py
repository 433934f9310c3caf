"""The connection to MongoDB: retried at start-up, bounded afterwards, without a password in any message."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import pymongo
from beanie import Document, View
from beanie.odm.fields import ExpressionField
from beanie.odm.utils.init import Initializer
from pymongo.errors import ConfigurationError, PyMongoError

from mysingle._kernel.errors import UnavailableError
from mysingle._kernel.logging import get_logger
from mysingle._kernel.settings import CommonSettings, get_settings
from mysingle.database._mongo_client import Database, address_of, connect, has_transactions
from mysingle.database._mongo_errors import absence, is_passing, refusal, register_translators, unavailable
from mysingle.database._mongo_monitor import CommandMonitor
from mysingle.database._unit_of_work import UnitOfWork, unit_of_work
from mysingle.database.audit import AUDIT_COLLECTION

__all__ = ["MongoResource", "init_mongo"]

Models: TypeAlias = Sequence[type[Document] | type[View] | str]

_PING_TIMEOUT_SECONDS = 2.0
_FIRST_PAUSE_SECONDS = 0.2
_MAX_PAUSE_SECONDS = 2.0

log = get_logger("mysingle.mongodb")


async def init_mongo(
    document_models: Models,
    *,
    database_name: str,
    settings: CommonSettings | None = None,
    url: str | None = None,
    app_name: str | None = None,
    timeout_seconds: float | None = None,
) -> Database:
    """
    Connect, create the indexes of `document_models`, and return the database; the caller closes `database.client`.

    Args:
        document_models: Beanie documents and views; only these get indexes, never their base classes.
        database_name: the database of the service.
        settings: the process's settings when not given.
        url: a connection string instead of the settings' own; what it spells wins over the settings.
        app_name: how the server's log names us; `SERVICE_NAME` when not given.
        timeout_seconds: how long to try; `STARTUP_TIMEOUT_SECONDS` when not given.

    Raises:
        UnavailableError: no server within the time, or it refuses the credentials.
        SettingsError: the connection string is not one.
        MySingleError: the server refuses the indexes.
    """
    settings = settings or get_settings()
    register_translators()
    location = url or settings.mongodb_url
    monitor = CommandMonitor(settings.MONGODB_SLOW_QUERY_MS / 1000, [AUDIT_COLLECTION])
    client = connect(location, settings, app_name or settings.SERVICE_NAME, [monitor])
    try:
        await _prepare(
            client[database_name],
            document_models,
            address=address_of(location),
            timeout_seconds=timeout_seconds or settings.STARTUP_TIMEOUT_SECONDS,
            try_seconds=settings.MONGODB_SERVER_SELECTION_TIMEOUT_MS / 1000,
        )
    except BaseException:
        await client.close()
        raise
    monitor.collections |= set(_collections_of(document_models))
    return client[database_name]


class MongoResource:
    """MongoDB as a part of a service: `open` connects and prepares the documents, `close` disconnects."""

    name = "mongodb"

    def __init__(
        self,
        database_name: str,
        document_models: Models = (),
        settings: CommonSettings | None = None,
        app_name: str | None = None,
    ) -> None:
        self._database_name = database_name
        self._document_models = document_models
        self._settings = settings
        self._app_name = app_name
        self._database: Database | None = None

    @property
    def database(self) -> Database:
        """
        The database of the service.

        Raises:
            UnavailableError: it is not open.
        """
        if self._database is None:
            raise UnavailableError("MongoDB is not connected", reason="MONGODB_UNAVAILABLE", retry_after_seconds=1)
        return self._database

    @property
    def has_transactions(self) -> bool:
        """Whether the server is of a replica set or a sharded cluster."""
        return has_transactions(self.database.client)

    async def open(self) -> None:
        """Connect; see `init_mongo` for the errors."""
        self._database = await init_mongo(
            self._document_models,
            database_name=self._database_name,
            settings=self._settings,
            app_name=self._app_name,
        )

    async def close(self) -> None:
        """Disconnect; closing twice is fine."""
        database, self._database = self._database, None
        if database is not None:
            await database.client.close()

    async def ping(self) -> None:
        """
        Ask the server, for at most two seconds.

        Raises:
            UnavailableError: no answer.
        """
        database = self.database
        try:
            with pymongo.timeout(_PING_TIMEOUT_SECONDS):
                await database.command("ping")
        except PyMongoError as error:
            raise unavailable(error) from error

    @asynccontextmanager
    async def unit_of_work(self, *, required: bool = False) -> AsyncIterator[UnitOfWork]:
        """Write several documents or none; see `mysingle.database.unit_of_work`."""
        async with unit_of_work(self.database, required=required) as unit:
            yield unit


class _Initializer(Initializer):
    """
    Beanie's set-up, except that it leaves base classes alone.

    Indexes would create a collection of a base class's name. Its query fields would become the default values of every
    document class that is defined later, because pydantic takes a base's class attribute for a default.
    """

    async def init_indexes(self, cls: Any, allow_index_dropping: bool = False) -> None:
        if cls in self.document_models:
            await super().init_indexes(cls, allow_index_dropping)

    def init_document_fields(self, cls: Any) -> None:
        super().init_document_fields(cls)
        if cls not in self.document_models:
            for name in [name for name, value in vars(cls).items() if isinstance(value, ExpressionField)]:
                delattr(cls, name)


async def _prepare(
    database: Database, models: Models, *, address: str, timeout_seconds: float, try_seconds: float
) -> None:
    """Try until it works, the time is over, or trying again makes no sense."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + timeout_seconds
    for attempt, pause in enumerate(_pauses(), start=1):
        try:
            async with asyncio.timeout_at(deadline):
                await _try(database, models, try_seconds, timeout_seconds)
        except (PyMongoError, TimeoutError) as error:
            if not is_passing(error):
                raise refusal(error, address) from error
            if clock() + pause >= deadline:
                raise absence(address, timeout_seconds) from _quotable(error)
        else:
            return
        log.warning("mongodb.unreachable", server=address, attempt=attempt, retry_in_seconds=round(pause, 2))
        await asyncio.sleep(pause)


async def _try(database: Database, models: Models, try_seconds: float, index_seconds: float) -> None:
    # Building an index may take long, finding out that nobody is there must not.
    with pymongo.timeout(try_seconds):
        await database.command("ping")
    with pymongo.timeout(index_seconds):
        await _Initializer(database=database, document_models=list(models))


def _quotable(error: Exception) -> Exception | None:
    """Return the cause for the log, unless it may quote the connection string."""
    return None if isinstance(error, ConfigurationError) else error


def _pauses() -> Iterator[float]:
    """Yield seconds to wait: doubling up to a limit, spread so that workers do not come all at once."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311  # decides nothing
        pause = min(pause * 2, _MAX_PAUSE_SECONDS)


def _collections_of(models: Models) -> Iterator[str]:
    """Yield the names of the collections and views that the service declares."""
    for model in models:
        if not isinstance(model, str):
            name = model.get_settings().name
            if name:
                yield name
