"""What Beanie's queries do beyond Beanie: keep `created_at`, move `updated_at` and the revision, ask for the owner."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import uuid4

from beanie import BulkWriter
from beanie.odm.queries.find import FindMany, FindOne
from beanie.odm.queries.update import UpdateMany, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.results import UpdateResult

from mysingle.database._ownership import check_pipeline, check_scope

__all__ = ["OwnedFindMany", "OwnedFindOne", "StampedFindMany", "StampedFindOne", "now"]

Query: TypeAlias = dict[str, Any] | list[dict[str, Any]] | None

_MANAGED = ("created_at", "updated_at")


def now() -> datetime:
    """Return the time as MongoDB stores it, in milliseconds, so that a document equals what is read back."""
    exact = datetime.now(UTC)
    return exact.replace(microsecond=exact.microsecond // 1000 * 1000)


class _UpdateOne(UpdateOne):
    @property
    def update_query(self) -> dict[str, Any]:
        query: dict[str, Any] = _stamped(self.document_model, super().update_query, self.pymongo_kwargs.get("upsert"))
        return query


class _UpdateMany(UpdateMany):
    @property
    def update_query(self) -> dict[str, Any]:
        query: dict[str, Any] = _stamped(self.document_model, super().update_query, self.pymongo_kwargs.get("upsert"))
        return query


class StampedFindMany(FindMany[Any]):
    """Many documents of a class of ours."""

    UpdateQueryType = _UpdateMany


class StampedFindOne(FindOne[Any]):
    """One document of a class of ours."""

    UpdateQueryType = _UpdateOne

    async def replace_one(
        self, document: Any, session: AsyncClientSession | None = None, bulk_writer: BulkWriter | None = None
    ) -> UpdateResult | None:
        """Replace the document, but keep the stored `created_at`, and give it another revision."""
        if _has_times(self.document_model):
            collection = self.document_model.get_pymongo_collection()
            stored = await collection.find_one(self.get_filter_query(), {"created_at": 1}, session=session)
            document.created_at = (stored or {}).get("created_at", document.created_at)
            document.updated_at = now()
        if _has_revision(self.document_model):
            document.revision_id = uuid4()
        return await super().replace_one(document, session=session, bulk_writer=bulk_writer)


class OwnedFindMany(StampedFindMany):
    """Many documents that belong to users."""

    def get_filter_query(self) -> dict[str, Any]:
        """Return the filter, which names the owner; see `check_scope`."""
        query: dict[str, Any] = super().get_filter_query()
        check_scope(self.document_model, query)
        return query

    def aggregate(self, aggregation_pipeline: list[Any], *arguments: Any, **options: Any) -> Any:
        """Run a pipeline; what its stages read of owned collections names the owner too, see `check_pipeline`."""
        check_pipeline(self.document_model.owned_collections(), aggregation_pipeline)
        return super().aggregate(aggregation_pipeline, *arguments, **options)


class OwnedFindOne(StampedFindOne):
    """One document that belongs to a user."""

    def get_filter_query(self) -> dict[str, Any]:
        """Return the filter, which names the owner; see `check_scope`."""
        query: dict[str, Any] = super().get_filter_query()
        check_scope(self.document_model, query)
        return query


def _has_times(model: Any) -> bool:
    return "created_at" in model.model_fields and getattr(model, "_keeps_times", False)


def _has_revision(model: Any) -> bool:
    return bool(model.get_settings().use_revision)


def _stamped(model: Any, query: Query, upsert: object) -> Any:
    """Add `updated_at` and a new revision to an update, and take out whatever would rewrite `created_at`."""
    stamps: dict[str, Any] = {"updated_at": now()} if _has_times(model) else {}
    if isinstance(query, list):
        return [*query, {"$set": stamps | _revision(model, {})}] if stamps or _has_revision(model) else query
    stamped = _without_empty(query or {}) if stamps else dict(query or {})
    chosen = stamped.get("$set", {})
    stamps |= _revision(model, chosen)
    if stamps:
        stamped["$set"] = {**chosen, **stamps}
    if upsert and "updated_at" in stamps:
        stamped["$setOnInsert"] = {**stamped.get("$setOnInsert", {}), "created_at": stamps["updated_at"]}
    return stamped


def _revision(model: Any, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return a new revision, unless Beanie has chosen one: a document compares with the one that it sent."""
    if not _has_revision(model):
        return {}
    return {"revision_id": chosen["revision_id"] if chosen.get("revision_id") else uuid4()}


def _without_empty(query: Mapping[str, Any]) -> dict[str, Any]:
    kept = {
        operator: _without_managed(fields) if operator != "$rename" else _without_renamed(fields)
        for operator, fields in query.items()
    }
    return {operator: fields for operator, fields in kept.items() if fields}


def _without_renamed(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: to for name, to in _without_managed(fields).items() if to not in _MANAGED}


def _without_managed(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _MANAGED}
