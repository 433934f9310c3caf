"""The connection to MongoDB: retried at start-up, bounded afterwards, without a password in any message."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import pymongo
from beanie import Document, View
from beanie.odm.fields import ExpressionField
from beanie.odm.utils.init import Initializer
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
)

from mysingle._kernel.errors import (
    AlreadyExistsError,
    ErrorCode,
    MySingleError,
    UnavailableError,
    add_translator,
)
from mysingle._kernel.logging import get_logger
from mysingle._kernel.settings import CommonSettings, SettingsError, get_settings

__all__ = ["MongoResource", "init_mongo"]

Database: TypeAlias = AsyncDatabase[dict[str, Any]]
Models: TypeAlias = Sequence[type[Document] | type[View] | str]

_PING_TIMEOUT_SECONDS = 2.0
_FIRST_PAUSE_SECONDS = 0.2
_MAX_PAUSE_SECONDS = 2.0

# Workers that start together may create a collection or index at the same instant; the second try finds it there.
# https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
_RACE_CODES = frozenset({48, 112, 117, 276})  # NamespaceExists, WriteConflict, ConflictingOperation, IndexBuildAborted
_CREDENTIAL_CODES = frozenset({13, 18})  # Unauthorized, AuthenticationFailed

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
        url: a connection string instead of the settings' own.
        app_name: how the server's log names us; `SERVICE_NAME` when not given.
        timeout_seconds: how long to try; `STARTUP_TIMEOUT_SECONDS` when not given.

    Raises:
        UnavailableError: no server within the time, or it refuses the credentials.
        SettingsError: the connection string is not one.
        MySingleError: the server refuses the indexes.
    """
    settings = settings or get_settings()
    _register_translators()
    location = url or settings.mongodb_url
    client = _connect(location, settings, app_name or settings.SERVICE_NAME)
    try:
        await _prepare(
            client[database_name],
            document_models,
            address=_address(location),
            timeout_seconds=timeout_seconds or settings.STARTUP_TIMEOUT_SECONDS,
            try_seconds=settings.MONGODB_SERVER_SELECTION_TIMEOUT_MS / 1000,
        )
    except BaseException:
        await client.close()
        raise
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
            raise _unavailable(error) from error


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


def _connect(url: str, settings: CommonSettings, app_name: str | None) -> AsyncMongoClient[dict[str, Any]]:
    try:
        return AsyncMongoClient(
            url,
            appname=app_name or "mysingle",
            tz_aware=True,
            uuidRepresentation="standard",
            minPoolSize=settings.MONGODB_MIN_POOL_SIZE,
            maxPoolSize=settings.MONGODB_MAX_POOL_SIZE,
            connectTimeoutMS=settings.MONGODB_CONNECT_TIMEOUT_MS,
            serverSelectionTimeoutMS=settings.MONGODB_SERVER_SELECTION_TIMEOUT_MS,
            timeoutMS=settings.MONGODB_TIMEOUT_MS,
        )
    except (ConfigurationError, ValueError):
        # The driver's message may quote a part of the string, and that part may be the password.
        raise SettingsError(
            ["MONGODB_URL is no connection string: mongodb://user:password@host:port/, escaped as in RFC 3986"]
        ) from None


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
            if not _is_passing(error):
                raise _refusal(error, address) from error
            if clock() + pause >= deadline:
                raise _absence(address, timeout_seconds) from error
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


def _pauses() -> Iterator[float]:
    """Yield seconds to wait: doubling up to a limit, spread so that workers do not come all at once."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311  # decides nothing
        pause = min(pause * 2, _MAX_PAUSE_SECONDS)


def _is_passing(error: PyMongoError | TimeoutError) -> bool:
    """Tell whether the same thing may work a moment later."""
    if isinstance(error, ConnectionFailure | TimeoutError) or error.timeout:
        return True
    return isinstance(error, OperationFailure) and error.code in _RACE_CODES


def _refusal(error: PyMongoError | TimeoutError, address: str) -> MySingleError:
    if isinstance(error, OperationFailure) and error.code in _CREDENTIAL_CODES:
        return UnavailableError(
            f"MongoDB at {address} refuses the credentials: check MONGODB_USERNAME, MONGODB_PASSWORD or MONGODB_URL",
            reason="MONGODB_REFUSED",
        )
    return MySingleError(
        f"MongoDB at {address} cannot be prepared: {_cause(error)}",
        code=ErrorCode.FAILED_PRECONDITION,
        reason="MONGODB_SETUP_FAILED",
    )


def _cause(error: Exception) -> str:
    """Return what the server says, in one line and without the values of documents."""
    if isinstance(error, DuplicateKeyError):
        return f"documents that exist already have the same {_key_fields(error)}"
    details = error.details if isinstance(error, OperationFailure) else None
    return str((details or {}).get("errmsg") or type(error).__name__)


def _absence(address: str, seconds: float) -> UnavailableError:
    return UnavailableError(
        f"MongoDB at {address} is not reachable within {seconds:g} s: "
        "start it, or set MONGODB_URL or MONGODB_SERVER to where it runs",
        reason="MONGODB_UNAVAILABLE",
        retry_after_seconds=1,
    )


def _address(url: str) -> str:
    """Return the servers of a connection string. What stands before the last `@` is dropped: it may be a password."""
    location = url.split("://", 1)[-1].rsplit("@", 1)[-1]
    return location.split("/", 1)[0].split("?", 1)[0]


def _register_translators() -> None:
    add_translator(PyMongoError, _translate)
    add_translator(DuplicateKeyError, _already_exists)


def _translate(error: PyMongoError) -> MySingleError:
    if isinstance(error, ConnectionFailure) or error.timeout:
        return _unavailable(error)
    return MySingleError(f"MongoDB refused an operation: {type(error).__name__}", reason="MONGODB_ERROR")


def _unavailable(error: PyMongoError) -> UnavailableError:
    return UnavailableError(
        "The database is not reachable at the moment",
        reason="MONGODB_UNAVAILABLE",
        details={"error": type(error).__name__},
        retry_after_seconds=1,
    )


def _already_exists(error: DuplicateKeyError) -> AlreadyExistsError:
    return AlreadyExistsError("It exists already", details={"fields": _key_fields(error)})


def _key_fields(error: DuplicateKeyError) -> str:
    return ", ".join((error.details or {}).get("keyPattern", {})) or "key"
