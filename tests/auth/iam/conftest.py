"""The parts of IAM on real servers: settings, a secret, a clock, a database, users."""

import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Protocol

import pytest
import structlog

from mysingle._kernel.settings import CommonSettings, reset_settings, set_settings
from mysingle.auth.iam._documents import IAM_DOCUMENTS, User
from mysingle.auth.iam._email_address import normalize
from mysingle.auth.iam._repository import UserRepository
from mysingle.auth.iam._secrets import MasterSecret
from mysingle.auth.iam._values import UserView
from mysingle.database import get_redis_manager, init_mongo, reset_redis_manager
from mysingle.embedded import EmbeddedMongo, EmbeddedRedis

SECRET = "a secret of this test run, long enough to sign"


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Configure(Protocol):
    """Makes settings with the session's servers the process's own, until the test ends."""

    def __call__(self, **values: Any) -> CommonSettings: ...


class NewUser(Protocol):
    """Stores a user of that address."""

    def __call__(self, email: str = "alice@example.com", **fields: Any) -> Awaitable[UserView]: ...


@pytest.fixture(scope="session")
def mongo_server() -> Iterator[EmbeddedMongo]:
    with EmbeddedMongo() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[EmbeddedRedis]:
    """Give a server that the test may kill."""
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def configure(mongo_server: EmbeddedMongo, redis_server: EmbeddedRedis) -> Iterator[Configure]:
    """Give a function that makes settings the process's own."""

    def apply(**values: Any) -> CommonSettings:
        usual = {
            "_env_file": None,
            "ENVIRONMENT": "testing",
            "MONGODB_URL": mongo_server.url,
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": redis_server.port,
            "AUTH_SECRET_KEY": SECRET,
        }
        chosen = CommonSettings(**{**usual, **values})
        reset_redis_manager()
        set_settings(chosen)
        return chosen

    yield apply
    reset_redis_manager()
    reset_settings()


@pytest.fixture
def settings(configure: Configure) -> CommonSettings:
    return configure()


@pytest.fixture
def secret(settings: CommonSettings) -> MasterSecret:
    return MasterSecret.from_settings(settings)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(settings: CommonSettings) -> AsyncIterator[Any]:
    """Give an empty database with the indexes of the user service, and an empty Redis."""
    await (await get_redis_manager().client(0)).flushall()
    made = await init_mongo(IAM_DOCUMENTS, database_name=f"iam_{uuid.uuid4().hex}", settings=settings)
    yield made
    await made.client.drop_database(made.name)
    await made.client.close()
    await get_redis_manager().close()


@pytest.fixture
async def own_database(configure: Configure) -> AsyncIterator[EmbeddedMongo]:
    """Prepare a MongoDB that the test may kill, with an empty database."""
    with EmbeddedMongo() as server:
        chosen = configure(MONGODB_URL=server.url, MONGODB_SERVER_SELECTION_TIMEOUT_MS=300, MONGODB_TIMEOUT_MS=1000)
        made = await init_mongo(IAM_DOCUMENTS, database_name="iam", settings=chosen)
        yield server
        await made.client.close()
        await get_redis_manager().close()


@pytest.fixture
def new_user(database: Any) -> NewUser:
    """Give a function that stores a user and returns its value."""

    async def create(email: str = "alice@example.com", **fields: Any) -> UserView:
        address = normalize(email)
        return (await UserRepository().insert(User(email=address.display, email_key=address.key, **fields))).view()

    return create


@pytest.fixture
async def away(database: Any, own_redis: EmbeddedRedis, configure: Configure) -> Callable[[], None]:
    """Put a Redis of this test's own into the settings, behind the database; the function that it gives kills it."""
    configure(REDIS_PORT=own_redis.port, REDIS_TIMEOUT_SECONDS=0.3, REDIS_CONNECT_TIMEOUT_SECONDS=0.3)
    return own_redis.kill


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """Collect what is written to the log, as dicts."""
    with structlog.testing.capture_logs() as entries:
        yield entries
