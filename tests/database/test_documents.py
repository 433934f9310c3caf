import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from beanie import BulkWriter, PydanticObjectId
from bson import ObjectId

from mysingle._kernel.errors import NotFoundError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle.database import (
    BaseDoc,
    BaseDocument,
    BaseDocumentWithUserId,
    BaseDocWithUserId,
    BaseResponseSchema,
    BaseTimeDoc,
    BaseTimeDocument,
    BaseTimeDocWithUserId,
)

ANN, BOB = "a" * 24, "b" * 24
OLD = datetime(2000, 1, 1, tzinfo=UTC)


class Note(BaseDocument):
    text: str = ""


class Trade(BaseTimeDocument):
    text: str = ""
    amount: int = 0


class Revised(BaseTimeDocument):
    text: str = ""

    class Settings:
        use_revision = True
        use_state_management = True


class Alert(BaseDocumentWithUserId):
    text: str = ""


class Strategy(BaseTimeDocWithUserId):
    text: str = ""


class StrategyResponse(BaseResponseSchema):
    text: str
    created_at: datetime


async def stored(document: Any) -> Any:
    return await type(document).get(document.id)


async def later() -> None:
    """Let the clock move on by more than the millisecond that MongoDB keeps."""
    await asyncio.sleep(0.005)


def test_aliases() -> None:
    """The short names are the same classes."""
    assert (BaseDoc, BaseTimeDoc, BaseDocWithUserId) == (BaseDocument, BaseTimeDocument, BaseDocumentWithUserId)


def test_two_document_bases() -> None:
    """A class with two document bases is refused, with the name of the one to extend."""
    with pytest.raises(TypeError, match="extend BaseTimeDocWithUserId instead"):
        type("Both", (BaseTimeDocument, BaseDocumentWithUserId), {"__module__": __name__})


async def test_class_defined_after_another_was_prepared(documents: Any) -> None:
    """A document class that is defined after its base was in use has the defaults that it declares."""

    class Late(BaseTimeDocument):
        text: str = ""

    assert Late.model_fields["id"].default is None
    assert Late.model_fields["created_at"].default_factory is not None


async def test_id_in_json(documents: Any) -> None:
    """In JSON the id is text named `id`, with and without aliases; in MongoDB it is an ObjectId named `_id`."""
    database = await documents(Note)
    note = await Note(text="x").insert()
    raw = await database["Note"].find_one()

    expected = {"id": str(note.id), "text": "x"}
    assert expected == note.model_dump(mode="json") == note.model_dump(mode="json", by_alias=True)
    assert {"_id": ObjectId(str(note.id)), "text": "x"} == raw
    assert list(Note.model_json_schema(mode="serialization")["properties"]) == ["id", "text"]


async def test_as_response_model(documents: Any) -> None:
    """A document works as FastAPI's response model."""
    fastapi = pytest.importorskip("fastapi")
    testclient = pytest.importorskip("fastapi.testclient")
    await documents(Note)
    note = Note(id=PydanticObjectId(ANN), text="x")
    app = fastapi.FastAPI()

    @app.get("/", response_model=Note)
    def read() -> Note:
        return note

    assert testclient.TestClient(app).get("/").json() == {"id": ANN, "text": "x"}


async def test_response_schema(documents: Any) -> None:
    """A response schema is made from a document's attributes or from a raw document."""
    await documents(Strategy)
    strategy = await Strategy(user_id=ANN, text="x").insert()
    response = StrategyResponse.model_validate(strategy)

    assert response == StrategyResponse(id=str(strategy.id), text="x", created_at=strategy.created_at)
    assert response == StrategyResponse.model_validate(
        {"_id": strategy.id, "text": "x", "created_at": strategy.created_at}
    )


async def test_collections(documents: Any) -> None:
    """Only the classes of the service get collections; the base classes leave none."""
    database = await documents(Note, Trade, Alert, Strategy)
    for document in (Note(), Trade(), Alert(user_id=ANN), Strategy(user_id=ANN)):
        await document.insert()

    assert {"Note", "Trade", "Alert", "Strategy"} == set(await database.list_collection_names())


@pytest.mark.parametrize("model", [Alert, Strategy])
async def test_owner_is_indexed(documents: Any, model: Any) -> None:
    """The owner of a document is indexed."""
    database = await documents(model)

    assert "user_id_1" in await database[model.__name__].index_information()


