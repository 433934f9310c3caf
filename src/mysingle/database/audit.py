"""The audit log in MongoDB: an append-only collection of the service's own database, chained record by record."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import SecretStr
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from mysingle.database._audit_chain import AuditChain, audit_keys

__all__ = ["AUDIT_COLLECTION", "MongoAuditSink"]

AUDIT_COLLECTION = "audit_logs"
_DUPLICATE_KEY = 11000


class MongoAuditSink:
    """
    Writes audit records (any dataclass) as documents, in order. The database is asked for at the first write.

    Each sink writes a stream of its own, whose records carry a hash over the one before; the first of `keys` signs
    them. `verify_audit_log` checks the streams.
    """

    def __init__(self, database: Callable[[], AsyncDatabase[dict[str, Any]]], keys: Sequence[SecretStr] = ()) -> None:
        self._database = database
        self._keys = audit_keys(keys)
        self._chain: AuditChain | None = None
        self._unsure: tuple[Any, ...] = ()
        self._turn = asyncio.Lock()

    async def write(self, records: Sequence[Any]) -> None:
        """
        Store the records; those that an earlier, interrupted write has stored already stay as they are.

        Raises:
            PyMongoError: the server cannot be reached, or refuses a record.
        """
        async with self._turn:
            chain = self._chain_for(tuple(records))
            documents = chain.link([_fields(record) for record in records])
            # Whatever ends this write, the server may have stored it: its places are taken until it is known.
            self._unsure = tuple(records)
            await self._insert(documents)
            chain.keep(documents)
            self._unsure = ()

    def _chain_for(self, records: tuple[Any, ...]) -> AuditChain:
        """Return the stream to go on with; records that were given up leave a stream nobody can go on with."""
        if self._chain is None or records[: len(self._unsure)] != self._unsure:
            self._chain = AuditChain(self._keys)
        return self._chain

    async def _insert(self, documents: list[dict[str, Any]]) -> None:
        try:
            await self._database()[AUDIT_COLLECTION].insert_many(documents, ordered=False)
        except BulkWriteError as error:
            refused = error.details.get("writeErrors", [])
            if any(item.get("code") != _DUPLICATE_KEY for item in refused):
                raise


def _fields(record: Any) -> dict[str, Any]:
    """Return what is stored; the place in the stream is what identifies a record there."""
    return {name: value for name, value in asdict(record).items() if name != "id"}
