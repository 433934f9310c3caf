from mysingle.auth.cache import HybridUserCache, RedisUserCache, get_user_cache

users = RedisUserCache(redis_db=0, default_ttl=120)
hybrid: HybridUserCache = HybridUserCache(redis_db=0, memory_size=1000)


async def cached() -> object:
    cache = await get_user_cache(0)
    return cache


def sync_cached() -> HybridUserCache:
    return get_user_cache(db=0)
