"""The audit log in MongoDB: an append-only collection of the service's own database."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

__all__ = ["AUDIT_COLLECTION", "MongoAuditSink"]

AUDIT_COLLECTION = "audit_logs"


class MongoAuditSink:
    """Writes audit records (any dataclass) as documents, in order. The database is asked for at the first write."""

    def __init__(self, database: Callable[[], AsyncDatabase[dict[str, Any]]]) -> None:
        self._database = database

    async def write(self, records: Sequence[Any]) -> None:
        """Store the records; raises the driver's error when the server cannot be reached."""
        await self._database()[AUDIT_COLLECTION].insert_many([asdict(record) for record in records], ordered=True)
