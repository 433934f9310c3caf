"""The documents that services extend: ids read as text, times cannot be forged, owners are not forgotten."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeAlias

from beanie import BulkWriter, Document, Indexed, PydanticObjectId, WriteRules
from beanie.odm.documents import document_alias_generator
from beanie.odm.queries.find import FindMany, FindOne
from beanie.odm.queries.update import UpdateMany, UpdateOne
from bson import ObjectId
from pydantic import AfterValidator, AliasChoices, AliasGenerator, BaseModel, BeforeValidator, ConfigDict, Field
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.results import InsertManyResult, UpdateResult

from mysingle._kernel.errors import NotFoundError
from mysingle._kernel.identity import AuthenticatedUser

__all__ = [
    "BaseDoc",
    "BaseDocWithUserId",
    "BaseDocument",
    "BaseDocumentWithUserId",
    "BaseResponseSchema",
    "BaseTimeDoc",
    "BaseTimeDocWithUserId",
    "BaseTimeDocument",
]

Owner: TypeAlias = AuthenticatedUser | str
Query: TypeAlias = dict[str, Any] | list[dict[str, Any]] | None

_MANAGED = ("created_at", "updated_at")


def _now() -> datetime:
    """Return the time as MongoDB stores it, in milliseconds, so that a document equals what is read back."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _as_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


UtcDatetime = Annotated[datetime, AfterValidator(_as_utc)]


