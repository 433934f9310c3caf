"""The caches that the guide recommends, each in the database of its purpose. Making one touches no network."""

from typing import Any, TypeVar, Unpack, overload

from mysingle._kernel.settings import get_settings
from mysingle.database._behaviour import CacheOptions
from mysingle.database._cache import BaseRedisCache
from mysingle.database._codec import Codec

__all__ = ["create_grpc_cache", "create_service_cache", "create_user_cache"]

T = TypeVar("T")


@overload
def create_user_cache(ttl: int = 300, **options: Unpack[CacheOptions]) -> BaseRedisCache[Any]: ...
@overload
def create_user_cache(ttl: int = 300, *, codec: Codec[T], **options: Unpack[CacheOptions]) -> BaseRedisCache[T]: ...
def create_user_cache(
    ttl: int = 300, *, codec: Codec[Any] | None = None, **options: Unpack[CacheOptions]
) -> BaseRedisCache[Any]:
    """Return the cache of users, keys `user:{user_id}` in `REDIS_DB_USER`; `ttl` in seconds."""
    number = get_settings().REDIS_DB_USER
    return BaseRedisCache(key_prefix="user", default_ttl=ttl, redis_db=number, codec=codec, **options)


@overload
def create_grpc_cache(service_name: str, ttl: int = 3600, **options: Unpack[CacheOptions]) -> BaseRedisCache[Any]: ...
@overload
def create_grpc_cache(
    service_name: str, ttl: int = 3600, *, codec: Codec[T], **options: Unpack[CacheOptions]
) -> BaseRedisCache[T]: ...
def create_grpc_cache(
    service_name: str, ttl: int = 3600, *, codec: Codec[Any] | None = None, **options: Unpack[CacheOptions]
) -> BaseRedisCache[Any]:
    """
    Return the cache of gRPC responses, keys `grpc:{service_name}:{method}:{hash}` in `REDIS_DB_GRPC`.

    The caller's keys are `{method}:{hash}`; `ttl` in seconds.

    Raises:
        ValueError: an empty service name.
    """
    if not service_name:
        raise ValueError("create_grpc_cache needs the name of the service")
    number = get_settings().REDIS_DB_GRPC
    return BaseRedisCache(key_prefix=f"grpc:{service_name}", default_ttl=ttl, redis_db=number, codec=codec, **options)


@overload
def create_service_cache(
    service_name: str, db_constant: int, ttl: int = 3600, **options: Unpack[CacheOptions]
) -> BaseRedisCache[Any]: ...
@overload
def create_service_cache(
    service_name: str, db_constant: int, ttl: int = 3600, *, codec: Codec[T], **options: Unpack[CacheOptions]
) -> BaseRedisCache[T]: ...
def create_service_cache(
    service_name: str,
    db_constant: int,
    ttl: int = 3600,
    *,
    codec: Codec[Any] | None = None,
    **options: Unpack[CacheOptions],
) -> BaseRedisCache[Any]:
    """
    Return a cache of a service, keys `{service_name}:{key}`.

    Args:
        service_name: the prefix of the keys.
        db_constant: `settings.REDIS_DB_*` or a `RedisDB`, never a number in the code.
        ttl: seconds until a value expires.
        codec: how values become bytes; JSON that keeps its types by default.
        options: `CacheOptions`, such as `stale_seconds=60`.
    """
    return BaseRedisCache(key_prefix=service_name, default_ttl=ttl, redis_db=db_constant, codec=codec, **options)
