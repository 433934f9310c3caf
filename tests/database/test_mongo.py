import asyncio
import time
from typing import Annotated, Any

import pytest
from beanie import Indexed
from pymongo.errors import DuplicateKeyError, PyMongoError

from mysingle._kernel.errors import AlreadyExistsError, ErrorCode, MySingleError, UnavailableError, translate
from mysingle._kernel.lifecycle import Resource
from mysingle._kernel.settings import SettingsError
from mysingle.database import BaseDocument, BaseTimeDocument, MongoResource, init_mongo
from mysingle.database._mongo_client import address_of
from mysingle.embedded import EmbeddedMongo


class Account(BaseTimeDocument):
    email: Annotated[str, Indexed(unique=True)]


class Clash(BaseDocument):
    email: Annotated[str, Indexed(unique=True)] = ""


@pytest.fixture
def own_mongo() -> Any:
    with EmbeddedMongo() as server:
        yield server


async def test_resource(mongo_server: EmbeddedMongo, configure: Any) -> None:
    """The resource opens, answers, gives its database and closes; closing twice is fine."""
    resource = MongoResource("test_resource", [Account], configure(MONGODB_URL=mongo_server.url))
    await resource.open()
    await resource.ping()
    await Account(email="a@b.c").insert()

    assert isinstance(resource, Resource)
    assert resource.database.name == "test_resource"
    assert await Account.count() == 1
    await resource.database.client.drop_database("test_resource")
    await resource.close()
    await resource.close()


@pytest.mark.parametrize("use", [lambda resource: resource.database, lambda resource: resource.ping()])
async def test_resource_not_open(use: Any) -> None:
    """Before it is open, or after it is closed, the resource says that it is unavailable."""
    with pytest.raises(UnavailableError, match="not connected"):
        await use(MongoResource("x"))


async def test_no_documents(mongo_server: EmbeddedMongo, configure: Any) -> None:
    """A database without documents is connected all the same."""
    database = await init_mongo([], database_name="empty", url=mongo_server.url, settings=configure())

    assert await database.list_collection_names() == []
    await database.client.close()


async def test_appears_later(own_mongo: EmbeddedMongo, configure: Any, logged: list[Any]) -> None:
    """A server that appears after the service is waited for, with one warning for each try."""
    url = own_mongo.url
    own_mongo.kill()
    settings = configure(MONGODB_SERVER_SELECTION_TIMEOUT_MS=200)
    opening = asyncio.create_task(init_mongo([Account], database_name="late", url=url, settings=settings))
    await asyncio.sleep(1.0)
    assert not opening.done()
    await asyncio.to_thread(own_mongo.start)
    database = await asyncio.wait_for(opening, 10)

    attempts = [entry["attempt"] for entry in logged]
    assert attempts == list(range(1, len(attempts) + 1))
    assert {"mongodb.unreachable"} == {entry["event"] for entry in logged}
    await Account(email="a@b.c").insert()
    await database.client.close()


async def test_never_appears(configure: Any, logged: list[Any]) -> None:
    """Without a server the start fails within the bound, with one line that says where and what to do."""
    url = "mongodb://ann:secret-word@127.0.0.1:1/?authSource=admin"
    settings = configure(MONGODB_URL=url, STARTUP_TIMEOUT_SECONDS=1.5, MONGODB_SERVER_SELECTION_TIMEOUT_MS=200)
    started = time.monotonic()
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1 is not reachable within 1\.5 s") as caught:
        await MongoResource("x", [Account], settings).open()

    assert time.monotonic() - started < 2.0
    assert "\n" not in str(caught.value)
    assert "secret-word" not in str(caught.value) + str(caught.value.__cause__) + str(logged)
    assert "ann" not in str(caught.value) + str(logged)


