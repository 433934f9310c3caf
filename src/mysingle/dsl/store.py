"""Where compiled programs are kept: keys, lifetimes, and a protocol of two methods; this module knows no Redis."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final, Protocol

from mysingle.dsl.errors import DSLContainerError
from mysingle.dsl.ir.codec import decode, encode
from mysingle.dsl.ir.ops import ops_fingerprint
from mysingle.dsl.ir.program import Program
from mysingle.dsl.ir.signing import Keyring

__all__ = [
    "BYTECODE_TTL_SECONDS",
    "NEGATIVE_TTL_SECONDS",
    "WARMED_TTL_SECONDS",
    "ProgramCache",
    "ProgramStore",
    "bytecode_key",
    "lock_key",
    "negative_key",
    "program_key",
    "warmed_key",
]

BYTECODE_TTL_SECONDS: Final = 3_600
WARMED_TTL_SECONDS: Final = 86_400
NEGATIVE_TTL_SECONDS: Final = 60
_LARGE: Final = 16 * 1024
"""Bytes of a container that takes longer to verify than an event loop should wait."""


class ProgramStore(Protocol):
    """Raw bytes by key. The assembler passes a cache on Redis database 4 in; a missing server is a miss."""

    async def get(self, key: str) -> bytes | None:
        """Return the bytes, None when there are none."""

    async def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """Keep the bytes for a while."""


def bytecode_key(strategy_id: str) -> str:
    """Return the key of a stored strategy's program."""
    return f"dsl:bytecode:{strategy_id}"


def warmed_key(program: str) -> str:
    """Return the key of a program that is kept by what it was compiled from."""
    return f"dsl:warmed:{program}"


def negative_key(program: str) -> str:
    """Return the key of a compile that failed."""
    return f"dsl:neg:{program}"


def lock_key(program: str) -> str:
    """Return the key that lets one process compile at a time."""
    return f"dsl:lock:{program}"


def program_key(source: str, profile: str = "standard", mode: str = "strict", lang: tuple[int, int] = (1, 0)) -> str:
    """Return the hash of everything that decides what a source compiles to."""
    digest = sha256()
    for part in (f"{lang[0]}.{lang[1]}", ops_fingerprint(), profile, mode, source):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()


class ProgramCache:
    """
    Verified programs in this process, containers in a store behind it, the compiler behind that.

    A container that does not verify is a miss and counted in `tampered`; the source is the truth. Callers that ask
    for the same source at once share one compile, which runs in a thread.
    """

    def __init__(self, store: ProgramStore | None, keyring: Keyring, *, size: int = 256) -> None:
        self._store = store
        self._keyring = keyring
        self._size = size
        self._programs: OrderedDict[tuple[str, str], Program] = OrderedDict()
        self._flights: dict[tuple[str, str], asyncio.Task[Program]] = {}
        self.tampered = 0
        self.hits = 0
        self.misses = 0

    async def get(self, key: str, source_sha256: str) -> Program | None:
        """Return the verified program under a key of the store, if it was compiled from that source."""
        known = self._programs.get((key, source_sha256))
        if known is not None:
            self._programs.move_to_end((key, source_sha256))
            self.hits += 1
            return known
        data = await self._store.get(key) if self._store else None
        program = None
        if data is not None and len(data) > _LARGE:
            program = await asyncio.to_thread(self._verified, data, key, source_sha256)
        elif data is not None:
            program = self._verified(data, key, source_sha256)
        if program is None:
            self.misses += 1
            return None
        self.hits += 1
        self._keep((key, source_sha256), program)
        return program

    async def put(self, key: str, program: Program, ttl_seconds: int = BYTECODE_TTL_SECONDS) -> None:
        """Keep a program under a key of the store, signed for that key."""
        self._keep((key, program.source_sha256), program)
        if self._store:
            await self._store.set(key, encode(program, self._keyring, key), ttl_seconds)

    async def get_or_compile(
        self, key: str, source: str, compiler: Callable[[str], Program], ttl_seconds: int = BYTECODE_TTL_SECONDS
    ) -> Program:
        """Return the program of a source, from the nearest place that has it; raises what the compiler raises."""
        wanted = sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
        found = await self.get(key, wanted)
        if found is not None:
            return found
        flight = (key, wanted)
        if flight not in self._flights:
            self._flights[flight] = asyncio.create_task(self._compiled(key, source, compiler, ttl_seconds))
            self._flights[flight].add_done_callback(lambda _: self._flights.pop(flight, None))
        return await asyncio.shield(self._flights[flight])  # who gives up does not end it for the others

    async def _compiled(self, key: str, source: str, compiler: Callable[[str], Program], ttl_seconds: int) -> Program:
        program = await asyncio.to_thread(compiler, source)
        await self.put(key, program, ttl_seconds)
        return program

    def _verified(self, data: bytes, key: str, source_sha256: str) -> Program | None:
        try:
            return decode(data, self._keyring, key, source_sha256)
        except DSLContainerError:
            self.tampered += 1
            return None

    def _keep(self, key: tuple[str, str], program: Program) -> None:
        self._programs[key] = program
        while len(self._programs) > self._size:
            self._programs.popitem(last=False)
