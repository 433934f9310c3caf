"""Several writes or none: a transaction where the server has them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

import pymongo
from beanie import Document
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from mysingle._kernel.context import current_context
from mysingle._kernel.errors import MySingleError
from mysingle._kernel.logging import get_logger
from mysingle.database._mongo_client import Database, has_transactions

__all__ = ["UnitOfWork", "run_unit_of_work", "unit_of_work"]

T = TypeVar("T")

_LIMIT_SECONDS = 30.0
_ABORT_SECONDS = 2.0
_TRANSIENT = "TransientTransactionError"
_ATTEMPTS = 8
_PAUSE_SECONDS = 0.01

log = get_logger("mysingle.mongodb")


class UnitOfWork(NamedTuple):
    """
    What is written together. Everything inside uses the session by itself, one operation after the other.

    `is_atomic` is False on a server without transactions: then each write stands alone.
    """

    client: AsyncMongoClient[Any]
    session: AsyncClientSession | None

    @property
    def is_atomic(self) -> bool:
        """Whether it is a transaction."""
        return self.session is not None


_current: ContextVar[UnitOfWork | None] = ContextVar("mysingle.unit_of_work", default=None)
_warned: set[str] = set()


@asynccontextmanager
async def unit_of_work(target: type[Document] | Database, *, required: bool = False) -> AsyncIterator[UnitOfWork]:
    """
    Write several documents or none: an exception inside undoes all of it.

    A unit inside of a unit joins the outer one. It ends within 30 s and within the request's deadline.

    Args:
        target: a document class of the database, or the database.
        required: refuse to run without transactions; otherwise it warns once and the writes stand alone.

    Raises:
        MySingleError: `TRANSACTIONS_MISSING`, when they are required and the server has none.
        PyMongoError: somebody else wrote the same documents meanwhile; it is answered as 409 `WRITE_CONFLICT`.
    """
    client = await _client_of(target)
    outer = _current.get()
    if outer is not None and outer.client is client:
        yield outer
    elif has_transactions(client):
        async with _transaction(client) as unit:
            yield unit
    else:
        _without_transactions(required)
        yield UnitOfWork(client, None)


async def run_unit_of_work(
    target: type[Document] | Database, work: Callable[[], Awaitable[T]], *, required: bool = False
) -> T:
    """
    Run `work` as a unit, again when somebody else got in between, at most eight times; it must be repeatable.

    Raises:
        PyMongoError: the last conflict; see `unit_of_work` for the others.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with unit_of_work(target, required=required):
                return await work()
        except PyMongoError as error:
            if attempt == _ATTEMPTS or not error.has_error_label(_TRANSIENT) or _current.get() is not None:
                raise
        await asyncio.sleep(_PAUSE_SECONDS * attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")


@asynccontextmanager
async def _transaction(client: AsyncMongoClient[Any]) -> AsyncIterator[UnitOfWork]:
    left = current_context().seconds_left()
    limit = _LIMIT_SECONDS if left is None else min(left, _LIMIT_SECONDS)
    session = client.start_session()
    unit = UnitOfWork(client, session)
    token = _current.set(unit)
    try:
        with pymongo.timeout(limit or 0.001):
            async with session.bind(end_session=False):
                await session.start_transaction()
                yield unit
            await session.commit_transaction()
    finally:
        _current.reset(token)
        # Ending a session aborts what is not committed, also for a request that has no time left.
        with pymongo.timeout(_ABORT_SECONDS):
            await asyncio.shield(session.end_session())


async def _client_of(target: type[Document] | Database) -> AsyncMongoClient[Any]:
    database = target if isinstance(target, AsyncDatabase) else _database_of(target)
    if not database.client.topology_description.has_known_servers:
        await database.command("ping")
    client: AsyncMongoClient[Any] = database.client
    return client


def _database_of(model: type[Document]) -> Database:
    return model.get_pymongo_collection().database


def _without_transactions(required: bool) -> None:
    if required:
        raise MySingleError("The MongoDB server has no transactions: use a replica set", reason="TRANSACTIONS_MISSING")
    if not _warned:
        _warned.add("mongodb")
        log.warning("mongodb.no_transactions", hint="writes of a unit stand alone; use a replica set")
