from mysingle.auth.cache import get_user_cache
from mysingle.database.redis_cache import BaseRedisCache

quotes = BaseRedisCache(key_prefix="market", redis_db=5, default_ttl=300)


def users():
    return get_user_cache(db=0)