async def test_start_is_cancelled(configure: Any) -> None:
    """A start that is cancelled ends at once and leaves no connection."""
    settings = configure(MONGODB_URL="mongodb://127.0.0.1:1")
    opening = asyncio.create_task(init_mongo([], database_name="x", settings=settings))
    await asyncio.sleep(0.2)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "mongodb://",
        "mongodb://ann:secret-word:@h:x",
        "mongodb://h:99999",
        "mongodb://h/?a",
    ],
)
async def test_wrong_url(configure: Any, url: str) -> None:
    """What is no connection string is refused at once, without being quoted."""
    with pytest.raises(SettingsError, match="MONGODB_URL is no connection string") as caught:
        await init_mongo([], database_name="x", settings=configure(MONGODB_URL=url))

    assert "secret-word" not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_wrong_server(configure: Any) -> None:
    """A connection string where an address belongs is refused under the name of its own variable."""
    with pytest.raises(SettingsError, match="MONGODB_SERVER is no address: host:port"):
        await init_mongo([], database_name="x", settings=configure(MONGODB_URL=None, MONGODB_SERVER="mongodb://h"))


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mongodb://host:1", "host:1"),
        ("mongodb://a:b@host:1,other:2/db?x=y", "host:1,other:2"),
        ("mongodb+srv://a:p%40ss@cluster.example/", "cluster.example"),
        ("mongodb://a:p/w@host/db", "host"),
        ("mongodb://host?x=1", "host"),
    ],
)
def test_address(url: str, address: str) -> None:
    """Messages name the servers and nothing else of a connection string."""
    assert address == address_of(url)


async def test_conflicting_index(mongo_server: EmbeddedMongo, configure: Any) -> None:
    """Indexes that the server refuses end the start at once with one clear error."""
    settings = configure(MONGODB_URL=mongo_server.url)
    database = await init_mongo([], database_name="clash", settings=settings)
    await database["Clash"].insert_many([{"email": "a"}, {"email": "a"}])
    started = time.monotonic()
    with pytest.raises(MySingleError, match="documents that exist already have the same email") as caught:
        await init_mongo([Clash], database_name="clash", settings=settings)

    assert caught.value.reason == "MONGODB_SETUP_FAILED"
    assert time.monotonic() - started < 2.0
    await database.client.drop_database("clash")
    await database.client.close()


async def test_many_workers(mongo_server: EmbeddedMongo, configure: Any) -> None:
    """Workers that start at the same moment all get their indexes."""
    settings = configure(MONGODB_URL=mongo_server.url)
    databases = await asyncio.gather(
        *(init_mongo([Account], database_name="many", settings=settings) for _ in range(12))
    )

    assert "email_1" in await databases[0]["Account"].index_information()
    await databases[0].client.drop_database("many")
    for database in databases:
        await database.client.close()


async def test_duplicate_is_translated(documents: Any) -> None:
    """A value that exists already reads as 409."""
    await documents(Account)
    await Account(email="a@b.c").insert()
    with pytest.raises(DuplicateKeyError) as caught:
        await Account(email="a@b.c").insert()
    error = translate(caught.value)

    assert isinstance(error, AlreadyExistsError)
    assert "a@b.c" not in str(error)


async def test_outage(own_mongo: EmbeddedMongo, configure: Any) -> None:
    """When the server dies a query fails within its bound as 503, the check fails, and both heal when it is back."""
    settings = configure(MONGODB_URL=own_mongo.url, MONGODB_SERVER_SELECTION_TIMEOUT_MS=300, MONGODB_TIMEOUT_MS=1000)
    resource = MongoResource("outage", [Account], settings)
    await resource.open()
    own_mongo.kill()
    started = time.monotonic()
    with pytest.raises(PyMongoError) as caught:
        await Account.find_one()
    with pytest.raises(UnavailableError, match="not reachable"):
        await resource.ping()
    error = translate(caught.value)

    assert time.monotonic() - started < 4.0
    assert isinstance(error, UnavailableError)
    assert (error.reason, error.retry_after_seconds, error.code) == ("MONGODB_UNAVAILABLE", 1, ErrorCode.UNAVAILABLE)
    await asyncio.to_thread(own_mongo.start)
    await resource.ping()
    assert await Account.find_one() is None
    await resource.close()


async def test_options(mongo_server: EmbeddedMongo, configure: Any) -> None:
    """The client is bounded, aware of time zones, and says who it is."""
    settings = configure(MONGODB_URL=mongo_server.url, SERVICE_NAME="orders", MONGODB_MAX_POOL_SIZE=7)
    database = await init_mongo([], database_name="x", settings=settings)
    options = database.client.options

    assert (options.pool_options.appname, options.pool_options.max_pool_size) == ("orders", 7)
    assert options.codec_options.tz_aware
    await database.client.close()
