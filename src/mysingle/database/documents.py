"""The documents that services extend: ids read as text, times cannot be forged, owners are not forgotten."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self
from uuid import uuid4

from beanie import Document, Indexed, PydanticObjectId
from beanie.odm.documents import document_alias_generator
from beanie.odm.queries.find import FindMany
from bson import ObjectId
from pydantic import AfterValidator, AliasChoices, AliasGenerator, BaseModel, BeforeValidator, ConfigDict, Field
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.results import DeleteResult, InsertManyResult

from mysingle._kernel.errors import NotFoundError
from mysingle.database._ownership import Owner, check_scope, of_document, owner_id
from mysingle.database._queries import OwnedFindMany, OwnedFindOne, StampedFindMany, StampedFindOne, now

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


def _as_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


UtcDatetime = Annotated[datetime, AfterValidator(_as_utc)]


class BaseDocument(Document):
    """
    A document of a collection. In JSON its id is plain text named `id`; in MongoDB it is the ObjectId `_id`.

    With `use_revision = True` in its `Settings`, a document that somebody else changed meanwhile is not overwritten:
    `save`, `set`, `replace` and `save_changes` raise Beanie's `RevisionIdWasChanged`, answered as 409.
    """

    _find_one_query_class: ClassVar[type] = StampedFindOne
    _find_many_query_class: ClassVar[type] = StampedFindMany

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

    @classmethod
    async def insert_one(cls, document: Any, *arguments: Any, **options: Any) -> Any:
        """Insert one document, also through a bulk writer."""
        _give_revision(cls, document)
        return await super().insert_one(document, *arguments, **options)

    @classmethod
    async def insert_many(cls, documents: Iterable[Any], *arguments: Any, **options: Any) -> InsertManyResult:
        """Insert many documents."""
        new = list(documents)
        for document in new:
            _give_revision(cls, document)
        return await super().insert_many(new, *arguments, **options)


def _give_revision(model: type[Document], document: Any) -> None:
    """Give a new document its first revision; Beanie does so in `insert` alone."""
    if model.get_settings().use_revision:
        document.revision_id = uuid4()


# Beanie initializes a class with two Document bases not at all, so at run time this one is a plain model.
if TYPE_CHECKING:
    _Mixin = Document
else:
    _Mixin = BaseModel


class _Timestamped(_Mixin):
    _keeps_times: ClassVar[bool] = True

    created_at: UtcDatetime = Field(default_factory=now)
    updated_at: UtcDatetime = Field(default_factory=now)

    async def insert(self, **options: Any) -> Self:
        """Insert the document; both times become now, whatever they were."""
        _stamp_as_new(self)
        return await super().insert(**options)

    @classmethod
    async def insert_one(cls, document: Any, *arguments: Any, **options: Any) -> Any:
        """Insert one document, also through a bulk writer; its times become now."""
        _stamp_as_new(document)
        return await super().insert_one(document, *arguments, **options)

    @classmethod
    async def insert_many(cls, documents: Iterable[Any], *arguments: Any, **options: Any) -> InsertManyResult:
        """Insert many documents; their times become now."""
        new = list(documents)
        for document in new:
            _stamp_as_new(document)
        return await super().insert_many(new, *arguments, **options)


def _stamp_as_new(document: _Timestamped) -> None:
    document.created_at = document.updated_at = now()


class BaseTimeDocument(_Timestamped, BaseDocument):
    """
    A document that knows when it was made and last written, both in UTC.

    `created_at` is set at insert and never again: a value given to `save`, `update`, `replace` or an upsert is
    ignored. `updated_at` moves at every write, also with `find(...).update(...)`. Only an aggregation pipeline as
    update and the bare PyMongo collection can change `created_at`.
    """


class BaseDocumentWithUserId(BaseDocument):
    """
    A document that belongs to a user. Read it with a `UserRepository` or the `owned` helpers.

    With `require_owner = True` in its `Settings`, every other query must name the user or stand in `every_user()`.
    """

    _find_one_query_class: ClassVar[type] = OwnedFindOne
    _find_many_query_class: ClassVar[type] = OwnedFindMany

    user_id: Annotated[str, Indexed()]

    @classmethod
    def find_owned(cls, owner: Owner, *criteria: Any, **options: Any) -> FindMany[Self]:
        """
        Find what a user owns; `criteria` and `options` are those of Beanie's `find` and can only narrow it.

        Raises:
            ValueError: nobody is named.
        """
        return cls.find({"user_id": owner_id(owner)}, *criteria, **options)

    @classmethod
    async def get_owned(cls, document_id: object, owner: Owner) -> Self | None:
        """Return the document if it exists and the user owns it, else None; so does an id that cannot be one."""
        found = _as_object_id(document_id)
        if found is None:
            return None
        return await cls.find_one({"_id": found, "user_id": owner_id(owner)})

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

    @classmethod
    def owned_collections(cls) -> dict[str, type["BaseDocumentWithUserId"]]:
        """Return the models whose documents have owners, by the name of their collection."""
        models, found = [BaseDocumentWithUserId], {}
        while models:
            model = models.pop()
            models += model.__subclasses__()
            if hasattr(model, "_document_settings"):
                found[str(model.get_settings().name)] = model
        return found

    @classmethod
    async def distinct(
        cls,
        key: str,
        filter: Mapping[str, Any] | None = None,  # noqa: A002  # Beanie's name
        session: AsyncClientSession | None = None,
        **options: Any,
    ) -> list[Any]:
        """Return the different values of a field, among what the filter finds."""
        check_scope(cls, filter or {})
        return await super().distinct(key, filter, session, **options)

    async def update(self, *expressions: Any, **options: Any) -> Self:
        """Update this document; `save`, `set` and the other operators come here too."""
        with of_document(self.id):
            return await super().update(*expressions, **options)

    async def replace(self, *arguments: Any, **options: Any) -> Self:
        """Replace this document."""
        with of_document(self.id):
            return await super().replace(*arguments, **options)

    async def delete(self, *arguments: Any, **options: Any) -> DeleteResult | None:
        """Delete this document."""
        with of_document(self.id):
            return await super().delete(*arguments, **options)

    async def sync(self, *arguments: Any, **options: Any) -> None:
        """Read this document again."""
        with of_document(self.id):
            await super().sync(*arguments, **options)


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


def _as_object_id(document_id: object) -> PydanticObjectId | None:
    text = str(document_id)
    return PydanticObjectId(text) if ObjectId.is_valid(text) else None
