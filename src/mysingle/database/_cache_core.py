"""What is under a cache's methods: names, faults, bytes and values, the copies in this process."""

import asyncio
import math
import os
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from functools import cached_property
from typing import Any, Final, Generic, TypeVar

from mysingle._kernel.allocation import POLICIES, RedisDB
from mysingle._kernel.errors import MySingleError
from mysingle._kernel.metrics import process_metrics
from mysingle._kernel.settings import get_settings
from mysingle.database._behaviour import Behaviour
from mysingle.database._codec import Codec, CodecError
from mysingle.database._entry import NOTHING, TAGGED, pack_tagged, unpack_tagged
from mysingle.database._flight import SharedReads
from mysingle.database._local import LocalCache
from mysingle.database._policy import CacheRules, home_database
from mysingle.database._redis import RedisClientManager, get_redis_manager
from mysingle.database._redis_config import database_number
from mysingle.database._redis_store import RedisStore
from mysingle.database._store import Aged, KeyValueStore, Notice

__all__ = ["FAULT", "MISS", "NEGATIVE", "CacheCore", "Missing"]

T = TypeVar("T")
R = TypeVar("R")

_RESULTS = ("hit", "local", "miss", "stale", "error")
_DAY = 86_400
_LONGEST_TTL = 100 * 365 * _DAY  # what is longer overflows the server's clock sooner or later


class Missing(Enum):
    """Why there is no value: nothing is stored, the store failed, or a loader has returned None."""

    MISS = "miss"
    FAULT = "error"
    NEGATIVE = "negative"


MISS: Final = Missing.MISS
FAULT: Final = Missing.FAULT
NEGATIVE: Final = Missing.NEGATIVE


