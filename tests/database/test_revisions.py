import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from beanie import BulkWriter
from beanie.exceptions import RevisionIdWasChanged

from mysingle.database import BaseDocument, BaseTimeDocument


class Plain(BaseDocument):
    amount: int = 0

    class Settings:
        use_revision = True
        use_state_management = True


class Timed(BaseTimeDocument):
    amount: int = 0

    class Settings:
        use_revision = True
        use_state_management = True


async def save(document: Any) -> None:
    document.amount = 1
    await document.save()


async def replace(document: Any) -> None:
    document.amount = 1
    await document.replace()


async def save_changes(document: Any) -> None:
    document.amount = 1
    await document.save_changes()


async def in_bulk(document: Any) -> None:
    async with BulkWriter() as writer:
        await type(document).find_one({"_id": document.id}).update({"$inc": {"amount": 1}}, bulk_writer=writer)


WRITES: dict[str, Callable[[Any], Any]] = {
    "save": save,
    "set": lambda document: document.set({"amount": 1}),
    "inc": lambda document: document.inc({"amount": 1}),
    "replace": replace,
    "save_changes": save_changes,
}
OTHER_WRITES: dict[str, Callable[[Any], Any]] = {
    **WRITES,
    "find_one-set": lambda document: type(document).find_one({"_id": document.id}).set({"amount": 1}),
    "find-inc": lambda document: type(document).find({"_id": document.id}).inc({"amount": 1}),
    "find-update": lambda document: type(document).find({"_id": document.id}).update({"$inc": {"amount": 1}}),
    "update_all": lambda document: type(document).update_all({"$inc": {"amount": 1}}),
    "pipeline": lambda document: type(document).find_all().update([{"$set": {"amount": 1}}]),
    "replace_one": lambda document: (
        type(document).find_one({"_id": document.id}).replace_one(type(document)(id=document.id, amount=1))
    ),
    "bulk": in_bulk,
}


@pytest.mark.parametrize("model", [Plain, Timed])
@pytest.mark.parametrize("other", OTHER_WRITES.values(), ids=OTHER_WRITES)
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_nothing_is_overwritten(documents: Any, model: Any, write: Any, other: Any) -> None:
    """Whatever changed a document meanwhile, one that was read before is not written over it."""
    await documents(model)
    mine = await model().insert()
    await other(await model.get(mine.id))
    before = await model.get(mine.id)
    with pytest.raises(RevisionIdWasChanged):
        await write(mine)

    assert (await model.get(mine.id)).amount == before.amount == 1


@pytest.mark.parametrize("model", [Plain, Timed])
async def test_one_of_many_wins(documents: Any, model: Any) -> None:
    """Of twenty writers that read the same revision exactly one succeeds."""
    await documents(model)
    document = await model().insert()
    copies = [await model.get(document.id) for _ in range(20)]
    results = await asyncio.gather(*(copy.inc({"amount": 1}) for copy in copies), return_exceptions=True)

    assert sum(isinstance(result, RevisionIdWasChanged) for result in results) == 19
    assert (await model.get(document.id)).amount == 1


@pytest.mark.parametrize("model", [Plain, Timed])
async def test_one_writer_goes_on(documents: Any, model: Any) -> None:
    """A single writer may write the same document again and again."""
    await documents(model)
    document = await model().insert()
    for write in WRITES.values():
        document.amount = 0
        await document.save()
        await write(document)

    assert (await model.get(document.id)).amount == 1
