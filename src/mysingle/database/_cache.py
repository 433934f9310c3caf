"""`BaseRedisCache`: typed values under one prefix, in the right database, for a limited time."""

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar, Unpack, cast

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.metrics import process_metrics
from mysingle.database._behaviour import Behaviour, CacheOptions
from mysingle.database._cache_core import FAULT, MISS, NEGATIVE, CacheCore, Missing, to_bytes
from mysingle.database._codec import Codec, CodecError, JsonCodec
from mysingle.database._entry import NOTHING, TAGGED, checked_tags
from mysingle.database._flight import SingleFlight
from mysingle.database._local import ABSENT
from mysingle.database._patience import Patience, no_patience, renew_patience
from mysingle.database._redis import RedisClientManager
from mysingle.database._shared_flight import StoreLocks, turns
from mysingle.database._store import KeyValueStore

__all__ = ["BaseRedisCache"]

T = TypeVar("T")
Loader: TypeAlias = Callable[[], Awaitable[T] | T]


class _Task(NamedTuple):
    """What `get_or_set` was asked to do at a miss."""

    key: str
    loader: Loader[Any]
    milliseconds: int
    tags: tuple[bytes, ...]


class BaseRedisCache(CacheCore[T]):
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
        manager: the connections, the process's own by default.
        store: where the bytes go, instead of Redis: a `MemoryStore`, for example.
        options: `CacheOptions`, such as `stale_seconds=60`.

    Raises:
        ValueError: an empty prefix, a TTL of none or not above zero, a database that does not exist or is reserved,
            an option out of its bounds; with `REDIS_POLICY=strict` also whatever the allocation does not allow.
    """

    def __init__(
        self,
        *,
        key_prefix: str,
        default_ttl: int = 300,
        redis_db: int | None = None,
        codec: Codec[T] | None = None,
        on_error: Literal["miss", "raise"] = "miss",
        manager: RedisClientManager | None = None,
        store: KeyValueStore | None = None,
        **options: Unpack[CacheOptions],
    ) -> None:
        super().__init__(
            key_prefix,
            default_ttl,
            redis_db,
            codec or JsonCodec(),
            Behaviour(**options),
            raises=on_error == "raise",
            manager=manager,
            store=store,
        )
        self._flights: SingleFlight[T] = SingleFlight()
        self._locks = StoreLocks()
        self._refreshes: set[asyncio.Task[T]] = set()

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
        local = self._local()
        if local is not None:  # the short way, because a copy in the process costs about a microsecond
            kept = local.get(key)
            if kept is not ABSENT:
                self._count_local()
                return kept
        value = await self._look(key)
        return None if isinstance(value, Missing) else value

    async def set(self, key: str, value: T, ttl: int | None = None, *, tags: Iterable[str] = ()) -> bool:
        """
        Store a value for exactly `ttl` seconds; tell whether it is stored.

        With `tags`, `invalidate_tag` of any of them makes it disappear.

        Raises:
            CodecError: the codec does not store such a value, or it is too large.
            ValueError: a TTL that is not above zero.
        """
        milliseconds = self._milliseconds(ttl) + self._behaviour.stale_milliseconds
        data, wanted = self._encode(value), _tag_bytes(tags)
        versions = await self._attempt(lambda _: self._versions(wanted), fallback=None)
        return versions is not None and await self._write(key, data, milliseconds, versions)

    async def add(self, key: str, value: T, ttl: float | None = None) -> bool:
        """
        Store a value only if there is none, in one step; tell whether it is stored.

        Raises:
            CodecError: the codec does not store such a value, or it is too large.
            ValueError: a TTL that is not above zero.
        """
        name, data, milliseconds = self._name(key), self._encode(value), self._milliseconds(ttl)
        return await self._attempt(lambda store: store.add(name, data, milliseconds), fallback=False)

    async def delete_if(self, key: str, value: T) -> bool:
        """Delete a value only if it is this one, in one step; copies in other processes live out their time."""
        name, data = self._name(key), self._encode(value)
        self._changed([key])
        return await self._attempt(lambda store: store.delete_if(name, data), fallback=False)

    async def delete(self, key: str) -> bool:
        """Delete a value; tell whether there was one."""
        name = self._name(key)
        return bool(await self._change([key], lambda store, notice: store.delete([name], notice), 0))

    async def exists(self, key: str) -> bool:
        """Tell whether there is a value, as a rule without reading it."""
        if self._behaviour.negative_ttl or self._behaviour.stale_seconds:
            return not isinstance(await self._look(key), Missing)
        name = self._name(key)
        return await self._attempt(lambda store: store.exists(name), fallback=False)

    async def expire(self, key: str, ttl: int) -> bool:
        """Let a value expire in `ttl` seconds from now; tell whether there is one."""
        name = self._name(key)
        milliseconds = self._milliseconds(ttl) + self._behaviour.stale_milliseconds
        return await self._change([key], lambda store, notice: store.expire(name, milliseconds, notice), False)

    async def get_many(self, keys: Iterable[str]) -> dict[str, T]:
        """Return the values that there are, by key; one command for all."""
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return {}
        names = [self._name(key) for key in wanted]
        nothing: list[bytes | None] = []
        found = await self._attempt(lambda store: self._fetch_many(store, names), fallback=nothing)
        return self._decode_many(wanted, found)

    async def set_many(self, mapping: Mapping[str, T], ttl: int | None = None) -> bool:
        """Store values for exactly `ttl` seconds in one round trip; tell whether all are stored."""
        milliseconds = self._milliseconds(ttl) + self._behaviour.stale_milliseconds
        entries = [(self._name(key), self._encode(value)) for key, value in mapping.items()]
        if not entries:
            return True
        return await self._change(
            list(mapping), lambda store, notice: store.set_many(entries, milliseconds, notice), False
        )

    async def get_or_set(self, key: str, loader: Loader[T], ttl: int | None = None, *, tags: Iterable[str] = ()) -> T:
        """
        Return the value, or what `loader` returns, and store that.

        Callers that miss the same key at the same time share one run of the loader, and its result: do not change
        it. The loader has the context of the first caller. Its errors reach all who wait and are not stored; None is
        stored only with `negative_ttl`. A value that cannot be stored is logged and returned.
        `tags` are read before the loader runs: an invalidation meanwhile makes its result disappear.
        """
        task = _Task(key, loader, self._milliseconds(ttl), _tag_bytes(tags))
        with Patience():
            return await (self._get_or_set_aged(task) if self._behaviour.needs_age else self._get_or_set(task))

    async def invalidate_tag(self, tag: str) -> bool:
        """Let every value with this tag disappear, in all processes; tell whether that is done."""
        return await self._renew_tag(tag)

    async def clear_all(self) -> int:
        """Delete all keys of this prefix, in batches that do not block the server; return how many there were."""
        prefix = to_bytes(f"{self._key_prefix}:")
        return await self._change(None, lambda store, notice: store.clear(prefix, notice), 0)

    async def health_check(self) -> bool:
        """Tell whether Redis answers; never raises."""
        try:
            await self._store.ping()
        except MySingleError:
            return False
        return True

    async def _get_or_set(self, task: _Task) -> T:
        value = await self._look(task.key, shared=True)
        if not isinstance(value, Missing):
            return value
        if value is NEGATIVE:
            return cast("T", None)
        if value is FAULT:
            return await self._flights.run(task.key, lambda: self._load(task.loader))
        return await self._flights.run(task.key, lambda: self._load_alone(task))

    async def _look(self, key: str, *, shared: bool = False) -> T | Missing:
        """Return the value that is fresh, from this process if it has it."""
        local = self._local()
        if local is None:
            return await self._read_fresh(key, shared=shared)
        value = local.get(key)
        if value is not ABSENT:
            self._counters["local"].inc()
            return value
        changes = local.changes
        found = await self._read_fresh(key, shared=shared)
        if not isinstance(found, Missing):
            local.put(key, found, changes)
        return found

    async def _read_fresh(self, key: str, *, shared: bool) -> T | Missing:
        if not self._behaviour.stale_seconds:
            return await self._read(key, shared=shared)
        value, left = await self._read_aged(key, shared=shared)
        return value if isinstance(value, Missing) or left > 0 else MISS

    async def _fetch_many(self, store: KeyValueStore, names: list[bytes]) -> list[bytes | None]:
        if self._behaviour.stale_seconds:
            aged, stale = await store.get_many_aged(names), self._behaviour.stale_milliseconds
            found = [data if left > stale or data == NOTHING else None for data, left in aged]
        else:
            found = await store.get_many(names)
        has_tags = any(data is not None and data.startswith(TAGGED) for data in found)
        return await self._untagged(found) if has_tags else found

    async def _get_or_set_aged(self, task: _Task) -> T:
        """Do the same with an eye on age: load early in the background, and fall back on what has expired."""
        local = self._local()
        kept = ABSENT if local is None else local.get(task.key)
        if kept is not ABSENT:
            self._counters["local"].inc()
            return kept
        changes = local.changes if local is not None else 0
        value, left = await self._read_aged(task.key, shared=True)
        if value is NEGATIVE:
            return cast("T", None)
        if value is FAULT:
            return await self._flights.run(task.key, lambda: self._load(task.loader))
        if isinstance(value, Missing) or left <= 0:
            return await self._load_or_fall_back(task, value)
        if local is not None:
            local.put(task.key, value, changes)
        if left < task.milliseconds * self._behaviour.early_refresh:
            self._refresh(task)
        return value

    async def _load_or_fall_back(self, task: _Task, stale: T | Missing) -> T:
        try:
            return await self._flights.run(task.key, lambda: self._load_alone(task))
        except Exception as error:
            if isinstance(stale, Missing):
                raise
            self._counters["stale"].inc()
            self._manager.report("cache.stale", cache=self._key_prefix, error=type(error).__name__)
            return stale

    def _refresh(self, task: _Task) -> None:
        """Load in the background, once; whoever fails leaves the value as it is."""
        with Patience():
            flight = asyncio.ensure_future(self._flights.run(("early", task.key), lambda: self._load_early(task)))
        self._refreshes.add(flight)
        flight.add_done_callback(self._end_refresh)

    def _end_refresh(self, flight: "asyncio.Task[T]") -> None:
        self._refreshes.discard(flight)
        error = None if flight.cancelled() else flight.exception()
        if error is not None:
            self._manager.report("cache.refresh_failed", cache=self._key_prefix, error=type(error).__name__)

    async def _load_early(self, task: _Task) -> T:
        seconds = self._behaviour.lock_seconds
        if not seconds:
            return await self._load_and_store(task)
        name = self._lock_name(task.key)
        token = await self._locks.take(self._store, name, seconds)
        return cast("T", None) if token is None else await self._holding(name, token, self._load_and_store(task))

    async def _load_alone(self, task: _Task) -> T:
        """Load unless somebody has done so meanwhile: in this process, or with a lock in any."""
        if not self._behaviour.lock_seconds:
            return await self._recheck_and_load(task)
        name, seconds = self._lock_name(task.key), self._behaviour.lock_seconds
        async for _ in turns(seconds):
            try:
                token = await self._locks.take(self._store, name, seconds)
            except MySingleError:
                self._fault()
                return await self._load(task.loader)
            if token is not None:
                return await self._holding(name, token, self._recheck_and_load(task))
            found = await self._read_quietly(task.key)
            if found is not MISS:
                return await self._take_found(task, found)
            renew_patience()
        return await self._load_and_store(task)

    async def _holding(self, name: bytes, token: bytes, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        finally:
            await self._locks.give_back(self._store, name, token)

    async def _recheck_and_load(self, task: _Task) -> T:
        # Another flight may have landed between this caller's look and its start.
        found = await self._read_quietly(task.key)
        return await (self._load_and_store(task) if found is MISS else self._take_found(task, found))

    async def _take_found(self, task: _Task, found: T | Missing) -> T:
        """Return what was found: a value, a None that a loader has returned; load when the store is away."""
        if found is FAULT:
            return await self._load(task.loader)
        return cast("T", None if isinstance(found, Missing) else found)

    async def _read_quietly(self, key: str) -> T | Missing:
        """Look again without counting a second miss."""
        try:
            data, milliseconds = await self._fetch_aged(key)
        except MySingleError:
            return self._fault()
        is_negative = data == NOTHING
        if data is None or (not is_negative and milliseconds <= self._behaviour.stale_milliseconds):
            return MISS
        try:
            return NEGATIVE if is_negative else self._codec.decode(data)
        except CodecError:
            return MISS

    async def _load_and_store(self, task: _Task) -> T:
        versions = await self._attempt(lambda _: self._versions(task.tags), fallback=None)
        value = await self._load(task.loader)
        if versions is None:
            return value
        if value is not None:
            await self._store_loaded(task, value, versions)
        elif self._behaviour.negative_ttl:
            await self._write(task.key, NOTHING, max(1, round(self._behaviour.negative_ttl * 1000)))
        return value

    async def _load(self, loader: Loader[T]) -> T:
        with process_metrics().cache_load_seconds.labels(self._key_prefix).time(), no_patience():
            value = loader()
            return cast("T", await value if inspect.isawaitable(value) else value)

    async def _store_loaded(self, task: _Task, value: T, versions: dict[bytes, bytes]) -> None:
        share = random.random() * self._behaviour.ttl_jitter  # noqa: S311  # spreads expiry, decides nothing
        milliseconds = max(1, round(task.milliseconds * (1 - share))) + self._behaviour.stale_milliseconds
        try:
            data = self._encode(value)
        except CodecError as error:
            if self._raises:
                raise
            self._manager.report("cache.unstorable", cache=self._key_prefix, error=error.message)
        else:
            await self._write(task.key, data, milliseconds, versions)

    def _lock_name(self, key: str) -> bytes:
        return to_bytes(f"{self._key_prefix}:lock:{key}")


def _tag_bytes(tags: Iterable[str]) -> tuple[bytes, ...]:
    if isinstance(tags, str):
        raise ValueError(f"tags are a list of texts, for example [{tags!r}]")
    chosen = set(tags)
    if not all(isinstance(tag, str) for tag in chosen):
        raise ValueError(f"tags are texts, not {sorted(map(repr, chosen))}")
    return checked_tags(tuple(sorted(map(to_bytes, chosen))))
