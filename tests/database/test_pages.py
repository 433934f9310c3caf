import base64
import math
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import bson
import pytest
from beanie import DecimalAnnotation
from bson import ObjectId
from pydantic import Field

from mysingle._kernel.errors import ErrorCode, InvalidArgumentError
from mysingle.database import BaseTimeDocument, paginate


class Kind(Enum):
    BID = "bid"
    ASK = "ask"


class Bar(BaseTimeDocument):
    close: float | None = None
    day: datetime | None = None
    inner: dict[str, Any] = Field(default_factory=dict)


def cursor_of(**content: Any) -> str:
    return base64.urlsafe_b64encode(bson.encode(content)).rstrip(b"=").decode()


async def walk(sort: str, limit: int) -> list[Bar]:
    """Return what all pages hold, one after the other."""
    seen: list[Bar] = []
    cursor = None
    while not seen or cursor:
        page = await paginate(Bar.find_all(), limit=limit, cursor=cursor, sort=sort)
        assert len(page.items) <= limit
        seen += page.items
        cursor = page.next_cursor
        assert cursor is None or cursor.replace("-", "a").replace("_", "a").isalnum()
    return seen


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("sort", ["_id", "-id", "close", "-close", "+day", "-day", "inner.x", "-inner.x"])
async def test_pages_are_the_list(documents: Any, sort: str, limit: int) -> None:
    """The pages hold every document once, in order, also with ties and with values that are not there."""
    await documents(Bar)
    days = [None, *(datetime(2026, 1, number, tzinfo=UTC) for number in (1, 2, 2))]
    bars = [
        Bar(close=close, day=days[number % 4], inner={"x": number % 3} if number % 2 else {})
        for number, close in enumerate([2.0, None, 1.5, 2.0, None, 2.0, 3.0])
    ]
    await Bar.insert_many(bars)
    name = sort.lstrip("+-")
    keyed = [(name, -1 if sort.startswith("-") else 1), ("_id", -1 if sort.startswith("-") else 1)]
    expected = await Bar.get_pymongo_collection().find().sort(keyed if "id" not in name else keyed[1:]).to_list()

    assert [raw["_id"] for raw in expected] == [bar.id for bar in await walk(sort, limit)]


class Quote(BaseTimeDocument):
    price: DecimalAnnotation
    close: float | None = None
    kind: Kind = Kind.BID


@pytest.mark.parametrize("sort", ["price", "-price", "close", "-close", "kind", "-kind"])
async def test_pages_of_any_value(documents: Any, sort: str) -> None:
    """The same for decimals, for the members of an enum, and for numbers that are none."""
    await documents(Quote)
    closes = [math.nan, 1.0, None, math.nan, -math.inf, 2.0]
    await Quote.insert_many(
        [
            Quote(price=Decimal(number % 4) / 3, close=close, kind=list(Kind)[number % 2])
            for number, close in enumerate(closes)
        ]
    )
    seen: list[Any] = []
    cursor = None
    while not seen or cursor:
        page = await paginate(Quote.find_all(), limit=1, cursor=cursor, sort=sort)
        seen += page.items
        cursor = page.next_cursor
    direction = -1 if sort.startswith("-") else 1
    order = [(sort.lstrip("-"), direction), ("_id", direction)]

    assert [raw["_id"] for raw in await Quote.get_pymongo_collection().find().sort(order).to_list()] == [
        quote.id for quote in seen
    ]


async def test_list_changes_between_pages(documents: Any) -> None:
    """What is inserted or deleted between two pages shifts nothing."""
    await documents(Bar)
    bars = [await Bar(close=float(number)).insert() for number in range(6)]
    first = await paginate(Bar.find_all(), limit=3, sort="close")
    await bars[0].delete()
    await bars[2].delete()
    await Bar(close=-1.0).insert()
    second = await paginate(Bar.find_all(), limit=3, sort="close", cursor=first.next_cursor)

    assert [bar.close for bar in second.items] == [3.0, 4.0, 5.0]
    assert second.next_cursor is None


async def test_empty(documents: Any) -> None:
    """A list without documents has one page without a cursor."""
    await documents(Bar)
    page = await paginate(Bar.find_all())

    assert (page.items, page.next_cursor) == ([], None)


BAD = {
    "text": "nonsense!",
    "empty": "",
    "unicode": "💥",
    "no-bson": base64.urlsafe_b64encode(b"\x05\x00\x00\x00").decode(),
    "long": "a" * 5_000,
    "fields-missing": cursor_of(s="close"),
    "operator-as-value": cursor_of(s="close", v={"$ne": None}, i=ObjectId()),
    "operator-as-id": cursor_of(s="close", v=1.0, i={"$gt": ""}),
    "list-as-value": cursor_of(s="close", v=[1], i=ObjectId()),
    "code": cursor_of(s="close", v=bson.Code("1"), i=ObjectId()),
    "pattern": cursor_of(s="close", v=bson.Regex(".*"), i=ObjectId()),
    "another-sort": cursor_of(s="-close", v=1.0, i=ObjectId()),
}


@pytest.mark.parametrize("cursor", BAD.values(), ids=BAD)
async def test_foreign_cursors(documents: Any, cursor: str) -> None:
    """A cursor that this list did not give is a 400, and nothing of it reaches a query."""
    await documents(Bar)
    with pytest.raises(InvalidArgumentError, match="none of this list") as caught:
        await paginate(Bar.find_all(), sort="close", cursor=cursor)

    assert (caught.value.reason, caught.value.code) == ("CURSOR_INVALID", ErrorCode.INVALID_ARGUMENT)


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_limits(documents: Any, limit: int) -> None:
    """A page without items, or with too many, is a 400."""
    await documents(Bar)
    with pytest.raises(InvalidArgumentError, match="1 to 1000"):
        await paginate(Bar.find_all(), limit=limit)
