"""Pages of a list that may change between two requests: a cursor names the last document seen, not a number."""

import base64
import binascii
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import bson
from beanie import Document
from beanie.odm.queries.find import FindMany
from beanie.odm.utils.encoder import Encoder
from bson import Decimal128, Int64, ObjectId
from bson.errors import BSONError

from mysingle._kernel.errors import InvalidArgumentError

__all__ = ["Page", "check_sort", "paginate"]

D = TypeVar("D", bound=Document)

MAX_LIMIT = 1_000
_MAX_CURSOR = 2_000
_SORT = re.compile(r"[+-]?[A-Za-z_]\w*(\.\w+)*")
_PLAIN = frozenset({str, int, Int64, Decimal128, float, bool, datetime, ObjectId, UUID, bytes})


class Page(Generic[D]):
    """One page of documents. `next_cursor` is None on the last one; it is opaque text for the URL."""

    __slots__ = ("items", "next_cursor")

    def __init__(self, items: Sequence[D], next_cursor: str | None) -> None:
        self.items = list(items)
        self.next_cursor = next_cursor


async def paginate(query: FindMany[D], *, limit: int = 50, cursor: str | None = None, sort: str = "_id") -> Page[D]:
    """
    Return one page of a query, in the order of `sort`: a field name, with `-` in front for descending.

    Ties are ordered by id, so that no document is skipped or seen twice. Give the field an index.

    Raises:
        InvalidArgumentError: `PAGE_LIMIT_INVALID`, `SORT_INVALID`, or `CURSOR_INVALID`: the cursor is of the caller,
            or of another sort.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidArgumentError(f"A page has 1 to {MAX_LIMIT} items", reason="PAGE_LIMIT_INVALID")
    check_sort(sort)
    field, direction = (sort[1:], -1) if sort.startswith("-") else (sort.removeprefix("+"), 1)
    field = "_id" if field == "id" else field
    if cursor is not None:
        query = query.find(_after(field, direction, *_decode(cursor, sort)))
    order = [(field, direction)] if field == "_id" else [(field, direction), ("_id", direction)]
    found = await query.sort(*order).limit(limit + 1).to_list()  # type: ignore[arg-type]  # the stub wants its enum; 1 and -1 are its values
    items = found[:limit]
    return Page(items, _encode(items[-1], field, sort) if len(found) > limit else None)


def check_sort(sort: str) -> None:
    """
    Look whether a sort is a field name, with `-` or `+` in front or without.

    Raises:
        InvalidArgumentError: `SORT_INVALID`; it may be of the caller.
    """
    if not _SORT.fullmatch(sort):
        raise InvalidArgumentError(
            "Sort by the name of a field, as in created_at or -created_at", reason="SORT_INVALID"
        )


def _after(field: str, direction: int, value: Any, last_id: Any) -> dict[str, Any]:
    """Return the filter for what comes after a document. None comes first, and no operator compares it with values."""
    operator = "$gt" if direction == 1 else "$lt"
    if field == "_id":
        return {"_id": {operator: last_id}}
    ties = {field: value, "_id": {operator: last_id}}
    if value is None:
        return ties if direction == -1 else {"$or": [{field: {"$ne": None}}, ties]}
    beyond: list[dict[str, Any]] = [{field: {operator: value}}]
    if value != value:  # NaN: below all numbers, and no operator compares it either
        beyond = [{field: {"$gte": -math.inf}}] if direction == 1 else []
    elif direction == -1 and isinstance(value, int | float | Decimal128):
        beyond.append({field: math.nan})
    if direction == -1:
        beyond.append({field: None})
    return {"$or": [*beyond, ties]}


def _encode(document: Document, field: str, sort: str) -> str:
    value = None if field == "_id" else _ENCODER.encode(_value(document, field))
    raw = bson.encode({"s": sort, "v": value, "i": document.id}, codec_options=_CODEC)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _value(document: Any, field: str) -> Any:
    """Return a field, or one inside of it by a dotted path."""
    for name in field.split("."):
        document = document.get(name) if isinstance(document, Mapping) else getattr(document, name, None)
    return document


def _decode(cursor: str, sort: str) -> tuple[Any, Any]:
    """Return value and id. What is inside comes from the caller: only plain values, never an operator."""
    try:
        if len(cursor) > _MAX_CURSOR:
            raise ValueError("too long")
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        content = bson.decode(raw, codec_options=_CODEC)
        value, last_id = content["v"], content["i"]
    except (BSONError, binascii.Error, ValueError, KeyError, TypeError, OverflowError):
        raise _refused() from None
    if content.get("s") != sort or type(last_id) not in _PLAIN or type(value) not in {*_PLAIN, type(None)}:
        raise _refused()
    return value, last_id


def _refused() -> InvalidArgumentError:
    return InvalidArgumentError("The cursor is none of this list", reason="CURSOR_INVALID")


_ENCODER = Encoder()
_CODEC = bson.CodecOptions[dict[str, Any]](tz_aware=True, uuid_representation=bson.binary.UuidRepresentation.STANDARD)
