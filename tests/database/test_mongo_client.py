import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo.errors import PyMongoError
from pymongo.read_preferences import SecondaryPreferred

from mysingle._kernel.context import RequestContext, use_context
from mysingle._kernel.errors import ErrorCode, MySingleError, translate
from mysingle._kernel.settings import CommonSettings, SettingsError
from mysingle.database import BaseDocument, MongoResource
from mysingle.database._mongo_client import address_of, connect
from mysingle.embedded import EmbeddedMongo

ATLAS = (
    "mongodb+srv://ann:p%40ss@cluster0.abcde.mongodb.net/orders?retryWrites=true&w=majority&appName=orders"
    "&readPreference=secondaryPreferred&maxPoolSize=7&timeoutMS=1500"
)
REPLICA_SET = "mongodb://ann:pw@a.example:1,b.example:2,c.example/?replicaSet=rs0&tls=true&readConcernLevel=majority"


class Item(BaseDocument):
    text: str = ""


class SlowMongo(EmbeddedMongo):
    """A server that can be told to be slow."""

    def _command(self, home: Path, port: int) -> tuple[str, ...]:
        return (*super()._command(home, port), "--enable-test-commands")


@pytest.fixture(scope="module")
def slow_server() -> Iterator[EmbeddedMongo]:
    with SlowMongo() as server:
        yield server


@pytest.fixture
async def delay(slow_server: EmbeddedMongo, configure: Any) -> AsyncIterator[Callable[..., Any]]:
    """Give a function that makes the server wait before the next commands of some names; `Item` is prepared there."""
    resource = MongoResource("slow", [Item], configure(MONGODB_URL=slow_server.url, MONGODB_TIMEOUT_MS=20_000))
    await resource.open()
    await Item.insert_many([Item(text=str(number)) for number in range(5)])
    admin = resource.database.client["admin"]

    async def apply(seconds: float, *commands: str) -> None:
        data = {"failCommands": list(commands), "blockConnection": True, "blockTimeMS": int(seconds * 1000)}
        await admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data})

    yield apply
    await admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    await resource.database.client.drop_database("slow")
    await resource.close()


def made(url: str, **values: Any) -> Any:
    return connect(url, CommonSettings(_env_file=None, **values))


async def test_atlas() -> None:
    """A string of Atlas is taken as it is: what it spells wins over the settings, its servers come from DNS later."""
    client = made(ATLAS, MONGODB_MAX_POOL_SIZE=100, MONGODB_CONNECT_TIMEOUT_MS=900)
    pool = client.options.pool_options

    assert (pool.max_pool_size, pool.appname, pool.connect_timeout) == (7, "orders", 0.9)
    assert (client.write_concern.document, client.options.retry_writes) == ({"w": "majority"}, True)
    assert isinstance(client.read_preference, SecondaryPreferred)
    assert (client.limit_seconds, client.options.timeout) == (1.5, None)
    assert address_of(ATLAS) == "cluster0.abcde.mongodb.net"
    await client.close()


async def test_replica_set() -> None:
    """A string of a replica set names its servers, the set, and TLS."""
    client = made(REPLICA_SET)
    servers = client.topology_description.server_descriptions()

    assert set(servers) == {("a.example", 1), ("b.example", 2), ("c.example", 27017)}
    assert client.options.replica_set_name == "rs0"
    assert client.options.pool_options._ssl_context is not None
    assert client.options.read_concern.document == {"level": "majority"}
    assert client.limit_seconds == 5.0
    await client.close()


@pytest.mark.parametrize(
    ("query", "limit"),
    [("", 5.0), ("?timeoutMS=250", 0.25), ("?w=1&timeoutms=250&appName=x", 0.25), ("?timeoutMS=0", None)],
)
async def test_limit(query: str, limit: float | None) -> None:
    """The limit of an operation is the string's own, else the settings'."""
    client = made(f"mongodb://host/{query}")

    assert client.limit_seconds == client._timeout == limit
    await client.close()


def test_limit_that_is_none() -> None:
    """A limit that is no number is a wrong string."""
    with pytest.raises(SettingsError, match="no connection string"):
        made("mongodb://host/?timeoutMS=soon")


