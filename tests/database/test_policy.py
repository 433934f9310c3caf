from typing import Any

import pytest

from mysingle._kernel.allocation import RedisDB
from mysingle.database import BaseRedisCache, create_grpc_cache, create_service_cache, create_user_cache
from mysingle.database._policy import _warned


@pytest.fixture(autouse=True)
def nothing_warned() -> None:
    _warned.clear()


@pytest.mark.parametrize(
    ("prefix", "number"),
    [
        ("user", 0),
        ("grpc:strategy", 1),
        ("quota", 2),
        ("session", 3),
        ("dsl", 4),
        ("dsl:neg", 4),
        ("market", 5),
        ("market:", 5),
        ("progress", 6),
        ("indicator", 7),
        ("version", 8),
        ("notif", 9),
        ("ml", 12),
        ("genai", 13),
        ("plan", 14),
        ("myservice", 8),
    ],
)
def test_home_database(configure: Any, prefix: str, number: int) -> None:
    """Without a number the owner of the prefix decides; a prefix of nobody goes where the guide's example goes."""
    configure()

    assert number == BaseRedisCache(key_prefix=prefix, default_ttl=3600).redis_db


@pytest.mark.parametrize(
    ("service", "number"),
    [("market-data-service", 5), ("market_data", 5), ("ml", 12), ("portfolio-service", 8), (None, 8)],
)
def test_home_of_service(configure: Any, service: str | None, number: int) -> None:
    """A prefix that nobody owns goes to the database of the service that uses it."""
    configure(SERVICE_NAME=service)

    assert number == BaseRedisCache(key_prefix="own", default_ttl=3600).redis_db


def test_home_follows_settings(configure: Any) -> None:
    """The number comes from the settings, not from the table of defaults."""
    configure(REDIS_DB_USER=14, REDIS_DB_SUBSCRIPTION=0)

    assert create_user_cache().redis_db == 14
    assert BaseRedisCache(key_prefix="user").redis_db == 14
    assert create_service_cache("user", RedisDB.USER, 300).redis_db == 14


@pytest.mark.parametrize("strict", [False, True], ids=["warn", "strict"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"key_prefix": ""},
        {"key_prefix": ":"},
        {"key_prefix": "a b"},
        {"key_prefix": None},
        {"default_ttl": None},
        {"default_ttl": 0},
        {"default_ttl": -1},
        {"default_ttl": "300"},
        {"default_ttl": True},
        {"default_ttl": float("inf")},
        {"default_ttl": float("nan")},
        {"redis_db": 15},
        {"redis_db": RedisDB.RESERVED},
        {"redis_db": -1},
        {"redis_db": 16},
        {"redis_db": "8"},
        {"redis_db": True},
    ],
    ids=repr,
)
def test_refused(configure: Any, wrong: dict[str, Any], strict: bool) -> None:
    """A cache without a prefix, without a TTL or in a database that is not there is never made."""
    configure(REDIS_POLICY="strict" if strict else "warn")

    with pytest.raises(ValueError, match=r"key_prefix|TTL|database"):
        BaseRedisCache(**{"key_prefix": "strategy", "default_ttl": 600, "redis_db": 8, **wrong})


OUTSIDE = [
    pytest.param("strategy", 5, 600, "belongs to Strategy Cache", id="prefix-of-another"),
    pytest.param("portfolio", 5, 600, "is not allocated", id="prefix-of-nobody"),
    pytest.param("strategy", 8, 599, "599 s is outside", id="too-short"),
    pytest.param("strategy", 8, 3601, "3601 s is outside", id="too-long"),
    pytest.param("user", 0, 299, "299 s is outside", id="user"),
    pytest.param("dsl:lock", 4, 6, "6 s is outside", id="helper-too-long"),
    pytest.param("anything", 10, 600, "Celery Broker", id="celery"),
]
INSIDE = [
    pytest.param("strategy", 8, 600, id="lowest"),
    pytest.param("version", 8, 3600, id="highest"),
    pytest.param("user", 0, 300, id="user"),
    pytest.param("dsl:neg", 4, 60, id="negative-entries"),
    pytest.param("dsl:lock", 4, 5, id="locks"),
    pytest.param("celery:task", 10, 1, id="managed"),
]


@pytest.mark.parametrize(("prefix", "number", "ttl", "problem"), OUTSIDE)
def test_outside_warns_once(
    configure: Any, logged: list[Any], prefix: str, number: int, ttl: int, problem: str
) -> None:
    """What the guidance does not allow is said once for a prefix and database, and works."""
    configure()
    for _ in range(3):
        BaseRedisCache(key_prefix=prefix, default_ttl=ttl, redis_db=number)

    assert [(prefix, number)] == [(entry["cache"], entry["db"]) for entry in logged]
    assert problem in logged[0]["problem"]


@pytest.mark.parametrize(("prefix", "number", "ttl", "problem"), OUTSIDE)
def test_outside_strict(configure: Any, prefix: str, number: int, ttl: int, problem: str) -> None:
    """What the guidance does not allow is refused when the policy is strict."""
    configure(REDIS_POLICY="strict")

    with pytest.raises(ValueError, match=problem):
        BaseRedisCache(key_prefix=prefix, default_ttl=ttl, redis_db=number)


@pytest.mark.parametrize(("prefix", "number", "ttl"), INSIDE)
def test_inside(configure: Any, logged: list[Any], prefix: str, number: int, ttl: int) -> None:
    """What the guidance allows is neither refused nor commented on."""
    configure(REDIS_POLICY="strict")
    BaseRedisCache(key_prefix=prefix, default_ttl=ttl, redis_db=number)

    assert not logged


@pytest.mark.parametrize("ttl", [0, -5, float("nan")])
async def test_call_ttl_refused(manager: Any, ttl: Any) -> None:
    """A TTL that is not above zero is refused in each call that takes one, whatever the state of Redis."""
    cache: BaseRedisCache[int] = BaseRedisCache(key_prefix="strategy", default_ttl=600)

    for call in (cache.set("a", 1, ttl=ttl), cache.set_many({}, ttl=ttl), cache.expire("a", ttl)):
        with pytest.raises(ValueError, match="TTL"):
            await call
    with pytest.raises(ValueError, match="TTL"):
        await cache.get_or_set("a", lambda: 1, ttl=ttl)


async def test_call_ttl_outside(manager: Any, logged: list[Any]) -> None:
    """A TTL outside of the guidance in a call is said once, too."""
    cache: BaseRedisCache[int] = BaseRedisCache(key_prefix="strategy", default_ttl=600)
    await cache.set("a", 1, ttl=10)
    await cache.set("a", 1, ttl=10)

    assert [float(entry["problem"].split()[3]) for entry in logged] == [10.0]


def test_grpc_needs_service(configure: Any) -> None:
    """A gRPC cache without a service would share its keys with all."""
    configure()
    with pytest.raises(ValueError, match="name of the service"):
        create_grpc_cache("")
