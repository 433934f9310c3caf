import asyncio
import contextlib
import math
from typing import Any

import pytest
from pydantic import BaseModel

from mysingle._kernel.metrics import process_metrics
from mysingle.database import (
    BaseRedisCache,
    CodecError,
    JsonCodec,
    MsgpackCodec,
    RedisClientManager,
    create_grpc_cache,
    create_service_cache,
    create_user_cache,
    get_redis_client,
)

pytestmark = pytest.mark.usefixtures("manager")


class Quote(BaseModel):
    symbol: str
    bid: float


@pytest.fixture
def cache() -> BaseRedisCache[Any]:
    return BaseRedisCache(key_prefix="strategy", default_ttl=600)


def counted(prefix: str, result: str) -> float:
    labels = {"cache": prefix, "result": result}
    return process_metrics().registry.get_sample_value("mysingle_cache_requests_total", labels) or 0.0


@pytest.mark.parametrize(
    ("make", "key", "number", "stored", "ttl"),
    [
        pytest.param(create_user_cache, "42", 0, "user:42", 300, id="user"),
        pytest.param(lambda: create_user_cache(60), "42", 0, "user:42", 60, id="user-ttl"),
        pytest.param(lambda: create_grpc_cache("strategy"), "Get:ab", 1, "grpc:strategy:Get:ab", 3600, id="grpc"),
        pytest.param(
            lambda: create_grpc_cache(service_name="ml", ttl=60), "Get:ab", 1, "grpc:ml:Get:ab", 60, id="grpc-ttl"
        ),
        pytest.param(lambda: create_service_cache("market", 5), "AAPL:1d", 5, "market:AAPL:1d", 3600, id="service"),
        pytest.param(
            lambda: create_service_cache(service_name="ml", db_constant=12, ttl=7200),
            "m",
            12,
            "ml:m",
            7200,
            id="keywords",
        ),
        pytest.param(lambda: BaseRedisCache(key_prefix="plan"), "p", 14, "plan:p", 300, id="owner"),
    ],
)
async def test_key_database_ttl(make: Any, key: str, number: int, stored: str, ttl: int) -> None:
    """Each cache writes its keys into its own database, for its own time."""
    cache = make()
    await cache.set(key, "value")

    places = [db for db in range(15) if await (await get_redis_client(db)).keys("*")]
    client = await get_redis_client(number)
    assert [number] == places
    assert [stored] == await client.keys("*")
    assert ttl - 1 <= await client.ttl(stored) <= ttl
    assert number == cache.redis_db == cache._redis_db


async def test_read_only_properties(cache: BaseRedisCache[Any]) -> None:
    """What a cache is cannot be changed afterwards."""
    for name in ("key_prefix", "default_ttl", "redis_db"):
        with pytest.raises(AttributeError, match=name):
            setattr(cache, name, "other")


async def test_value_life(cache: BaseRedisCache[Any]) -> None:
    """A value is there after set and away after delete, and each call says what it found."""
    assert await cache.get("a") is None
    assert not await cache.exists("a")
    assert await cache.set("a", {"x": [1]}) is True
    assert await cache.get("a") == {"x": [1]}
    assert await cache.exists("a") is True
    assert await cache.delete("a") is True
    assert await cache.delete("a") is False
    assert await cache.get("a") is None


async def test_set_ttl_exact(cache: BaseRedisCache[Any]) -> None:
    """`set` stores for exactly the time that was given."""
    await cache.set("a", 1, ttl=1200)

    assert 1_199_000 < await (await get_redis_client(8)).pttl("strategy:a") <= 1_200_000


async def test_expire(cache: BaseRedisCache[Any]) -> None:
    """`expire` gives a new time to a value that is there, and nothing to one that is not."""
    await cache.set("a", 1)

    assert await cache.expire("a", 3000) is True
    assert 2_999_000 < await (await get_redis_client(8)).pttl("strategy:a") <= 3_000_000
    assert await cache.expire("b", 3000) is False


async def test_value_expires() -> None:
    """A value is gone after its time."""
    cache: BaseRedisCache[int] = BaseRedisCache(key_prefix="dsl:lock", default_ttl=1)
    await cache.set("a", 1)
    await asyncio.sleep(1.05)

    assert await cache.get("a") is None


async def test_add_and_delete_if(cache: BaseRedisCache[Any]) -> None:
    """Only one of several callers adds a value, and only who knows the value takes it away."""
    assert sorted(await asyncio.gather(*(cache.add("k", name, 60) for name in "abc"))) == [False, False, True]
    value = await cache.get("k")

    assert await (await get_redis_client(db=8)).ttl("strategy:k") == 60
    assert await cache.delete_if("k", "of another") is False
    assert await cache.get("k") == value
    assert await cache.delete_if("k", value) is True
    assert await cache.get("k") is None