class BaseDocument(Document):
    """A document of a collection. In JSON its id is plain text named `id`; in MongoDB it is the ObjectId `_id`."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(
            alias=document_alias_generator,
            validation_alias=document_alias_generator,
            serialization_alias=lambda name: name,
        )
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """
        Refuse two document bases, because Beanie would silently leave the class without a collection.

        Raises:
            TypeError: names the class that combines them.
        """
        super().__pydantic_init_subclass__(**kwargs)
        bases = [base.__name__ for base in cls.__bases__ if issubclass(base, Document)]
        if len(bases) > 1:
            raise TypeError(f"{cls.__name__} extends {' and '.join(bases)}: extend BaseTimeDocWithUserId instead")


class _UpdateOne(UpdateOne):
    @property
    def update_query(self) -> dict[str, Any]:
        query: dict[str, Any] = _stamped(super().update_query, upsert=self.pymongo_kwargs.get("upsert"))
        return query


class _UpdateMany(UpdateMany):
    @property
    def update_query(self) -> dict[str, Any]:
        query: dict[str, Any] = _stamped(super().update_query, upsert=self.pymongo_kwargs.get("upsert"))
        return query


class _FindMany(FindMany[Any]):
    UpdateQueryType = _UpdateMany


class _FindOne(FindOne[Any]):
    UpdateQueryType = _UpdateOne

    async def replace_one(
        self, document: Any, session: AsyncClientSession | None = None, bulk_writer: BulkWriter | None = None
    ) -> UpdateResult | None:
        """Replace the document, but keep the stored `created_at`."""
        collection = self.document_model.get_pymongo_collection()
        stored = await collection.find_one(self.get_filter_query(), {"created_at": 1}, session=session)
        document.created_at = (stored or {}).get("created_at", document.created_at)
        document.updated_at = _now()
        return await super().replace_one(document, session=session, bulk_writer=bulk_writer)


def _stamped(query: Query, *, upsert: object) -> Any:
    """Add `updated_at` to an update, and take out whatever would rewrite `created_at`."""
    if isinstance(query, list):
        return [*query, {"$set": {"updated_at": _now()}}]
    kept = {operator: _without_managed(fields) for operator, fields in (query or {}).items()}
    stamped = {operator: fields for operator, fields in kept.items() if fields}
    now = _now()
    stamped["$set"] = {**stamped.get("$set", {}), "updated_at": now}
    if upsert:
        stamped["$setOnInsert"] = {**stamped.get("$setOnInsert", {}), "created_at": now}
    return stamped


def _without_managed(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _MANAGED}


# Beanie initializes a class with two Document bases not at all, so at run time this one is a plain model.
if TYPE_CHECKING:
    _Mixin = Document
else:
    _Mixin = BaseModel


class _Timestamped(_Mixin):
    _find_one_query_class: ClassVar[type] = _FindOne
    _find_many_query_class: ClassVar[type] = _FindMany

    created_at: UtcDatetime = Field(default_factory=_now)
    updated_at: UtcDatetime = Field(default_factory=_now)

    async def insert(self, **options: Any) -> Self:
        """Insert the document; both times become now, whatever they were."""
        _stamp_as_new(self)
        return await super().insert(**options)

    @classmethod
    async def insert_one(
        cls,
        document: Any,
        session: AsyncClientSession | None = None,
        bulk_writer: BulkWriter | None = None,
        link_rule: WriteRules = WriteRules.DO_NOTHING,
    ) -> Any:
        """Insert one document, also through a bulk writer."""
        _stamp_as_new(document)
        return await super().insert_one(document, session=session, bulk_writer=bulk_writer, link_rule=link_rule)

    @classmethod
    async def insert_many(
        cls,
        documents: Iterable[Any],
        session: AsyncClientSession | None = None,
        link_rule: WriteRules = WriteRules.DO_NOTHING,
        **pymongo_kwargs: Any,
    ) -> InsertManyResult:
        """Insert many documents; their times become now."""
        new = list(documents)
        for document in new:
            _stamp_as_new(document)
        return await super().insert_many(new, session=session, link_rule=link_rule, **pymongo_kwargs)


def _stamp_as_new(document: _Timestamped) -> None:
    document.created_at = document.updated_at = _now()


class BaseTimeDocument(_Timestamped, BaseDocument):
    """
    A document that knows when it was made and last written, both in UTC.

    `created_at` is set at insert and never again: a value given to `save`, `update`, `replace` or an upsert is
    ignored. `updated_at` moves at every write, also with `find(...).update(...)`. Only an aggregation pipeline as
    update and the bare PyMongo collection can change `created_at`.
    """


class BaseDocumentWithUserId(BaseDocument):
    """A document that belongs to a user. Read it through the `owned` helpers, so that no filter is forgotten."""

    user_id: Annotated[str, Indexed()]

    @classmethod
    def find_owned(cls, owner: Owner, *criteria: Any, **options: Any) -> FindMany[Self]:
        """
        Find what a user owns; `criteria` and `options` are those of Beanie's `find` and can only narrow it.

        Raises:
            ValueError: nobody is named.
        """
        return cls.find({"user_id": _owner_id(owner)}, *criteria, **options)

    @classmethod
    async def get_owned(cls, document_id: object, owner: Owner) -> Self | None:
        """Return the document if it exists and the user owns it, else None; so does an id that cannot be one."""
        found = _as_object_id(document_id)
        if found is None:
            return None
        return await cls.find_one({"_id": found, "user_id": _owner_id(owner)})

    @classmethod
    async def require_owned(cls, document_id: object, owner: Owner) -> Self:
        """
        Return the document that the user owns.

        Raises:
            NotFoundError: it does not exist, or belongs to somebody else; the caller cannot tell which.
        """
        document = await cls.get_owned(document_id, owner)
        if document is None:
            raise NotFoundError(f"{cls.__name__} not found")
        return document

    @classmethod
    async def delete_owned(cls, document_id: object, owner: Owner) -> bool:
        """Delete the document if the user owns it; tell whether there was one."""
        document = await cls.get_owned(document_id, owner)
        if document is None:
            return False
        result = await document.delete()
        return result is not None and result.deleted_count == 1


class BaseTimeDocWithUserId(_Timestamped, BaseDocumentWithUserId):
    """A document with times and an owner; see `BaseTimeDocument` and `BaseDocumentWithUserId`."""


BaseDoc = BaseDocument
BaseTimeDoc = BaseTimeDocument
BaseDocWithUserId = BaseDocumentWithUserId


def _text_id(value: object) -> object:
    return str(value) if isinstance(value, ObjectId) else value


class BaseResponseSchema(BaseModel):
    """What a route returns for a document: made from its attributes, `id` as text."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    id: Annotated[str, BeforeValidator(_text_id)] = Field(validation_alias=AliasChoices("id", "_id"))


def _owner_id(owner: object) -> str:
    user_id = owner.id if isinstance(owner, AuthenticatedUser) else owner
    if not isinstance(user_id, str) or not user_id:
        raise ValueError(f"The owner must be an AuthenticatedUser or its id, not {owner!r}")
    return user_id


def _as_object_id(document_id: object) -> PydanticObjectId | None:
    text = str(document_id)
    return PydanticObjectId(text) if ObjectId.is_valid(text) else None