async def test_times_at_insert(documents: Any) -> None:
    """At insert both times are now and aware of UTC, whatever the caller gave, and equal what is read back."""
    await documents(Trade)
    before = datetime.now(UTC)
    trade = await Trade(created_at=OLD, updated_at=OLD).insert()
    again = await stored(trade)

    assert trade.created_at == trade.updated_at == again.created_at == again.updated_at
    assert abs((trade.created_at - before).total_seconds()) < 5
    assert again.created_at.utcoffset() == again.updated_at.utcoffset() == UTC.utcoffset(None)


async def insert_one_bulk(trade: Trade) -> None:
    async with BulkWriter() as writer:
        await Trade.insert_one(trade, bulk_writer=writer)


INSERTS = {
    "insert": lambda trade: trade.insert(),
    "create": lambda trade: trade.create(),
    "save": lambda trade: trade.save(),
    "insert_one": Trade.insert_one,
    "insert_one-bulk": insert_one_bulk,
    "insert_many": lambda trade: Trade.insert_many([trade]),
    "upsert": lambda trade: Trade.find_one(Trade.text == "?").upsert({"$set": {"text": "y"}}, on_insert=trade),
}


@pytest.mark.parametrize("insert", INSERTS.values(), ids=INSERTS)
async def test_insert_forged(documents: Any, insert: Any) -> None:
    """No way to insert takes the times from the caller."""
    await documents(Trade)
    await insert(Trade(created_at=OLD, updated_at=OLD))
    trade = await Trade.find_one()

    assert trade is not None
    assert trade.created_at.year > 2000
    assert trade.updated_at.year > 2000


async def replace_many(trade: Trade) -> None:
    await Trade.replace_many([trade])


async def replace_by_hand(trade: Trade) -> None:
    await Trade(id=trade.id, text="y", created_at=OLD, updated_at=OLD).replace()


async def save_by_hand(trade: Trade) -> None:
    await Trade(id=trade.id, text="y", created_at=OLD, updated_at=OLD).save()


async def update_bulk(trade: Trade) -> None:
    async with BulkWriter() as writer:
        await trade.set({"text": "y", "created_at": OLD}, bulk_writer=writer)


def forged(**fields: Any) -> dict[str, Any]:
    return {"$set": {"text": "y", "created_at": OLD, "updated_at": OLD, **fields}}