async def test_many(cache: BaseRedisCache[Any]) -> None:
    """Many values are written and read in one go; those that are missing are left out."""
    assert await cache.set_many({str(number): number for number in range(100)}, ttl=900)
    found = await cache.get_many(["1", "none", "99", "1"])

    assert found == {"1": 1, "99": 99}
    assert 899 <= await (await get_redis_client(8)).ttl("strategy:1") <= 900


async def test_many_of_nothing(cache: BaseRedisCache[Any]) -> None:
    """Nothing to do is done without the server."""
    assert await cache.get_many([]) == {}
    assert await cache.set_many({}) is True


async def test_one_command_for_many(cache: BaseRedisCache[Any]) -> None:
    """`get_many` is one MGET, whatever the number of keys."""
    client = await get_redis_client(8)
    await client.config_resetstat()
    await cache.get_many([str(number) for number in range(50)])
    statistics = await client.info("commandstats")

    assert statistics["cmdstat_mget"]["calls"] == 1
    assert "cmdstat_get" not in statistics


@pytest.mark.parametrize("key", ["", None, 7, b"a", ["a"]])
async def test_key_refused(cache: BaseRedisCache[Any], key: Any) -> None:
    """A key that is empty or no text is refused."""
    with pytest.raises(ValueError, match="a key is a text"):
        await cache.get(key)
    with pytest.raises(ValueError, match="a key is a text"):
        await cache.set_many({"a": 1, **{each: 1 for each in [key] if not isinstance(each, list)}, "": 1})
    assert await cache.get("a") is None


@pytest.mark.parametrize("tags", [["x" * 70_000], [str(number) for number in range(40)], [1], "text"])
async def test_tags_refused(cache: BaseRedisCache[Any], tags: Any) -> None:
    """Tags that cannot be kept are refused before the loader runs."""
    runs: list[int] = []
    for work in (cache.get_or_set("a", lambda: runs.append(1), tags=tags), cache.set("a", 1, tags=tags)):
        with pytest.raises(ValueError, match="tags"):
            await work
    assert runs == []


@pytest.mark.parametrize("ttl", [0, -1, math.inf, "5", True, 10**30])
async def test_ttl_refused(cache: BaseRedisCache[Any], ttl: Any) -> None:
    """A time to live that is none, or that no server's clock holds, is refused."""
    for work in (cache.set("a", 1, ttl), cache.expire("a", ttl), cache.get_or_set("a", lambda: 1, ttl)):
        with pytest.raises(ValueError, match="A TTL is a number"):
            await work


@pytest.mark.parametrize("key", ["ключ", "a b", "\ud800", "*", "x" * 10_000])
async def test_any_other_key(cache: BaseRedisCache[Any], key: str) -> None:
    """Any other text is a key."""
    await cache.set(key, 1)

    assert await cache.get(key) == 1
    assert await cache.clear_all() == 1


async def test_clear_all_own_prefix(cache: BaseRedisCache[Any]) -> None:
    """Clearing takes the keys of this prefix, all of them, and no others."""
    client = await get_redis_client(8)
    await client.set("strategyx:1", 1)
    await client.set("strategy", 1)
    await client.set("version:1", 1)
    await cache.set_many({str(number): number for number in range(2500)})

    assert await cache.clear_all() == 2500
    assert sorted(await client.keys("*")) == ["strategy", "strategyx:1", "version:1"]


async def test_clear_all_escapes() -> None:
    """Characters of a prefix that mean something in a pattern mean themselves."""
    client = await get_redis_client(8)
    cache: BaseRedisCache[int] = BaseRedisCache(key_prefix="a*[b]?\\", redis_db=8)
    await cache.set("1", 1)
    await client.set("axxb1:2", 1)

    assert await cache.clear_all() == 1
    assert await client.keys("*") == ["axxb1:2"]


async def test_typed_codec() -> None:
    """With a typed codec, values come back as that type."""
    cache: BaseRedisCache[Quote] = BaseRedisCache(key_prefix="market", codec=JsonCodec(model=Quote))
    await cache.set("AAPL", Quote(symbol="AAPL", bid=1.5))

    assert await cache.get("AAPL") == Quote(symbol="AAPL", bid=1.5)


@pytest.mark.parametrize("data", [b"", b"\x80\x04N.", b'{"a": 1}', b"MSM1\x01", b"MSJ9{}"])
async def test_unreadable_is_miss(cache: BaseRedisCache[Any], logged: list[Any], data: bytes) -> None:
    """Bytes that do not decode are a miss that is counted and logged, and the loader's value replaces them."""
    await (await get_redis_client(8)).set("strategy:a", data, ex=600)
    errors = counted("strategy", "error")

    assert await cache.get("a") is None
    assert counted("strategy", "error") == errors + 1
    assert await cache.get_many(["a"]) == {}
    assert await cache.get_or_set("a", lambda: 7) == 7
    assert await cache.get("a") == 7
    assert [entry["event"] for entry in logged] == ["cache.unreadable"]


async def test_unreadable_raises() -> None:
    """A cache that was made to raise hands the error to the caller."""
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600, on_error="raise")
    await (await get_redis_client(8)).set("strategy:a", b"foreign")

    with pytest.raises(CodecError, match="not a value"):
        await cache.get("a")