async def test_dns_is_away(configure: Any, logged: list[Any]) -> None:
    """A name server that does not answer is waited for like a server, and nothing of the string is quoted."""
    settings = configure(MONGODB_URL="mongodb+srv://ann:secret-word@db.invalid.example/", STARTUP_TIMEOUT_SECONDS=1.0)
    with pytest.raises(MySingleError, match=r"db\.invalid\.example is not reachable") as caught:
        await MongoResource("x", [Item], settings).open()

    assert caught.value.reason == "MONGODB_UNAVAILABLE"
    assert "secret-word" not in f"{caught.value}{caught.value.__cause__}{logged}"


async def drain_cursor() -> None:
    async for _ in Item.get_pymongo_collection().find({}, batch_size=2):
        pass


OPERATIONS: dict[str, tuple[str, Callable[[], Any]]] = {
    "find_one": ("find", lambda: Item.find_one()),
    "to_list": ("find", lambda: Item.find_all().to_list()),
    "cursor": ("find", drain_cursor),
    "get-more": ("getMore", drain_cursor),
    "count": ("aggregate", lambda: Item.count()),
    "aggregate": ("aggregate", lambda: Item.find_all().aggregate([{"$match": {}}]).to_list()),
    "distinct": ("distinct", lambda: Item.distinct("text")),
    "insert": ("insert", lambda: Item().insert()),
    "insert_many": ("insert", lambda: Item.insert_many([Item()])),
    "update": ("update", lambda: Item.update_all({"$set": {"text": "y"}})),
    "find-and-modify": ("findAndModify", lambda: Item().save()),
    "delete": ("delete", lambda: Item.delete_all()),
    "command": ("ping", lambda: Item.get_pymongo_collection().database.command("ping")),
    "bulk": ("insert", lambda: Item.get_pymongo_collection().bulk_write([pymongo.InsertOne({})])),
    "indexes": ("createIndexes", lambda: Item.get_pymongo_collection().create_index("text")),
}


async def run(operation: Callable[[], Any]) -> Any:
    return await operation()


@pytest.mark.parametrize(("command", "operation"), OPERATIONS.values(), ids=OPERATIONS)
async def test_deadline(delay: Any, command: str, operation: Any) -> None:
    """Every kind of operation ends at the deadline of its request, long before its own limit."""
    await delay(3, command)
    started = time.monotonic()
    with use_context(RequestContext(deadline=started + 0.3)), pytest.raises(PyMongoError) as caught:
        await run(operation)
    seconds = time.monotonic() - started

    assert caught.value.timeout
    assert seconds < 2


@pytest.mark.parametrize("operation", [operation for _, operation in OPERATIONS.values()], ids=OPERATIONS)
async def test_no_time_left(delay: Any, operation: Any) -> None:
    """After the deadline the server is not even asked, and the caller hears 504."""
    with use_context(RequestContext(deadline=time.monotonic() - 1)), pytest.raises(MySingleError) as caught:
        await run(operation)

    assert (caught.value.code, caught.value.reason) == (ErrorCode.DEADLINE_EXCEEDED, "BUDGET_EXHAUSTED")


async def test_timeout_of_the_deadline_is_504(delay: Any) -> None:
    """A time-out that the deadline caused reads as 504, one of the server's as 503."""
    await delay(1, "find")
    with use_context(RequestContext(deadline=time.monotonic() + 0.2)):
        with pytest.raises(PyMongoError) as caught:
            await Item.find_one()
        overdue = translate(caught.value)
    with use_context(RequestContext(deadline=time.monotonic() + 30)):
        with pymongo.timeout(0.2), pytest.raises(PyMongoError) as caught:
            await Item.find_one()
        slow = translate(caught.value)

    assert overdue is not None
    assert slow is not None
    assert (overdue.reason, slow.reason) == ("BUDGET_EXHAUSTED", "MONGODB_UNAVAILABLE")


async def test_explicit_timeout_decides(delay: Any) -> None:
    """Whoever says `pymongo.timeout` gets it, also after the deadline: clean-up must be possible."""
    with use_context(RequestContext(deadline=time.monotonic() - 1)), pymongo.timeout(2):
        assert await Item.count() == 5


async def test_deadlines_do_not_meet(delay: Any) -> None:
    """Requests at the same time have each their own limit."""
    await delay(0.5, "find")

    async def read(seconds: float) -> bool:
        with use_context(RequestContext(deadline=time.monotonic() + seconds)):
            try:
                return await Item.find_one() is not None
            except PyMongoError:
                return False

    assert await asyncio.gather(*(read(seconds) for seconds in (0.1, 20, 0.1, 20, 20))) == [
        False,
        True,
        False,
        True,
        True,
    ]
