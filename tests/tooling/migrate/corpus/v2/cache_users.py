from mysingle.database import BaseRedisCache
from mysingle.database import create_user_cache

users = create_user_cache(ttl=120)
hybrid: BaseRedisCache = create_user_cache()


async def cached() -> object:
    cache = create_user_cache()
    return cache


def sync_cached() -> BaseRedisCache:
    return create_user_cache()