async def test_other_kind_of_key_is_miss(cache: BaseRedisCache[Any], manager: RedisClientManager) -> None:
    """A key that holds a list is a miss, and no reason to skip the server."""
    await (await get_redis_client(8)).lpush("strategy:a", "x")
    for _ in range(5):
        assert await cache.get("a") is None

    assert not manager.circuit.is_open


async def test_unstorable(cache: BaseRedisCache[Any]) -> None:
    """`set` refuses what cannot be stored; `get_or_set` returns it all the same."""
    value = object()
    with pytest.raises(CodecError, match="cannot store"):
        await cache.set("a", value)

    assert await cache.get_or_set("a", lambda: value) is value


async def test_counted() -> None:
    """Hits and misses are counted under the prefix."""
    cache: BaseRedisCache[int] = BaseRedisCache(key_prefix="version", default_ttl=600)
    before = counted("version", "hit"), counted("version", "miss")
    await cache.get("a")
    await cache.set("a", 1)
    await cache.get("a")
    await cache.get_many(["a", "b"])

    assert (counted("version", "hit") - before[0], counted("version", "miss") - before[1]) == (2, 2)


async def test_get_or_set(cache: BaseRedisCache[Any]) -> None:
    """The loader runs at a miss and not at a hit; it may be async or not."""
    runs = []

    async def load() -> int:
        runs.append("async")
        return 1

    assert await cache.get_or_set("a", load) == 1
    assert await cache.get_or_set("a", load) == 1
    assert await cache.get_or_set("b", lambda: 2) == 2
    assert await cache.get("b") == 2
    assert runs == ["async"]


async def test_get_or_set_jitter(cache: BaseRedisCache[Any]) -> None:
    """Loaded values live at most as long as asked and at least nine tenths of it, and not all equally long."""
    client = await get_redis_client(8)
    for number in range(50):
        await cache.get_or_set(str(number), lambda: 1, ttl=1000)
    lives = [await client.pttl(f"strategy:{number}") for number in range(50)]

    assert 895_000 < min(lives) <= max(lives) <= 1_000_000
    assert max(lives) - min(lives) > 20_000


async def test_get_or_set_none(cache: BaseRedisCache[Any]) -> None:
    """None from a loader is returned and not stored."""
    assert await cache.get_or_set("a", lambda: None) is None
    assert not await cache.exists("a")


async def test_stored_none_is_hit(cache: BaseRedisCache[Any]) -> None:
    """A None that was set is a value for `get_or_set`."""
    await cache.set("a", None)

    assert await cache.get_or_set("a", lambda: 1) is None


@pytest.mark.parametrize("codec", [JsonCodec(), MsgpackCodec()], ids=["json", "msgpack"])
async def test_single_flight(codec: Any) -> None:
    """A thousand misses at the same time are one run of the loader, also a fast one."""
    cache: BaseRedisCache[Any] = BaseRedisCache(key_prefix="strategy", default_ttl=600, codec=codec)
    runs = 0

    async def load() -> int:
        nonlocal runs
        runs += 1
        return 7

    results = await asyncio.gather(*(cache.get_or_set("a", load) for _ in range(1000)))

    assert results == [7] * 1000
    assert runs == 1


async def test_single_flight_cancelled(cache: BaseRedisCache[Any]) -> None:
    """The request that began the load may be cancelled; the others get the value, and it is stored."""
    gate = asyncio.Event()

    async def load() -> int:
        await gate.wait()
        return 7

    tasks = [asyncio.create_task(cache.get_or_set("a", load)) for _ in range(10)]
    await asyncio.sleep(0.1)
    tasks[0].cancel()
    await asyncio.sleep(0.01)
    gate.set()

    assert await asyncio.gather(*tasks[1:]) == [7] * 9
    assert await cache.get("a") == 7


async def test_loader_error(cache: BaseRedisCache[Any]) -> None:
    """An error of the loader reaches the caller and is not stored."""

    async def fail() -> int:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await cache.get_or_set("a", fail)

    assert await cache.get_or_set("a", lambda: 1) == 1


async def test_cancelled_calls_leave_the_pool_whole(cache: BaseRedisCache[Any], manager: RedisClientManager) -> None:
    """Callers that give up half-way cost no connection and mix up no replies."""
    await cache.set_many({str(number): number for number in range(200)})
    tasks = [asyncio.create_task(cache.get(str(number))) for number in range(200)]
    await asyncio.sleep(0.002)
    for task in tasks[::2]:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
    pool = manager.lazy_client(8).connection_pool

    assert list(range(200)) == [await cache.get(str(number)) for number in range(200)]
    assert not pool._in_use_connections


async def test_made_before_any_loop(cache: BaseRedisCache[Any]) -> None:
    """A cache may be made at import, before there is an event loop."""
    made = await asyncio.to_thread(create_service_cache, "strategy", 8)

    assert await made.set("a", 1)
    assert await made.health_check()