class CacheCore(Generic[T]):
    """Reads and writes the values of one prefix; a fault of the store is a value of `Missing`, or is raised."""

    def __init__(
        self,
        key_prefix: str,
        default_ttl: int,
        redis_db: int | None,
        codec: Codec[T],
        behaviour: Behaviour,
        *,
        raises: bool,
        manager: RedisClientManager | None,
        store: KeyValueStore | None,
    ) -> None:
        settings = get_settings()
        self._key_prefix = valid_prefix(key_prefix)
        self._name_prefix = to_bytes(f"{self._key_prefix}:")
        self._default_ttl = valid_ttl(default_ttl)
        if redis_db is None:
            redis_db = home_database(self._key_prefix, settings, settings.SERVICE_NAME)
        self._redis_db = database_number(redis_db, settings)
        self._behaviour = behaviour
        self._rules = CacheRules(self._key_prefix, self._redis_db, settings)
        self._rules.check(self._default_ttl + behaviour.stale_seconds)
        self._codec = codec
        self._raises = raises
        self._own_manager = manager
        self._own_store = store
        self._made_store: tuple[RedisClientManager, RedisStore] | None = None
        self._reads: SharedReads[Aged] = SharedReads()
        self._locals: dict[asyncio.AbstractEventLoop, LocalCache[T]] = {}
        policy = POLICIES[settings.redis_purpose(self._redis_db) or RedisDB.RESERVED]
        self._tag_seconds = max(policy.max_ttl_seconds or _DAY, self._default_ttl)

    @property
    def _manager(self) -> RedisClientManager:
        return self._own_manager or get_redis_manager()

    @property
    def _store(self) -> KeyValueStore:
        if self._own_store is not None:
            return self._own_store
        manager = self._manager
        if self._made_store is None or self._made_store[0] is not manager:
            self._made_store = (manager, RedisStore(manager, self._redis_db))
        return self._made_store[1]

    @cached_property
    def _counters(self) -> dict[str, Any]:
        requests = process_metrics().cache_requests
        return {result: requests.labels(self._key_prefix, result) for result in _RESULTS}

    @cached_property
    def _count_local(self) -> Callable[[], None]:
        count: Callable[[], None] = self._counters["local"].inc
        return count

    def _local(self) -> LocalCache[T] | None:
        """Return the copies of this event loop; None when the cache keeps none."""
        if not self._behaviour.local_entries:
            return None
        loop = asyncio.get_running_loop()
        local = self._locals.get(loop)
        return local if local is not None else self._join(loop)

    def _join(self, loop: asyncio.AbstractEventLoop) -> LocalCache[T]:
        for closed in [known for known in self._locals if known.is_closed()]:
            del self._locals[closed]
        channel = f"mysingle:local:{self._redis_db}:{self._key_prefix}".encode()
        local: LocalCache[T] = LocalCache(channel, self._behaviour.local_entries, self._behaviour.local_ttl)
        self._locals[loop] = local
        if self._own_store is None:
            self._manager.bus().join(local)
        return local

    async def _change(
        self,
        keys: Sequence[str] | None,
        command: Callable[[KeyValueStore, Notice | None], Awaitable[R]],
        fallback: R,
    ) -> R:
        """Run a command that changes the values of some keys, or of all; on a fault do as `_attempt`."""
        notice = self._changed(keys)
        try:
            return await self._attempt(lambda store: command(store, notice), fallback)
        finally:
            # Whoever read meanwhile may have what was there before.
            self._changed(keys)
            for key in [None] if keys is None else keys:
                self._reads.forget(key)

    def _changed(self, keys: Sequence[str] | None) -> Notice | None:
        """Forget copies, and return what tells others to forget theirs; None when there is nobody to tell."""
        local = self._local()
        if local is None:
            return None
        if keys is None:
            local.clear()
        else:
            local.drop(keys)
        return local.notice(keys)

    async def _attempt(self, command: Callable[[KeyValueStore], Awaitable[R]], fallback: R) -> R:
        """Run a command; on a fault return `fallback`, or raise if the cache was made so."""
        try:
            return await command(self._store)
        except MySingleError:
            self._counters["error"].inc()
            if self._raises:
                raise
            return fallback

    async def _read(self, key: str, *, shared: bool = False) -> T | Missing:
        """Return the value under a key, whatever its age; callers that share a reading get values of their own."""
        try:
            data = (await self._reads.run(key, lambda: self._fetch(key)) if shared else await self._fetch(key)).data
        except MySingleError:
            return self._fault()
        return self._decode(data)

    async def _read_aged(self, key: str, *, shared: bool = False) -> tuple[T | Missing, int]:
        """Return the value and the milliseconds until it expires: none or fewer for one that is stale."""
        try:
            data, milliseconds = await (
                self._reads.run(key, lambda: self._fetch_aged(key)) if shared else self._fetch_aged(key)
            )
        except MySingleError:
            return self._fault(), 0
        left = milliseconds - self._behaviour.stale_milliseconds
        is_stale = data is not None and data != NOTHING and left <= 0
        return self._decode(data, is_stale=is_stale), left

    async def _fetch(self, key: str) -> Aged:
        """Return the bytes under a key, without their age."""
        data = await self._store.get(self._name(key))
        if data is not None and data.startswith(TAGGED):
            data = (await self._untagged([data]))[0]
        return Aged(data, 0)

    async def _fetch_aged(self, key: str) -> Aged:
        """Return the bytes under a key, and how long they will live."""
        data, milliseconds = await self._store.get_aged(self._name(key))
        if data is not None and data.startswith(TAGGED):
            data = (await self._untagged([data]))[0]
        return Aged(data, milliseconds)

    async def _untagged(self, found: Sequence[bytes | None]) -> list[bytes | None]:
        """Take values with tags out of their wrapping; None for those whose tags have changed since."""
        wrapped: dict[int, Any] = {}
        for place, data in enumerate(found):
            if data is not None and data.startswith(TAGGED):
                try:
                    wrapped[place] = unpack_tagged(data)
                except CodecError:
                    wrapped[place] = None  # the codec will say that it cannot read them
        names = sorted({name for tagged in wrapped.values() if tagged for name in tagged.versions})
        versions = await self._versions(names)
        result = list(found)
        for place, tagged in wrapped.items():
            if tagged is not None:
                is_current = all(versions[name] == version for name, version in tagged.versions.items())
                result[place] = tagged.data if is_current else None
        return result

    async def _versions(self, tags: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the present version of each tag: empty for one that was never invalidated."""
        if not tags:
            return {}
        found = await self._store.get_many([self._tag_name(tag) for tag in tags])
        return {tag: version or b"" for tag, version in zip(tags, found, strict=True)}

    def _decode(self, data: bytes | None, *, is_stale: bool = False) -> T | Missing:
        if data is None:
            self._counters["miss"].inc()
            return MISS
        if data == NOTHING:
            self._counters["hit"].inc()
            return NEGATIVE
        try:
            value = self._codec.decode(data)
        except CodecError as error:
            self._counters["error"].inc()
            if self._raises:
                raise
            self._manager.report("cache.unreadable", cache=self._key_prefix, error=error.message)
            return MISS
        self._counters["miss" if is_stale else "hit"].inc()
        return value

    def _decode_many(self, keys: Sequence[str], found: Sequence[bytes | None]) -> dict[str, T]:
        """Return the values that there are; what is counted is counted at the end, which is quicker."""
        values: dict[str, T] = {}
        decode, missing = self._codec.decode, 0
        for key, data in zip(keys, found, strict=False):
            if data is None:
                missing += 1
                continue
            try:
                if data != NOTHING:
                    values[key] = decode(data)
                    continue
            except CodecError:
                pass
            self._decode(data)  # counts, and says what is wrong
        self._counters["miss"].inc(missing)
        self._counters["hit"].inc(len(values))
        return values

    def _fault(self) -> Missing:
        """Count the error that is being handled, and raise it again if the cache was made so."""
        self._counters["error"].inc()
        if self._raises:
            raise  # only called while an error is handled
        return FAULT

    def _encode(self, value: T) -> bytes:
        data = self._codec.encode(value)
        limit = self._behaviour.max_value_bytes
        if len(data) > limit:
            raise CodecError(f"Cache {self._key_prefix!r}: a value of {len(data)} bytes is larger than {limit}")
        return data

    async def _write(
        self, key: str, data: bytes, milliseconds: int, versions: dict[bytes, bytes] | None = None
    ) -> bool:
        if versions:
            data = pack_tagged(data, versions)
            milliseconds = min(milliseconds, self._tag_seconds * 1000)
        name = self._name(key)
        return await self._change([key], lambda store, notice: store.set(name, data, milliseconds, notice), False)

    async def _renew_tag(self, tag: str) -> bool:
        # A version never returns, so a value made before is never believed again, whatever is lost in between.
        name, version = self._tag_name(to_bytes(tag)), os.urandom(12)
        return await self._change(
            None, lambda store, notice: store.set(name, version, self._tag_seconds * 1000, notice), False
        )

    def _name(self, key: object) -> bytes:
        if not isinstance(key, str) or not key:
            raise ValueError(f"Cache {self._key_prefix!r}: a key is a text that is not empty, not {key!r:.80}")
        return self._name_prefix + to_bytes(key)

    def _tag_name(self, tag: bytes) -> bytes:
        return b"%s:tag:%s" % (to_bytes(self._key_prefix), tag)

    def _milliseconds(self, ttl: float | None) -> int:
        """Return how long a value is fresh."""
        if ttl is None:
            return math.ceil(self._default_ttl * 1000)
        self._rules.check(valid_ttl(ttl) + self._behaviour.stale_seconds)
        return math.ceil(ttl * 1000)


def to_bytes(text: str) -> bytes:
    """Encode a key: text from outside may hold lone surrogates, and they are no reason to fail."""
    return text.encode("utf-8", "surrogatepass")


def valid_prefix(prefix: object) -> str:
    """Return a prefix without its colon, or raise `ValueError`."""
    stripped = prefix.rstrip(":") if isinstance(prefix, str) else ""
    if not stripped or any(character.isspace() for character in stripped):
        raise ValueError(f"A cache needs a key_prefix without spaces, such as 'strategy', not {prefix!r}")
    return stripped


def valid_ttl(ttl: Any) -> int:  # Any: callers without a type checker pass None and text
    """Return a TTL that is a number above zero, or raise `ValueError`."""
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 < ttl < _LONGEST_TTL:
        raise ValueError(f"A TTL is a number of seconds above zero, not {ttl!r}: no key lives for ever")
    return ttl  # type: ignore[return-value]  # a float works as well and is not advertised
