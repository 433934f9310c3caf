from mysingle.core.config import get_settings
from mysingle.database import BaseRedisCache

settings = get_settings()
bytecode = BaseRedisCache(key_prefix="dsl", redis_db=settings.REDIS_DB_DSL_BYTECODE, default_ttl=3600)
models = BaseRedisCache(key_prefix="ml", redis_db=settings.REDIS_DB_ML_MODEL, default_ttl=3600)
