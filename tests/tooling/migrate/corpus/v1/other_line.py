from mysingle.database.duckdb.manager import BaseDuckDBManager
from mysingle.database.redis.cache import BaseRedisCache
from mysingle.database.redis.factory import create_grpc_cache, create_user_cache

CACHES = (create_user_cache(), create_grpc_cache("corpus"))
KNOWN = (BaseDuckDBManager, BaseRedisCache)
