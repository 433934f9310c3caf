"""The documents of one user: no method without the user's filter, so that nobody can forget it."""

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar
from uuid import UUID

from beanie import PydanticObjectId
from beanie.exceptions import RevisionIdWasChanged
from beanie.odm.queries.find import FindMany
from beanie.odm.queries.update import UpdateResponse
from bson import ObjectId

from mysingle._kernel.context import current_context
from mysingle._kernel.errors import InvalidArgumentError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from mysingle.database._ownership import Owner, owner_id
from mysingle.database._pages import MAX_LIMIT, Page, check_sort, paginate
from mysingle.database.documents import BaseDocumentWithUserId

__all__ = ["UserRepository"]

D = TypeVar("D", bound=BaseDocumentWithUserId)

_FIXED = frozenset({"id", "_id", "user_id", "revision_id"})


class UserRepository(Generic[D]):
    """
    The documents of one class that one user owns.

    Criteria are those of Beanie's `find`; they can only narrow what is found.

    Args:
        model: the document class.
        owner: the user or its id; the caller of the running request when not given.

    Raises:
        UnauthenticatedError: no owner is given and nobody is calling.
        ValueError: the owner is nobody.
    """

    def __init__(self, model: type[D], owner: Owner | None = None) -> None:
        if owner is None and (owner := current_context().user) is None:
            raise UnauthenticatedError("Nobody is logged in", reason="AUTH_REQUIRED")
        self.model = model
        self.user_id = owner_id(owner)

    def query(self, *criteria: Any) -> FindMany[D]:
        """Return Beanie's query of the user's documents, for what has no method here."""
        return self.model.find_owned(self.user_id, *criteria)

    async def get(self, document_id: object) -> D | None:
        """Return a document, None when it is not there, or not the user's."""
        return await self.model.get_owned(document_id, self.user_id)

    async def require(self, document_id: object) -> D:
        """
        Return a document.

        Raises:
            NotFoundError: it is not there, or not the user's.
        """
        return await self.model.require_owned(document_id, self.user_id)

    async def first(self, *criteria: Any, sort: str | None = None) -> D | None:
        """Return the first document in the order of `sort`, None when there is none."""
        return await self.query(*criteria).sort(sort).first_or_none()

    async def find(self, *criteria: Any, sort: str | None = None, limit: int = 100, skip: int = 0) -> list[D]:
        """
        Return documents, at most `limit` and never more than a thousand.

        Raises:
            InvalidArgumentError: `PAGE_LIMIT_INVALID`, fewer than one or after fewer than none; `SORT_INVALID`.
        """
        if limit < 1 or skip < 0:
            raise InvalidArgumentError("A page has at least one item", reason="PAGE_LIMIT_INVALID")
        if sort is not None:
            check_sort(sort)
        return await self.query(*criteria).sort(sort).skip(skip).limit(min(limit, MAX_LIMIT)).to_list()

    async def page(self, *criteria: Any, limit: int = 50, cursor: str | None = None, sort: str = "_id") -> Page[D]:
        """Return one page; see `paginate`."""
        return await paginate(self.query(*criteria), limit=limit, cursor=cursor, sort=sort)

    async def count(self, *criteria: Any) -> int:
        """Return how many there are."""
        return await self.query(*criteria).count()

    async def exists(self, *criteria: Any) -> bool:
        """Tell whether there is one."""
        return await self.query(*criteria).exists()

    async def add(self, document: D) -> D:
        """
        Insert a document of the user.

        Raises:
            PermissionDeniedError: it is another user's.
        """
        self._check(document)
        return await document.insert()

    async def add_many(self, documents: Iterable[D]) -> int:
        """Insert documents of the user, and return their number; see `add` for the errors."""
        new = list(documents)
        for document in new:
            self._check(document)
        return len((await self.model.insert_many(new)).inserted_ids) if new else 0

    async def change(self, document_id: object, fields: Mapping[str, Any], *, revision: UUID | None = None) -> D:
        """
        Set fields of a document in one step, and return it; the values are stored as they are given.

        With `revision`, only the document that still has this `revision_id` is changed.

        Raises:
            NotFoundError: it is not there, or not the user's.
            RevisionIdWasChanged: somebody else changed it meanwhile; it is answered as 409 `REVISION_CONFLICT`.
            ValueError: the owner, the id or the revision is among the fields.
        """
        refused = _FIXED & set(fields)
        if refused:
            raise ValueError(f"{', '.join(sorted(refused))} cannot be set")
        wanted = self._one(document_id) | ({"revision_id": revision} if revision else {})
        found: Any = await self.model.find_one(wanted).update(
            {"$set": dict(fields)}, response_type=UpdateResponse.NEW_DOCUMENT
        )
        if found is not None:
            changed: D = found
            return changed
        if revision and await self.get(document_id) is not None:
            raise RevisionIdWasChanged
        raise NotFoundError(f"{self.model.__name__} not found")

    async def remove(self, document_id: object) -> bool:
        """Delete a document; tell whether there was one."""
        return await self.model.delete_owned(document_id, self.user_id)

    async def remove_all(self, *criteria: Any) -> int:
        """Delete the user's documents that fit, and return their number."""
        result = await self.query(*criteria).delete()
        return result.deleted_count if result else 0

    def _check(self, document: D) -> None:
        if document.user_id != self.user_id:
            raise PermissionDeniedError(f"The {self.model.__name__} belongs to another user", reason="OWNER_MISMATCH")

    def _one(self, document_id: object) -> dict[str, Any]:
        text = str(document_id)
        found = PydanticObjectId(text) if ObjectId.is_valid(text) else None
        return {"_id": found, "user_id": self.user_id}
