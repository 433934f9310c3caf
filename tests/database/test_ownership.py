from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from beanie import BulkWriter
from bson import ObjectId

from mysingle._kernel.context import RequestContext, use_context
from mysingle._kernel.errors import MySingleError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle.database import BaseDocumentWithUserId, BaseTimeDocWithUserId, _ownership, every_user

ANN, BOB = "a" * 24, "b" * 24


class Secret(BaseTimeDocWithUserId):
    text: str = ""
    tags: ClassVar[list[str]] = []

    class Settings:
        require_owner = True


class Loose(BaseDocumentWithUserId):
    text: str = ""


@pytest.fixture(autouse=True)
def _no_warnings_yet() -> Iterator[None]:
    _ownership._warned.clear()
    yield
    _ownership._warned.clear()


UNSCOPED: dict[str, Callable[[Any], Any]] = {
    "find": lambda model: model.find({"text": "x"}).to_list(),
    "find_all": lambda model: model.find_all().to_list(),
    "find_one": lambda model: model.find_one({"text": "x"}),
    "get": lambda model: model.get(ObjectId()),
    "count": lambda model: model.count(),
    "exists": lambda model: model.find({"text": "x"}).exists(),
    "distinct": lambda model: model.distinct("text"),
    "aggregate": lambda model: model.find_all().aggregate([{"$match": {}}]).to_list(),
    "sum": lambda model: model.find_all().sum("amount"),
    "update_all": lambda model: model.update_all({"$set": {"text": "y"}}),
    "find-update": lambda model: model.find({"text": "x"}).set({"text": "y"}),
    "find_one-update": lambda model: model.find_one({"_id": ObjectId()}).set({"text": "y"}),
    "delete_all": lambda model: model.delete_all(),
    "find-delete": lambda model: model.find({"text": "x"}).delete(),
    "replace_one": lambda model: model.find_one({"text": "x"}).replace_one(model(user_id=ANN)),
    "not-equal": lambda model: model.find({"user_id": {"$ne": BOB}}).to_list(),
    "exists-operator": lambda model: model.find({"user_id": {"$exists": True}}).to_list(),
    "nobody": lambda model: model.find({"user_id": None}).to_list(),
    "empty": lambda model: model.find({"user_id": ""}).to_list(),
    "pattern": lambda model: model.find({"user_id": {"$regex": "."}}).to_list(),
    "or-with-a-gap": lambda model: model.find({"$or": [{"user_id": ANN}, {"text": "x"}]}).to_list(),
}


async def run(work: Any) -> Any:
    return await work if hasattr(work, "__await__") else work


@pytest.mark.parametrize("query", UNSCOPED.values(), ids=UNSCOPED)
async def test_unscoped_is_refused(documents: Any, query: Any) -> None:
    """With `require_owner`, no way to ask without naming the user reaches the database."""
    await documents(Secret)
    secret = await Secret(user_id=ANN, text="x").insert()
    with pytest.raises(MySingleError, match="names no user") as caught:
        await run(query(Secret))

    assert caught.value.reason == "USER_FILTER_MISSING"
    assert await Secret.get_owned(secret.id, ANN) == secret


@pytest.mark.parametrize("query", UNSCOPED.values(), ids=UNSCOPED)
async def test_every_user(documents: Any, query: Any) -> None:
    """Inside of `every_user` everything may be asked, and nothing after it."""
    await documents(Secret)
    await Secret(user_id=ANN, text="x").insert()
    with every_user():
        await run(query(Secret))
    with pytest.raises(MySingleError, match="names no user"):
        await Secret.find_all().to_list()


SCOPED: dict[str, Callable[[], Any]] = {
    "owned": lambda: Secret.find_owned(ANN).to_list(),
    "expression": lambda: Secret.find(Secret.user_id == ANN).to_list(),
    "two-criteria": lambda: Secret.find(Secret.text == "x", Secret.user_id == ANN).to_list(),
    "equal": lambda: Secret.find({"user_id": {"$eq": ANN}}).to_list(),
    "named-users": lambda: Secret.find({"user_id": {"$in": [ANN]}}).to_list(),
    "or": lambda: Secret.find({"$or": [{"user_id": ANN}, {"user_id": ANN, "text": "y"}]}).to_list(),
}


