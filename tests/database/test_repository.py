from typing import Any
from uuid import uuid4

import pytest
from beanie.exceptions import RevisionIdWasChanged

from mysingle._kernel.context import RequestContext, use_context
from mysingle._kernel.errors import (
    ErrorCode,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
    translate,
)
from mysingle._kernel.identity import AuthenticatedUser
from mysingle.database import BaseTimeDocWithUserId, UserRepository

ANN, BOB = "a" * 24, "b" * 24


class Order(BaseTimeDocWithUserId):
    symbol: str
    quantity: int = 1

    class Settings:
        use_revision = True
        require_owner = True


@pytest.fixture
async def anns(documents: Any) -> UserRepository[Order]:
    """Give Ann's orders: three of hers, and one of Bob's in the same collection."""
    await documents(Order)
    await UserRepository(Order, BOB).add(Order(user_id=BOB, symbol="SPY", quantity=9))
    orders = UserRepository(Order, ANN)
    await orders.add_many([Order(user_id=ANN, symbol=symbol, quantity=n) for n, symbol in enumerate("ABC")])
    return orders


def bobs() -> UserRepository[Order]:
    return UserRepository(Order, BOB)


async def test_reads_are_the_users(anns: UserRepository[Order]) -> None:
    """Every way to read finds the user's documents only, whatever the criteria say."""
    everybody = {"$or": [{"user_id": ANN}, {"user_id": BOB}]}

    assert [order.symbol for order in await anns.find(sort="symbol")] == ["A", "B", "C"]
    assert [order.symbol for order in await anns.find(everybody, sort="-symbol", limit=2, skip=1)] == ["B", "A"]
    assert [order.symbol for order in (await anns.page(everybody, limit=2)).items] == ["A", "B"]
    assert await anns.find({"user_id": BOB}) == []
    assert await anns.first({"user_id": BOB}) is None
    assert (await anns.first(sort="-quantity")).symbol == "C"  # type: ignore[union-attr]  # it is there
    assert (await anns.count(), await anns.count(everybody), await anns.count(Order.quantity > 1)) == (3, 3, 1)
    assert (await anns.exists(Order.symbol == "A"), await anns.exists(Order.symbol == "SPY")) == (True, False)
    assert {order.user_id for order in await anns.query().to_list()} == {ANN}


@pytest.mark.parametrize(
    "options",
    [{"limit": 0}, {"limit": -1}, {"skip": -1}, {"sort": ""}, {"sort": "-"}, {"sort": "$where"}, {"sort": "a b"}],
)
async def test_wrong_parts_of_a_list(anns: UserRepository[Order], options: dict[str, Any]) -> None:
    """Numbers and names that may come from a caller are refused as his mistake; no limit is not everything."""
    with pytest.raises(InvalidArgumentError):
        await anns.find(**options)
    if "skip" not in options:
        with pytest.raises(InvalidArgumentError):
            await anns.page(**options)


async def test_foreign_documents_do_not_exist(anns: UserRepository[Order]) -> None:
    """What belongs to somebody else cannot be read, changed or removed by its id."""
    foreign = (await bobs().find())[0]

    assert await anns.get(foreign.id) is None
    assert await anns.remove(foreign.id) is False
    for work in (anns.require(foreign.id), anns.change(foreign.id, {"quantity": 0}), anns.require("nonsense")):
        with pytest.raises(NotFoundError, match="Order not found"):
            await work
    assert (await bobs().require(foreign.id)).quantity == 9


async def test_adding_for_others(anns: UserRepository[Order]) -> None:
    """A document of another user is not added, and none of a list that holds one."""
    for work in (
        anns.add(Order(user_id=BOB, symbol="X")),
        anns.add_many([Order(user_id=ANN, symbol="X"), Order(user_id=BOB, symbol="X")]),
    ):
        with pytest.raises(PermissionDeniedError, match="belongs to another user"):
            await work

    assert await anns.add_many([]) == 0
    assert (await anns.count(), await bobs().count()) == (3, 1)


async def test_remove(anns: UserRepository[Order]) -> None:
    """Removing all that fits leaves other users' documents."""
    order = (await anns.find(Order.symbol == "A"))[0]

    assert await anns.remove(str(order.id)) is True
    assert await anns.remove_all() == 2
    assert (await anns.count(), await bobs().count()) == (0, 1)


async def test_change(anns: UserRepository[Order]) -> None:
    """A change returns the new document, with another revision and time, and leaves the time of its making."""
    before = (await anns.find(Order.symbol == "A"))[0]
    after = await anns.change(before.id, {"quantity": 5}, revision=before.revision_id)

    assert (after.quantity, after.created_at) == (5, before.created_at)
    assert after.revision_id != before.revision_id
    assert after.updated_at >= before.updated_at
    assert await anns.require(before.id) == after


@pytest.mark.parametrize("field", ["user_id", "_id", "id", "revision_id"])
async def test_change_keeps_identity(anns: UserRepository[Order], field: str) -> None:
    """Owner, id and revision are none of the fields that a change may set."""
    order = (await anns.find())[0]

    with pytest.raises(ValueError, match="cannot be set"):
        await anns.change(order.id, {"quantity": 5, field: BOB})


async def test_change_of_an_old_revision(anns: UserRepository[Order]) -> None:
    """A change of a document that somebody else changed meanwhile is a 409, and changes nothing."""
    order = (await anns.find(Order.symbol == "A"))[0]
    await anns.change(order.id, {"quantity": 5})
    with pytest.raises(RevisionIdWasChanged) as caught:
        await anns.change(order.id, {"quantity": 6}, revision=order.revision_id)
    with pytest.raises(NotFoundError):
        await anns.change("0" * 24, {"quantity": 6}, revision=uuid4())
    error = translate(caught.value)

    assert error is not None
    assert (error.code, error.reason) == (ErrorCode.ABORTED, "REVISION_CONFLICT")
    assert (await anns.require(order.id)).quantity == 5


async def test_caller_of_the_request(anns: UserRepository[Order]) -> None:
    """Without an owner it is the caller of the request; without a caller it is refused."""
    with use_context(RequestContext(user=AuthenticatedUser(id=ANN))):
        assert await UserRepository(Order).count() == 3
    with pytest.raises(UnauthenticatedError, match="Nobody is logged in"):
        UserRepository(Order)
    with pytest.raises(ValueError, match="The owner must be"):
        UserRepository(Order, "")
