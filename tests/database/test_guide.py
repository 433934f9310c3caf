"""The guide's own snippets, as written there."""

from typing import Any

import pytest

from mysingle.database import BaseRedisCache, get_redis_client

pytest.importorskip("mysingle.core.config")
pytestmark = pytest.mark.usefixtures("manager")

OPTIONS = '''
from mysingle.database import create_service_cache
from mysingle.core.config import settings

# Option 1: Factory function (recommended)
cache = create_service_cache(
    service_name="myservice",
    db_constant=settings.REDIS_DB_MYSERVICE,
)

# Option 2: Custom cache class (if custom logic needed)
from mysingle.database import BaseRedisCache

class MyServiceCache(BaseRedisCache):
    """Service-specific cache following platform standards"""

    def __init__(self):
        super().__init__(
            key_prefix="myservice",  # Service-specific prefix
            default_ttl=3600,
            # Note: redis_db is now internal (_redis_db)
            # Use factory functions or direct client for DB selection
        )
'''

FACTORIES = """
from mysingle.database import (
    create_user_cache,      # User auth cache (DB 0)
    create_grpc_cache,      # gRPC response cache (DB 1)
    create_service_cache,   # Service-specific cache (custom DB)
)

# User cache (DB 0)
user_cache = create_user_cache()

# gRPC cache (DB 1)
grpc_cache = create_grpc_cache(service_name="strategy")

# Service cache (custom DB)
from mysingle.core.config import settings
market_cache = create_service_cache("market", settings.REDIS_DB_MARKET_DATA)
"""


def run(snippet: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "guide"}
    exec(snippet, names)
    return names


async def test_options() -> None:
    """Both options of the guide are the same cache: what one stores the other finds."""
    names = run(OPTIONS)
    first, second = names["cache"], names["MyServiceCache"]()
    await first.set("a", {"x": 1})

    assert await second.get("a") == {"x": 1}
    assert (first.key_prefix, first.default_ttl, first.redis_db) == ("myservice", 3600, 8)
    assert (second.key_prefix, second.default_ttl, second._redis_db) == ("myservice", 3600, 8)


@pytest.mark.parametrize(
    ("name", "number", "prefix", "ttl"),
    [("user_cache", 0, "user", 300), ("grpc_cache", 1, "grpc:strategy", 3600), ("market_cache", 5, "market", 3600)],
)
async def test_factories(name: str, number: int, prefix: str, ttl: int) -> None:
    """Each factory of the guide writes where the guide's table says."""
    cache: BaseRedisCache[Any] = run(FACTORIES)[name]
    await cache.set("a", 1)
    client = await get_redis_client(db=number)

    assert [f"{prefix}:a"] == await client.keys("*")
    assert ttl - 1 <= await client.ttl(f"{prefix}:a") <= ttl
