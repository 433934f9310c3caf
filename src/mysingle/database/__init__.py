"""MongoDB documents, Redis caches and DuckDB files for services. Importing it loads no driver."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.database._audit_report import AuditAnchor, AuditFinding, AuditReport, AuditStream
    from mysingle.database._audit_verify import verify_audit_log
    from mysingle.database._behaviour import CacheOptions
    from mysingle.database._cache import BaseRedisCache
    from mysingle.database._codec import BytesCodec, Codec, CodecError, JsonCodec, MsgpackCodec, ProtobufCodec
    from mysingle.database._duckdb_cache import DuckDBCache
    from mysingle.database._factories import create_grpc_cache, create_service_cache, create_user_cache
    from mysingle.database._idempotency import IdempotencyStore, MemoryIdempotencyStore, RedisIdempotencyStore
    from mysingle.database._memory import MemoryStore
    from mysingle.database._ohlcv import Bar, OHLCVTable
    from mysingle.database._ownership import every_user
    from mysingle.database._pages import Page, paginate
    from mysingle.database._redis import RedisClientManager, get_redis_client, get_redis_manager, reset_redis_manager
    from mysingle.database._redis_audit import DatabaseReport, PrefixReport, RedisReport, audit_redis
    from mysingle.database._redis_config import RedisConfig
    from mysingle.database._repository import UserRepository
    from mysingle.database._store import KeyValueStore
    from mysingle.database._unit_of_work import UnitOfWork, run_unit_of_work, unit_of_work
    from mysingle.database.audit import MongoAuditSink
    from mysingle.database.documents import (
        BaseDoc,
        BaseDocument,
        BaseDocumentWithUserId,
        BaseDocWithUserId,
        BaseResponseSchema,
        BaseTimeDoc,
        BaseTimeDocument,
        BaseTimeDocWithUserId,
    )
    from mysingle.database.duckdb import BaseDuckDBManager, DuckDBResource
    from mysingle.database.mongo import MongoResource, init_mongo
    from mysingle.database.probes import ServerProbe, probe_mongo, probe_redis
    from mysingle.database.rate_limit import Limit, MemoryLimitStore, RateDecision, RateLimiter, RedisLimitStore

__all__ = [
    "AuditAnchor",
    "AuditFinding",
    "AuditReport",
    "AuditStream",
    "Bar",
    "BaseDoc",
    "BaseDocWithUserId",
    "BaseDocument",
    "BaseDocumentWithUserId",
    "BaseDuckDBManager",
    "BaseRedisCache",
    "BaseResponseSchema",
    "BaseTimeDoc",
    "BaseTimeDocWithUserId",
    "BaseTimeDocument",
    "BytesCodec",
    "CacheOptions",
    "Codec",
    "CodecError",
    "DatabaseReport",
    "DuckDBCache",
    "DuckDBResource",
    "IdempotencyStore",
    "JsonCodec",
    "KeyValueStore",
    "Limit",
    "MemoryIdempotencyStore",
    "MemoryLimitStore",
    "MemoryStore",
    "MongoAuditSink",
    "MongoResource",
    "MsgpackCodec",
    "OHLCVTable",
    "Page",
    "PrefixReport",
    "ProtobufCodec",
    "RateDecision",
    "RateLimiter",
    "RedisClientManager",
    "RedisConfig",
    "RedisIdempotencyStore",
    "RedisLimitStore",
    "RedisReport",
    "ServerProbe",
    "UnitOfWork",
    "UserRepository",
    "audit_redis",
    "create_grpc_cache",
    "create_service_cache",
    "create_user_cache",
    "every_user",
    "get_redis_client",
    "get_redis_manager",
    "init_mongo",
    "paginate",
    "probe_mongo",
    "probe_redis",
    "reset_redis_manager",
    "run_unit_of_work",
    "unit_of_work",
    "verify_audit_log",
]

_MODULES = {
    "._audit_report": "AuditAnchor AuditFinding AuditReport AuditStream",
    "._audit_verify": "verify_audit_log",
    "._behaviour": "CacheOptions",
    "._cache": "BaseRedisCache",
    "._codec": "BytesCodec Codec CodecError JsonCodec MsgpackCodec ProtobufCodec",
    "._factories": "create_grpc_cache create_service_cache create_user_cache",
    "._idempotency": "IdempotencyStore MemoryIdempotencyStore RedisIdempotencyStore",
    "._memory": "MemoryStore",
    "._redis": "RedisClientManager get_redis_client get_redis_manager reset_redis_manager",
    "._redis_audit": "DatabaseReport PrefixReport RedisReport audit_redis",
    "._redis_config": "RedisConfig",
    "._duckdb_cache": "DuckDBCache",
    "._ohlcv": "Bar OHLCVTable",
    "._ownership": "every_user",
    "._pages": "Page paginate",
    "._repository": "UserRepository",
    "._unit_of_work": "UnitOfWork run_unit_of_work unit_of_work",
    "._store": "KeyValueStore",
    ".audit": "MongoAuditSink",
    ".documents": "BaseDoc BaseDocWithUserId BaseDocument BaseDocumentWithUserId BaseResponseSchema BaseTimeDoc "
    "BaseTimeDocWithUserId BaseTimeDocument",
    ".duckdb": "BaseDuckDBManager DuckDBResource",
    ".rate_limit": "Limit MemoryLimitStore RateDecision RateLimiter RedisLimitStore",
    ".mongo": "MongoResource init_mongo",
    ".probes": "ServerProbe probe_mongo probe_redis",
}

__getattr__, __dir__ = lazy_exports(
    __name__, {name: module for module, names in _MODULES.items() for name in names.split()}, extra="database"
)
