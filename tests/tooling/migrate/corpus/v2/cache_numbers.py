from mysingle.database import create_service_cache, BaseRedisCache
from mysingle.core.config import settings

market = create_service_cache("market", settings.REDIS_DB_MARKET_DATA, ttl=600)
plain = create_service_cache("indicator", settings.REDIS_DB_INDICATOR, ttl=300)
kept = BaseRedisCache(key_prefix="strategy", default_ttl=600)
