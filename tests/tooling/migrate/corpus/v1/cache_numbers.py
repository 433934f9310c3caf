from mysingle.database import BaseRedisCache

market = BaseRedisCache(key_prefix="market", redis_db=5, default_ttl=600)
plain = BaseRedisCache(redis_db=7, key_prefix="indicator")
kept = BaseRedisCache(key_prefix="strategy", default_ttl=600)
