"""Compiled strategies: in this process, in Redis database 4 behind it; the source in MongoDB is the truth."""

import asyncio

from mysingle import dsl
from mysingle.core.config import settings
from mysingle.database import BytesCodec, create_service_cache
from mysingle.dsl.api import code_hash, process_keyring, program_of
from mysingle.dsl.store import WARMED_TTL_SECONDS, ProgramCache, bytecode_key, program_key, warmed_key


class _Store:
    """Bytes under whole keys, as `dsl.store` names them; a Redis that is away is a miss."""

    def __init__(self) -> None:
        self.cache = create_service_cache("dsl", settings.REDIS_DB_DSL, codec=BytesCodec())

    async def get(self, key: str) -> bytes | None:
        return await self.cache.get(key.removeprefix("dsl:"))

    async def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        await self.cache.set(key.removeprefix("dsl:"), value, ttl_seconds)


class Programs:
    """What the routes ask for: a verified program, from wherever it is nearest."""

    def __init__(self) -> None:
        self._store = _Store()
        self._cache = ProgramCache(self._store, process_keyring())

    async def compile(self, source: str) -> dsl.Program:
        """Return the program of a source, from the nearest place that has it; a DSLError is the caller's 422."""
        key = warmed_key(program_key(source))
        found = await self._cache.get(key, code_hash(source))
        if found is None:
            found = (await asyncio.to_thread(dsl.compile, source)).ir
            await self._cache.put(key, found, WARMED_TTL_SECONDS)
        return program_of(found)

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
        await self._store.cache.delete(bytecode_key(strategy_id).removeprefix("dsl:"))
