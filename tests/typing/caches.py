"""Caches with the type of their values: checked by mypy in strict mode, never run."""

from typing import TypedDict, assert_type

from mysingle.core.config import settings
from mysingle.database import BaseRedisCache, create_service_cache, get_redis_client


class Price(TypedDict):
    """What the cache holds."""

    symbol: str
    close: float


class PriceCache(BaseRedisCache[Price]):
    """A cache of one type."""

    def __init__(self) -> None:
        super().__init__(key_prefix="market", default_ttl=300)


async def use() -> None:
    """Read and write."""
    cache = PriceCache()
    found = await cache.get("BTC")
    assert_type(found, Price | None)
    await cache.set("BTC", {"symbol": "BTC", "close": 1.0})
    await cache.set("BTC", 5)  # type: ignore[arg-type]  # a price is no number

    plain = create_service_cache("market", settings.REDIS_DB_MARKET_DATA)
    await plain.set("a", 1)
    await (await get_redis_client(db=settings.REDIS_DB_MARKET_DATA)).get("a")