WRITES = {
    "save": lambda trade: trade.save(),
    "save-by-hand": save_by_hand,
    "replace": lambda trade: trade.replace(),
    "replace-by-hand": replace_by_hand,
    "replace_one": lambda trade: Trade.find_one(Trade.id == trade.id).replace_one(trade),
    "replace_many": replace_many,
    "set": lambda trade: trade.set({"text": "y", "created_at": OLD}),
    "set-expression": lambda trade: trade.set({Trade.text: "y", Trade.created_at: OLD}),
    "inc": lambda trade: trade.inc({Trade.amount: 1}),
    "current_date": lambda trade: trade.current_date({Trade.created_at: True, Trade.updated_at: True}),
    "unset": lambda trade: trade.update({"$unset": {"created_at": "", "amount": ""}}),
    "rename": lambda trade: trade.update({"$set": {"text": "y"}, "$rename": {"amount": "created_at"}}),
    "update-bulk": update_bulk,
    "find_one-update": lambda trade: Trade.find_one(Trade.id == trade.id).update(forged()),
    "find_one-upsert": lambda trade: Trade.find_one(Trade.id == trade.id).upsert(forged(), on_insert=trade),
    "find_one-raw-upsert": lambda trade: Trade.find_one(Trade.id == trade.id).update(forged(), upsert=True),
    "find-set": lambda trade: Trade.find(Trade.id == trade.id).set({Trade.text: "y", Trade.created_at: OLD}),
    "find-two-operators": lambda trade: Trade.find(Trade.id == trade.id).update(forged(), {"$inc": {"amount": 1}}),
    "update_all": lambda trade: Trade.update_all(forged()),
    "pipeline": lambda trade: Trade.find(Trade.id == trade.id).update([{"$set": {"text": "y", "updated_at": OLD}}]),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_write_keeps_created_at(documents: Any, write: Any) -> None:
    """No way to write changes `created_at`; every one moves `updated_at`."""
    await documents(Trade)
    trade = await Trade(text="x").insert()
    created = trade.created_at
    await later()
    trade.created_at = trade.updated_at = OLD
    await write(trade)
    again = await stored(trade)

    assert created == again.created_at
    assert again.updated_at > created


async def test_object_follows_database(documents: Any) -> None:
    """After a save the object has the times that are stored, not the ones that somebody put into it."""
    await documents(Trade)
    trade = await Trade().insert()
    created = trade.created_at
    trade.created_at = trade.updated_at = OLD
    await trade.save()

    assert created == trade.created_at
    assert (await stored(trade)).updated_at == trade.updated_at


async def test_revision_and_state(documents: Any) -> None:
    """Beanie's revisions and saved state work together with the times."""
    await documents(Revised)
    document = await Revised(text="x").insert()
    created, revision = document.created_at, document.revision_id
    await later()
    document.text = "y"
    await document.save_changes()
    again = await stored(document)

    assert ("y", created) == (again.text, again.created_at)
    assert again.updated_at > created
    assert revision != again.revision_id


@pytest.mark.parametrize("owner", [ANN, AuthenticatedUser(id=ANN)], ids=["text", "user"])
async def test_find_owned(documents: Any, owner: Any) -> None:
    """Only the owner's documents are found, and criteria can only narrow that."""
    await documents(Strategy)
    await Strategy.insert_many([Strategy(user_id=user, text=text) for user in (ANN, BOB) for text in "xyz"])
    everybody = {"$or": [{"user_id": ANN}, {"user_id": BOB}]}

    assert await Strategy.find_owned(owner).count() == 3
    assert await Strategy.find_owned(owner, Strategy.text == "x").count() == 1
    assert await Strategy.find_owned(owner, everybody).count() == 3
    assert await Strategy.find_owned(owner, {"user_id": BOB}).count() == 0
    assert [found.user_id for found in await Strategy.find_owned(owner).limit(2).to_list()] == [ANN] * 2


@pytest.mark.parametrize("model", [Alert, Strategy])
async def test_get_owned(documents: Any, model: Any) -> None:
    """The owner gets a document by its id or the id's text; everybody else gets nothing."""
    await documents(model)
    document = await model(user_id=ANN, text="x").insert()

    assert await model.get_owned(document.id, ANN) == document
    assert await model.get_owned(str(document.id), AuthenticatedUser(id=ANN)) == document
    assert await model.require_owned(str(document.id), ANN) == document
    assert await model.get_owned(document.id, BOB) is None
    with pytest.raises(NotFoundError, match=f"{model.__name__} not found"):
        await model.require_owned(document.id, BOB)


@pytest.mark.parametrize("wrong", ["", "x", "z" * 24, "a" * 23, "a" * 12, None, 5, {"$ne": None}, ANN], ids=repr)
async def test_wrong_id_is_not_found(documents: Any, wrong: Any) -> None:
    """An id that is none, or of nothing, is not found; it is never an error of ours."""
    await documents(Strategy)

    assert await Strategy.get_owned(wrong, ANN) is None
    assert await Strategy.delete_owned(wrong, ANN) is False
    with pytest.raises(NotFoundError, match="Strategy not found"):
        await Strategy.require_owned(wrong, ANN)


@pytest.mark.parametrize("nobody", [None, "", 5, {"$ne": None}], ids=repr)
async def test_nobody_owns_nothing(documents: Any, nobody: Any) -> None:
    """A caller without an id is a mistake of the service, not a query without a filter."""
    await documents(Strategy)

    with pytest.raises(ValueError, match="The owner must be"):
        Strategy.find_owned(nobody)
    with pytest.raises(ValueError, match="The owner must be"):
        await Strategy.get_owned(ANN, nobody)


async def test_delete_owned(documents: Any) -> None:
    """Only the owner deletes."""
    await documents(Strategy)
    document = await Strategy(user_id=ANN).insert()

    assert await Strategy.delete_owned(document.id, BOB) is False
    assert await Strategy.delete_owned(document.id, ANN) is True
    assert await Strategy.delete_owned(document.id, ANN) is False
