from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import OperationFailure

from mysingle._kernel.metrics import process_metrics
from mysingle.database import BaseTimeDocument
from mysingle.database._mongo_client import connect
from mysingle.database._mongo_monitor import CommandMonitor, shape_of
from mysingle.embedded import EmbeddedMongo

SECRET = "secret-word"


class Visit(BaseTimeDocument):
    text: str = ""


def count(operation: str, collection: str, error: str = "") -> float:
    labels = {
        "db_system_name": "mongodb",
        "db_operation_name": operation,
        "db_collection_name": collection,
        "error_type": error,
    }
    return process_metrics().registry.get_sample_value("db_client_operation_duration_seconds_count", labels) or 0


@pytest.fixture
async def visits(mongo_server: EmbeddedMongo, configure: Any) -> Any:
    """Give a function that returns a collection, watched with a threshold for what is slow."""
    clients = []

    def watch(slow_seconds: float) -> Any:
        monitor = CommandMonitor(slow_seconds, ["Visit"])
        clients.append(connect(mongo_server.url, configure(), listeners=[monitor]))
        return clients[-1]["monitored"]["Visit"]

    yield watch
    for client in clients:
        await client.drop_database("monitored")
        await client.close()


async def test_metrics(visits: Any) -> None:
    """Each command is counted with its name and collection; a collection that no document declares is `_OTHER`."""
    collection = visits(0)
    keys = [("find", "Visit"), ("find", "_OTHER"), ("aggregate", "Visit", "Location40324"), ("_OTHER", "")]
    before = [count(*key) for key in keys]
    await collection.find_one()
    await collection.database["made_at_run_time"].find_one()
    await collection.database.command("buildInfo")
    with pytest.raises(OperationFailure):
        await collection.aggregate([{"$nonsense": {}}])

    assert [count(*key) for key in keys] == [value + 1 for value in before]


async def test_declared_documents(documents: Any) -> None:
    """The documents of a service have a label value of their own."""
    await documents(Visit)
    before = count("insert", "Visit")
    await Visit().insert()

    assert count("insert", "Visit") == before + 1


SLOW: dict[str, Callable[[Any], Any]] = {
    "find": lambda visits: visits.find({"text": SECRET, "_id": {"$in": [ObjectId()] * 50}}).sort("text").to_list(),
    "insert": lambda visits: visits.insert_one({"text": SECRET}),
    "update": lambda visits: visits.update_many({"text": SECRET}, {"$set": {"text": SECRET}}),
    "delete": lambda visits: visits.delete_many({"text": {"$regex": SECRET}}),
    "findAndModify": lambda visits: visits.find_one_and_update({"text": SECRET}, {"$set": {"text": SECRET}}),
    "distinct": lambda visits: visits.distinct("text", {"text": SECRET}),
}


@pytest.mark.parametrize(("command", "operation"), SLOW.items(), ids=SLOW)
async def test_slow_without_values(visits: Any, logged: list[Any], command: str, operation: Any) -> None:
    """What is slow is logged with command, collection, time and shape, and none of its values."""
    await operation(visits(1e-9))
    entries = [entry for entry in logged if entry["event"] == "mongodb.slow"]

    assert SECRET not in str(logged)
    assert [(entry["command"], entry["collection"]) for entry in entries] == [(command, "Visit")]
    assert entries[0]["duration_s"] > 0
    assert ("text" in entries[0]["shape"]) == (command != "insert")


@pytest.mark.parametrize("slow_seconds", [0, 60])
async def test_nothing_is_slow(visits: Any, logged: list[Any], slow_seconds: float) -> None:
    """What is faster than the threshold is not logged, and a threshold of 0 logs nothing."""
    await visits(slow_seconds).find({}).to_list()

    assert logged == []


@pytest.mark.parametrize(
    ("command", "shape"),
    [
        ({"find": "c", "filter": {"a": SECRET, "b": {"$gt": 5}}}, "{filter: {a: ?, b: {$gt: ?}}}"),
        ({"find": "c", "filter": {"a": {"$in": [1, 2, 3]}}}, "{filter: {a: {$in: [?]}}}"),
        ({"insert": "c", "documents": [{"a": SECRET}]}, "{}"),
        ({"update": "c", "updates": [{"q": {"a": 1}, "u": {"$set": {"b": SECRET}}}]},
         "{updates: [{q: {a: ?}, u: {$set: {b: ?}}}]}"),
        ({"aggregate": "c", "pipeline": [{"$match": {"a": 1}}, {"$match": {"a": 2}}, {"$limit": 5}]},
         "{pipeline: [{$match: {a: ?}}, {$limit: ?}]}"),
    ],
)  # fmt: skip
def test_shape(command: dict[str, Any], shape: str) -> None:
    """The shape shows fields and operators, each once, and `?` for whatever was given."""
    assert shape_of(command) == shape


def test_shape_is_bounded() -> None:
    """A shape is short, however large or deep the command is."""
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"a": deep}
    wide = {f"field-{number}": number for number in range(10_000)}

    assert len(shape_of({"filter": wide, "query": deep})) <= 1_000
