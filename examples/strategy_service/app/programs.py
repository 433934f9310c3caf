"""Compiled strategies: in this process, in Redis database 4 behind it; the source in MongoDB is the truth."""

from contextlib import suppress

from mysingle import dsl
from mysingle.core.config import settings
from mysingle.core.errors import MySingleError
from mysingle.database import BaseRedisCache, BytesCodec
from mysingle.dsl.api import code_hash, process_keyring, program_of
from mysingle.dsl.store import (
    NEGATIVE_TTL_SECONDS,
    WARMED_TTL_SECONDS,
    ProgramCache,
    bytecode_key,
    program_key,
    warmed_key,
)


class _Store:
    """Bytes under whole keys, as `dsl.store` names them; a Redis that is away is a miss, and locks nobody out."""

    def __init__(self) -> None:
        self._programs = _cache("dsl", 3600)
        self._refusals = _cache("dsl:neg", NEGATIVE_TTL_SECONDS)
        self._locks = _cache("dsl:lock", 5)

    async def get(self, key: str) -> bytes | None:
        cache, name = self._place(key)
        try:
            return await cache.get(name)
        except MySingleError:
            return None

    async def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        cache, name = self._place(key)
        with suppress(MySingleError):
            await cache.set(name, value, ttl_seconds)

    async def delete(self, key: str) -> None:
        cache, name = self._place(key)
        with suppress(MySingleError):
            await cache.delete(name)

    async def add(self, key: str, value: bytes, milliseconds: int) -> bool:
        cache, name = self._place(key)
        try:
            return await cache.add(name, value, milliseconds / 1000)
        except MySingleError:
            return True

    async def delete_if(self, key: str, value: bytes) -> None:
        cache, name = self._place(key)
        with suppress(MySingleError):
            await cache.delete_if(name, value)

    def _place(self, key: str) -> tuple[BaseRedisCache[bytes], str]:
        for cache in (self._refusals, self._locks):
            if key.startswith(f"{cache.key_prefix}:"):
                return cache, key.removeprefix(f"{cache.key_prefix}:")
        return self._programs, key.removeprefix("dsl:")


def _cache(prefix: str, ttl: int) -> BaseRedisCache[bytes]:
    # The allocation has a row for each prefix: refusals and locks live for a shorter time than programs.
    return BaseRedisCache(
        key_prefix=prefix, default_ttl=ttl, redis_db=settings.REDIS_DB_DSL, codec=BytesCodec(), on_error="raise"
    )


class Programs:
    """What the routes ask for: a verified program, from wherever it is nearest."""

    def __init__(self) -> None:
        self._store = _Store()
        self._cache = ProgramCache(self._store, process_keyring())

    async def compile(self, source: str) -> dsl.Program:
        """Return the program of a source, from the nearest place that has it; a DSLError is the caller's 422."""
        key = warmed_key(program_key(source))
        return program_of(
            await self._cache.get_or_compile(key, source, lambda text: dsl.compile(text).ir, WARMED_TTL_SECONDS)
        )

    async def keep(self, strategy_id: str, program: dsl.Program) -> None:
        """Keep the program of a strategy for those who run it."""
        await self._cache.put(bytecode_key(strategy_id), program.ir)

    async def load(self, strategy_id: str, source: str) -> dsl.Program:
        """Return the program of a strategy; one that was changed, or is of an older source, is compiled again."""
        found = await self._cache.get(bytecode_key(strategy_id), code_hash(source))
        if found is not None:
            return program_of(found)
        program = await self.compile(source)
        await self.keep(strategy_id, program)
        return program

    async def forget(self, strategy_id: str) -> None:
        """Drop the program of a strategy that is gone."""
        await self._store.delete(bytecode_key(strategy_id))
