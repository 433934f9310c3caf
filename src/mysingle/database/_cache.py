"""`BaseRedisCache`: typed values under one prefix, in the right database, for a limited time."""

import inspect
import math
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import Enum
from functools import cached_property
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar, cast

from redis.asyncio import Redis

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.metrics import process_metrics
from mysingle._kernel.settings import get_settings
from mysingle.database._codec import Codec, CodecError, JsonCodec
from mysingle.database._flight import SingleFlight
from mysingle.database._policy import CacheRules, home_database
from mysingle.database._redis import RedisClientManager, get_redis_manager, send
from mysingle.database._redis_config import database_number

__all__ = ["BaseRedisCache"]

T = TypeVar("T")
R = TypeVar("R")
Loader: TypeAlias = Callable[[], Awaitable[T] | T]

_CLEAR_BATCH = 500


class _Absent(Enum):
    MISS = "miss"
    FAULT = "error"


MISS: Final = _Absent.MISS
FAULT: Final = _Absent.FAULT


class BaseRedisCache(Generic[T]):
    """
    A cache of values under `{key_prefix}:{key}` in one Redis database.

    Making one touches no network. A fault of Redis is a miss: `get` returns None, `set` False, `get_or_set` runs its
    loader; it is counted, logged at most once a second, and after three in a row Redis is skipped for about a second
    at a time until it answers again. Bytes that do not decode are a miss too.

    Args:
        key_prefix: what the keys begin with; the allocation says which prefix belongs to whom.
        default_ttl: seconds until a value expires when the call does not say.
        redis_db: the number of the database, out of `settings.REDIS_DB_*`. Without it the owner of the prefix
            decides, then this service's own database, then `REDIS_DB_STRATEGY`.
        codec: how values become bytes; JSON that keeps its types by default.
        on_error: "raise" hands faults to the caller as `MySingleError` instead.
        ttl_jitter: by what share `get_or_set` shortens TTLs at random, so that values do not expire together.
        manager: the connections, the process's own by default.

    Raises:
        ValueError: an empty prefix, a TTL of none or not above zero, a database that does not exist or is reserved;
            with `REDIS_POLICY=strict` also whatever the allocation does not allow.
    """

    def __init__(
        self,
        *,
        key_prefix: str,
        default_ttl: int = 300,
        redis_db: int | None = None,
        codec: Codec[T] | None = None,
        on_error: Literal["miss", "raise"] = "miss",
        ttl_jitter: float = 0.1,
        manager: RedisClientManager | None = None,
    ) -> None:
        settings = get_settings()
        self._key_prefix = _valid_prefix(key_prefix)
        self._default_ttl = _valid_ttl(default_ttl)
        if redis_db is None:
            redis_db = home_database(self._key_prefix, settings, settings.SERVICE_NAME)
        self._redis_db = database_number(redis_db, settings)
        self._rules = CacheRules(self._key_prefix, self._redis_db, settings)
        self._rules.check(self._default_ttl)
        self._codec: Codec[T] = codec or JsonCodec()
        self._raises = on_error == "raise"
        self._ttl_jitter = ttl_jitter
        self._own_manager = manager
        self._flights: SingleFlight[T] = SingleFlight()

    @property
    def key_prefix(self) -> str:
        """What the keys begin with, without the colon that follows."""
        return self._key_prefix

    @property
    def default_ttl(self) -> int:
        """Seconds until a value expires when the call does not say."""
        return self._default_ttl

    @property
    def redis_db(self) -> int:
        """The number of the database."""
        return self._redis_db

    async def get(self, key: str) -> T | None:
        """Return the value; None when there is none, or Redis is away."""
        value = await self._read(key)
        return None if isinstance(value, _Absent) else value

    async def set(self, key: str, value: T, ttl: int | None = None) -> bool:
        """
        Store a value for exactly `ttl` seconds; tell whether it is stored.

        Raises:
            CodecError: the codec does not store such a value.
            ValueError: a TTL that is not above zero.
        """
        return await self._write(key, self._codec.encode(value), self._milliseconds(ttl))

    async def delete(self, key: str) -> bool:
        """Delete a value; tell whether there was one."""
        return bool(await self._command("UNLINK", self._name(key), fallback=0))

    async def exists(self, key: str) -> bool:
        """Tell whether there is a value, without reading it."""
        return bool(await self._command("EXISTS", self._name(key), fallback=0))

    async def expire(self, key: str, ttl: int) -> bool:
        """Let a value expire in `ttl` seconds from now; tell whether there is one."""
        return bool(await self._command("PEXPIRE", self._name(key), self._milliseconds(ttl), fallback=0))

    async def get_many(self, keys: Iterable[str]) -> dict[str, T]:
        """Return the values that there are, by key; one command for all."""
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return {}
        names = [self._name(key) for key in wanted]
        found: list[bytes | None] = await self._command("MGET", *names, raw=True, fallback=[])
        values = {key: self._decode(data) for key, data in zip(wanted, found, strict=False)}
        return {key: value for key, value in values.items() if not isinstance(value, _Absent)}

    async def set_many(self, mapping: Mapping[str, T], ttl: int | None = None) -> bool:
        """Store values for exactly `ttl` seconds in one round trip; tell whether all are stored."""
        milliseconds = self._milliseconds(ttl)
        entries = [(self._name(key), self._codec.encode(value)) for key, value in mapping.items()]

        async def store(redis: Redis) -> bool:
            async with redis.pipeline(transaction=False) as pipeline:
                for name, data in entries:
                    pipeline.set(name, data, px=milliseconds)
                return all(await pipeline.execute())

        return await self._attempt(store, fallback=False) if entries else True

    async def get_or_set(self, key: str, loader: Loader[T], ttl: int | None = None) -> T:
        """
        Return the value, or what `loader` returns, and store that.

        Callers that miss the same key at the same time share one run of the loader, and its result: do not change
        it. The loader has the context of the first caller. Its errors reach all who wait and are not stored; None is
        not stored either. A value that cannot be stored is logged and returned.
        """
        lifetime = self._shortened(self._milliseconds(ttl))
        value = await self._read(key)
        if not isinstance(value, _Absent):
            return value
        if value is FAULT:
            return await self._flights.run(key, lambda: self._load(loader))
        return await self._flights.run(key, lambda: self._load_and_store(key, loader, lifetime))

    async def clear_all(self) -> int:
        """Delete all keys of this prefix, in batches that do not block the server; return how many there were."""
        pattern = _escape_glob(f"{self._key_prefix}:") + "*"

        async def clear(redis: Redis) -> int:
            cursor, cleared = 0, 0
            while True:
                cursor, names = await redis.scan(cursor, match=pattern, count=_CLEAR_BATCH)
                cleared += await redis.unlink(*names) if names else 0
                if not cursor:
                    return cleared

        return await self._attempt(clear, 0)

    async def health_check(self) -> bool:
        """Tell whether Redis answers; never raises."""
        try:
            await self._manager.ping(self._redis_db)
        except MySingleError:
            return False
        return True

    @property
    def _manager(self) -> RedisClientManager:
        return self._own_manager or get_redis_manager()

    @cached_property
    def _counters(self) -> dict[str, Any]:
        requests = process_metrics().cache_requests
        return {result: requests.labels(self._key_prefix, result) for result in ("hit", "miss", "error")}

    async def _command(self, *arguments: bytes | str | int, fallback: object, raw: bool = False) -> Any:
        return await self._attempt(lambda redis: send(redis, *arguments, raw=raw), fallback)

    async def _attempt(self, command: Callable[[Redis], Awaitable[R]], fallback: R) -> R:
        """Run a command; on a fault return `fallback`, or raise if the cache was made so."""
        try:
            return await self._manager.run(self._redis_db, command)
        except MySingleError:
            self._counters["error"].inc()
            if self._raises:
                raise
            return fallback

    async def _fetch(self, key: str) -> bytes | _Absent | None:
        data: bytes | _Absent | None = await self._command("GET", self._name(key), raw=True, fallback=FAULT)
        return data

    async def _read(self, key: str) -> T | _Absent:
        data = await self._fetch(key)
        return data if isinstance(data, _Absent) else self._decode(data)

    def _decode(self, data: bytes | None) -> T | _Absent:
        if data is None:
            self._counters["miss"].inc()
            return MISS
        try:
            value = self._codec.decode(data)
        except CodecError as error:
            self._counters["error"].inc()
            if self._raises:
                raise
            self._manager.report("cache.unreadable", cache=self._key_prefix, error=error.message)
            return MISS
        self._counters["hit"].inc()
        return value

    async def _write(self, key: str, data: bytes, milliseconds: int) -> bool:
        return bool(await self._command("SET", self._name(key), data, "PX", milliseconds, fallback=False))

    async def _load_and_store(self, key: str, loader: Loader[T], milliseconds: int) -> T:
        # Another flight may have landed between this caller's look and its start.
        data = await self._fetch(key)
        stored = self._decode(data) if isinstance(data, bytes) else MISS
        if not isinstance(stored, _Absent):
            return stored
        value = await self._load(loader)
        if value is not None and data is not FAULT:
            await self._store(key, value, milliseconds)
        return value

    async def _load(self, loader: Loader[T]) -> T:
        with process_metrics().cache_load_seconds.labels(self._key_prefix).time():
            value = loader()
            return cast("T", await value if inspect.isawaitable(value) else value)

    async def _store(self, key: str, value: T, milliseconds: int) -> None:
        try:
            data = self._codec.encode(value)
        except CodecError as error:
            if self._raises:
                raise
            self._manager.report("cache.unstorable", cache=self._key_prefix, error=error.message)
        else:
            await self._write(key, data, milliseconds)

    def _name(self, key: str) -> bytes:
        if not key:
            raise ValueError(f"Cache {self._key_prefix!r}: a key must not be empty")
        # Text from outside may hold lone surrogates; they are no reason to fail.
        return f"{self._key_prefix}:{key}".encode("utf-8", "surrogatepass")

    def _milliseconds(self, ttl: int | None) -> int:
        if ttl is None:
            return math.ceil(self._default_ttl * 1000)
        self._rules.check(_valid_ttl(ttl))
        return math.ceil(ttl * 1000)

    def _shortened(self, milliseconds: int) -> int:
        share = random.random() * self._ttl_jitter  # noqa: S311  # spreads expiry, decides nothing
        return max(1, round(milliseconds * (1 - share)))


def _valid_prefix(prefix: object) -> str:
    stripped = prefix.rstrip(":") if isinstance(prefix, str) else ""
    if not stripped or any(character.isspace() for character in stripped):
        raise ValueError(f"A cache needs a key_prefix without spaces, such as 'strategy', not {prefix!r}")
    return stripped


def _valid_ttl(ttl: Any) -> int:  # Any: callers without a type checker pass None and text
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 < ttl < math.inf:
        raise ValueError(f"A TTL is a number of seconds above zero, not {ttl!r}: no key lives for ever")
    return cast("int", ttl)


def _escape_glob(text: str) -> str:
    return "".join(f"\\{character}" if character in "\\*?[]^" else character for character in text)
