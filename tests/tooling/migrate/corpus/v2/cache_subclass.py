from mysingle.core.config import settings
from mysingle.database import BaseRedisCache


class StrategyCache(BaseRedisCache):
    """Results of strategies."""

    def __init__(self) -> None:
        super().__init__(
            key_prefix="strategy",
            redis_db=settings.REDIS_DB_STRATEGY,  # strategies
            default_ttl=600,
        )


CACHE = StrategyCache()
assert CACHE.redis_db == settings.REDIS_DB_STRATEGY