@pytest.mark.parametrize("query", SCOPED.values(), ids=SCOPED)
async def test_scoped_is_served(documents: Any, query: Any) -> None:
    """A query that names the user runs, however it is written."""
    await documents(Secret)
    await Secret.insert_many([Secret(user_id=user, text="x") for user in (ANN, BOB)])

    assert [found.user_id for found in await query()] == [ANN]


OTHERS: dict[str, dict[str, Any]] = {
    "union": {"$unionWith": "Secret"},
    "union-pipeline": {"$unionWith": {"coll": "Secret", "pipeline": [{"$match": {"text": "x"}}]}},
    "lookup": {"$lookup": {"from": "Secret", "pipeline": [], "as": "all"}},
    "lookup-fields": {"$lookup": {"from": "Secret", "localField": "text", "foreignField": "text", "as": "all"}},
    "facet": {"$facet": {"a": [{"$lookup": {"from": "Secret", "pipeline": [], "as": "all"}}]}},
    "inside": {"$lookup": {"from": "news", "pipeline": [{"$unionWith": "Secret"}], "as": "all"}},
    "graph": {
        "$graphLookup": {
            "from": "Secret",
            "startWith": "$text",
            "connectFromField": "text",
            "connectToField": "text",
            "as": "all",
        }
    },
}


@pytest.mark.parametrize("stage", OTHERS.values(), ids=OTHERS)
async def test_stages_that_read_others(documents: Any, stage: dict[str, Any]) -> None:
    """A pipeline that begins with a user's documents cannot bring in those of others."""
    await documents(Secret, Loose)
    for model in (Secret, Loose):
        with pytest.raises(MySingleError, match="Secret names no user"):
            await model.find_owned(ANN).aggregate([stage]).to_list()


async def test_stages_that_name_the_user(documents: Any) -> None:
    """Other collections, and a user's own documents, may be brought in."""
    await documents(Secret)
    await Secret.insert_many([Secret(user_id=user, text="x") for user in (ANN, BOB)])
    mine = {"coll": "Secret", "pipeline": [{"$match": {"user_id": ANN}}]}
    lookup = {"from": "news", "localField": "text", "foreignField": "text", "as": "news"}
    found = await Secret.find_owned(ANN).aggregate([{"$unionWith": mine}, {"$lookup": lookup}]).to_list()

    assert [each["user_id"] for each in found] == [ANN, ANN]


async def bulk(secret: Secret) -> None:
    async with BulkWriter() as writer:
        await secret.set({"text": "y"}, bulk_writer=writer)


WRITES: dict[str, Callable[[Any], Any]] = {
    "save": lambda secret: secret.save(),
    "set": lambda secret: secret.set({"text": "y"}),
    "replace": lambda secret: secret.replace(),
    "sync": lambda secret: secret.sync(),
    "delete": lambda secret: secret.delete(),
    "bulk": bulk,
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_document_writes_itself(documents: Any, write: Any) -> None:
    """A document that was loaded may be written, and opens no door for other queries."""
    await documents(Secret)
    secret = await Secret(user_id=ANN, text="x").insert()
    await write(secret)

    with pytest.raises(MySingleError, match="names no user"):
        await Secret.get(secret.id)


async def test_without_the_setting(documents: Any, logged: list[Any]) -> None:
    """Without `require_owner` an unscoped query runs; in a caller's request it is reported, once for each model."""
    await documents(Loose)
    await Loose.find_all().to_list()
    assert logged == []
    with use_context(RequestContext(user=AuthenticatedUser(id=ANN))):
        for _ in range(3):
            await Loose.find_all().to_list()
        await Loose.find_owned(ANN).to_list()

    assert [(entry["event"], entry["model"]) for entry in logged] == [("mongodb.unscoped", "Loose")]
