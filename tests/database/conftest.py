"""Real servers for the tests of the data layer, one of each for the session; fault tests bring their own."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol, TypeAlias

import pytest
import structlog

from mysingle._kernel.settings import CommonSettings, reset_settings, set_settings
from mysingle.database import RedisClientManager, get_redis_manager, init_mongo, reset_redis_manager
from mysingle.embedded import EmbeddedMongo, EmbeddedRedis

Documents: TypeAlias = Callable[..., Any]


class Configure(Protocol):
    """Makes settings the process's own, until the test ends."""

    def __call__(self, **values: Any) -> CommonSettings: ...


@pytest.fixture
def configure() -> Iterator[Configure]:
    """Give a function that sets the process's settings, untouched by files."""

    def apply(**values: Any) -> CommonSettings:
        chosen = CommonSettings(**{"_env_file": None, **values})
        set_settings(chosen)
        return chosen

    yield apply
    reset_redis_manager()
    reset_settings()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[EmbeddedRedis]:
    """Give a server that the test may kill."""
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture(scope="session")
def mongo_server() -> Iterator[EmbeddedMongo]:
    with EmbeddedMongo() as server:
        yield server


@pytest.fixture
def settings(redis_server: EmbeddedRedis, configure: Configure) -> CommonSettings:
    """Make the process's settings, with the session's Redis in them."""
    return configure(REDIS_HOST="127.0.0.1", REDIS_PORT=redis_server.port)


@pytest.fixture
async def manager(settings: CommonSettings) -> AsyncIterator[RedisClientManager]:
    """Give the process's manager on an empty server."""
    manager = get_redis_manager()
    await (await manager.client(0)).flushall()
    yield manager
    await manager.close()


@pytest.fixture
async def own_manager(own_redis: EmbeddedRedis, configure: Configure) -> AsyncIterator[RedisClientManager]:
    """Give the process's manager on the server that the test may kill; it waits 0.3 s for an answer."""
    configure(REDIS_HOST="127.0.0.1", REDIS_PORT=own_redis.port, REDIS_TIMEOUT_SECONDS=0.3)
    manager = get_redis_manager()
    yield manager
    await manager.close()


@pytest.fixture
async def documents(mongo_server: EmbeddedMongo, configure: Configure) -> AsyncIterator[Documents]:
    """Give a function that prepares document classes in a database of their own."""
    databases = []

    async def prepare(*models: Any) -> Any:
        name = f"test_{uuid.uuid4().hex}"
        chosen = configure(MONGODB_URL=mongo_server.url)
        databases.append(await init_mongo(models, database_name=name, settings=chosen))
        return databases[-1]

    yield prepare
    for database in databases:
        await database.client.drop_database(database.name)
        await database.client.close()


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """Collect what is written to the log, as dicts."""
    with structlog.testing.capture_logs() as entries:
        yield entries
