"""The guide's snippets, word for word, put together to one service and used."""

from collections.abc import Callable
from typing import Any

import pymongo
import redis

from mysingle.embedded import EmbeddedMongo, EmbeddedRedis

APP_FACTORY = """
from mysingle.core import create_fastapi_app, create_service_config, ServiceType

config = create_service_config(
    service_name="my-service",
    service_type=ServiceType.NON_IAM_SERVICE,
)
app = create_fastapi_app(service_config=config)
"""

MONGODB_COLLECTIONS = """
# Custom models only (NON_IAM services)
from app.models import MyModel

app = create_fastapi_app(
    service_config=config,
    document_models=[MyModel],
)
"""

AUTHENTICATION = """
from mysingle.auth import get_current_active_verified_user
from fastapi import Request

@router.get("/items")
async def list_items(request: Request):
    user = get_current_active_verified_user(request)
    return await get_user_items(str(user.id))
"""

IMPLEMENTATION_EXAMPLE = '''
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

FACTORY_FUNCTIONS = """
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

MODELS = """
from mysingle.core.base import BaseDocument


class MyModel(BaseDocument):
    text: str
"""

BETWEEN = """
from fastapi import APIRouter

router = APIRouter()


async def get_user_items(user_id):
    await MyModel(text=user_id).insert()
    return [item.text for item in await MyModel.find_all().to_list()]
"""

BEHIND = """
app.include_router(router)


@app.get("/caches")
async def use_caches() -> dict[str, object]:
    caches = [cache, MyServiceCache(), user_cache, grpc_cache, market_cache]
    stored = [await each.set("key", number) for number, each in enumerate(caches)]
    return {"stored": stored, "read": [await each.get("key") for each in caches], "dbs": [c.redis_db for c in caches]}
"""

ALICE = "a11ce0000000000000000001"


def _service(start: Callable[..., Any], mongo: EmbeddedMongo, redis: EmbeddedRedis, **environment: str) -> Any:
    (start.folder / "app").mkdir()
    (start.folder / "app" / "__init__.py").touch()
    (start.folder / "app" / "models.py").write_text(MODELS)
    snippets = (
        APP_FACTORY,
        MONGODB_COLLECTIONS,
        BETWEEN,
        AUTHENTICATION,
        IMPLEMENTATION_EXAMPLE,
        FACTORY_FUNCTIONS,
        BEHIND,
    )
    servers = {"MONGODB_URL": mongo.url, "REDIS_HOST": redis.host, "REDIS_PORT": redis.port}
    return start("\n".join(snippets), **servers, **environment).wait_ready()


def _keys(server: EmbeddedRedis, number: int) -> dict[str, int]:
    """Return the keys of a database with their life in seconds, rounded up to the next ten."""
    with redis.Redis(host=server.host, port=server.port, db=number, decode_responses=True) as client:
        return {key: -(-client.ttl(key) // 10) * 10 for key in client.keys("*")}


def test_snippets_run_as_written(start: Callable[..., Any], own_mongo: EmbeddedMongo, own_redis: EmbeddedRedis) -> None:
    """A service of the guide's snippets serves its users, stores its documents and nothing else, and caches."""
    service = _service(start, own_mongo, own_redis)
    items = service.http.get("/items")
    nobody = service.http.get("/items", headers={"X-User-Id": ""})
    caches = service.http.get("/caches").json()
    health = {path: service.http.get(path).status_code for path in ("/health", "/ready", "/metrics")}
    with pymongo.MongoClient(own_mongo.url) as client:
        collections = client["my_service_db"].list_collection_names()
    stored = {number: _keys(own_redis, number) for number in (0, 1, 5, 8)}

    assert (items.status_code, items.json()) == (200, [ALICE])
    assert nobody.status_code in (400, 401)
    assert caches["stored"] == [True] * 5
    assert caches["read"] == [1, 1, 2, 3, 4]
    assert caches["dbs"] == [8, 8, 0, 1, 5]
    assert stored == {
        0: {"user:key": 300},
        1: {"grpc:strategy:key": 3600},
        5: {"market:key": 3600},
        8: {"myservice:key": 3600},
    }
    assert health == {"/health": 200, "/ready": 200, "/metrics": 200}
    assert collections == ["MyModel"]


def test_bypass_as_the_guide_says(
    start: Callable[..., Any], own_mongo: EmbeddedMongo, own_redis: EmbeddedRedis
) -> None:
    """`MYSINGLE_AUTH_BYPASS=true` and `ENVIRONMENT=development` let a developer in without a gateway."""
    service = _service(start, own_mongo, own_redis, MYSINGLE_AUTH_BYPASS="true", ENVIRONMENT="development")
    service.http.headers.pop("X-User-Id")
    answer = service.http.get("/items")

    assert (answer.status_code, answer.json()) == (200, ["000000000000000000000001"])
