"""The service in this process, on real servers that live as long as the tests."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from mysingle.core.config import CommonSettings, set_settings
from mysingle.database import every_user, get_redis_client
from mysingle.embedded import EmbeddedStack

ALICE, BOB = "a11ce0000000000000000001", "b0b000000000000000000002"


@pytest.fixture(scope="session")
def stack() -> Iterator[EmbeddedStack]:
    with EmbeddedStack(None, environ={}) as servers:
        values = {"ENVIRONMENT": "testing", "REDIS_TIMEOUT_SECONDS": 5, **servers.environment}  # a busy machine is slow
        set_settings(CommonSettings(_env_file=None, **values))
        yield servers


@pytest.fixture
async def client_of(stack: EmbeddedStack) -> AsyncIterator[Callable[[str], httpx.AsyncClient]]:
    """Give a function that returns the client of one user; each test begins with empty servers."""
    from app.main import app
    from app.models import Strategy

    async with app.router.lifespan_context(app):
        with every_user():
            await Strategy.find_all().delete()
        for db in (4, 8):
            await (await get_redis_client(db=db)).flushdb()

        def client(user_id: str) -> httpx.AsyncClient:
            headers = {"X-User-Id": user_id} if user_id else {}
            return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers)

        yield client


@pytest.fixture
async def alice(client_of: Callable[[str], httpx.AsyncClient]) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(ALICE) as client:
        yield client


@pytest.fixture
async def bob(client_of: Callable[[str], httpx.AsyncClient]) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(BOB) as client:
        yield client


@pytest.fixture
async def nobody(client_of: Callable[[str], httpx.AsyncClient]) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of("") as client:
        yield client
