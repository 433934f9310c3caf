"""The audit log in MongoDB: an append-only collection of the service's own database."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

__all__ = ["AUDIT_COLLECTION", "MongoAuditSink"]

AUDIT_COLLECTION = "audit_logs"
_DUPLICATE_KEY = 11000


class MongoAuditSink:
    """Writes audit records (any dataclass) as documents, in order. The database is asked for at the first write."""

    def __init__(self, database: Callable[[], AsyncDatabase[dict[str, Any]]]) -> None:
        self._database = database

    async def write(self, records: Sequence[Any]) -> None:
        """
        Store the records; those that an earlier, interrupted write has stored already stay as they are.

        Raises:
            PyMongoError: the server cannot be reached, or refuses a record.
        """
        documents = [{"_id": fields.pop("id"), **fields} for fields in map(asdict, records)]
        try:
            await self._database()[AUDIT_COLLECTION].insert_many(documents, ordered=False)
        except BulkWriteError as error:
            refused = error.details.get("writeErrors", [])
            if any(item.get("code") != _DUPLICATE_KEY for item in refused):
                raise
