"""Where compiled programs are kept: keys, lifetimes, and a protocol of two methods; this module knows no Redis."""

import asyncio
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from secrets import token_bytes
from typing import Any, Final, Protocol, runtime_checkable

from mysingle.dsl.errors import DSLContainerError, DSLError, error_of
from mysingle.dsl.ir.codec import StaleContainerError, decode, encode
from mysingle.dsl.ir.ops import ops_fingerprint
from mysingle.dsl.ir.program import Program
from mysingle.dsl.ir.refusal import decode_refusal, encode_refusal
from mysingle.dsl.ir.signing import Keyring

__all__ = [
    "BYTECODE_TTL_SECONDS",
    "LOCK_MILLISECONDS",
    "NEGATIVE_TTL_SECONDS",
    "WARMED_TTL_SECONDS",
    "ProgramCache",
    "ProgramStore",
    "SharedStore",
    "bytecode_key",
    "count_tampered",
    "counters",
    "lock_key",
    "negative_key",
    "program_key",
    "warmed_key",
]

BYTECODE_TTL_SECONDS: Final = 3_600
WARMED_TTL_SECONDS: Final = 86_400
NEGATIVE_TTL_SECONDS: Final = 60
LOCK_MILLISECONDS: Final = 5_000
_PAUSE_SECONDS: Final = 0.02
_TURNS: Final = 250
_WARMED: Final = "dsl:warmed:"
_LARGE: Final = 16 * 1024
"""Bytes of a container that takes longer to verify than an event loop should wait."""


class ProgramStore(Protocol):
    """Raw bytes by key. The assembler passes a cache on Redis database 4 in; a missing server is a miss."""

    async def get(self, key: str) -> bytes | None:
        """Return the bytes, None when there are none."""

    async def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """Keep the bytes for a while."""


@runtime_checkable
class SharedStore(ProgramStore, Protocol):
    """A store that can also forget and lock: then one process compiles, and the others take what it made."""

    async def delete(self, key: str) -> object:
        """Forget the bytes."""

    async def add(self, key: str, value: bytes, milliseconds: int) -> bool:
        """Keep the bytes if there are none (SET NX PX); False only if there are some, so a missing server is True."""

    async def delete_if(self, key: str, value: bytes) -> object:
        """Forget the bytes if they are these, in one step."""


def bytecode_key(strategy_id: str) -> str:
    """Return the key of a stored strategy's program."""
    return f"dsl:bytecode:{strategy_id}"


def warmed_key(program: str) -> str:
    """Return the key of a program that is kept by what it was compiled from."""
    return f"{_WARMED}{program}"


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


def counters() -> Any:
    """Return the process's metrics if anybody has them: a compile loads and opens nothing to count for nobody."""
    kernel = sys.modules.get("mysingle._kernel.metrics")
    return kernel.process_metrics() if kernel and kernel.process_metrics.cache_info().currsize else None


def count_tampered() -> None:
    """Count bytes of a store that did not verify, as `dsl_cache_tampered_total` of the process."""
    if metrics := counters():
        metrics.dsl_tampered.inc()


class ProgramCache:
    """
    Verified programs in this process, containers in a store behind it, the compiler behind that.

    What does not verify is a miss, counted in `tampered`, deleted and compiled again: the source is the truth.
    Callers that ask for the same source at once share one compile, which runs in a thread; processes do so too when
    the store is a `SharedStore`. A refused source is remembered for a minute.
    """

    def __init__(self, store: ProgramStore | None, keyring: Keyring, *, size: int = 256) -> None:
        self._store = store
        self._shared = store if isinstance(store, SharedStore) else None
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
        program = await self._stored(key, source_sha256)
        self.hits += program is not None
        self.misses += program is None
        return program

    async def put(self, key: str, program: Program, ttl_seconds: int = BYTECODE_TTL_SECONDS) -> None:
        """Keep a program under a key of the store, signed for that key."""
        self._keep((key, program.source_sha256), program)
        if self._store:
            await self._store.set(key, encode(program, self._keyring, key), ttl_seconds)

    async def get_or_compile(
        self, key: str, source: str, compiler: Callable[[str], Program], ttl_seconds: int = BYTECODE_TTL_SECONDS
    ) -> Program:
        """
        Return the program of a source, from the nearest place that has it.

        Raises:
            DSLError: what the compiler raises, now or less than a minute ago, with the same diagnostics.
        """
        wanted = sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
        found = await self.get(key, wanted)
        if found is not None:
            return found
        flight = (key, wanted)
        if flight not in self._flights:
            self._flights[flight] = asyncio.create_task(self._compiled(key, source, wanted, compiler, ttl_seconds))
            self._flights[flight].add_done_callback(lambda _: self._flights.pop(flight, None))
        return await asyncio.shield(self._flights[flight])  # who gives up does not end it for the others

    async def _compiled(
        self, key: str, source: str, wanted: str, compiler: Callable[[str], Program], ttl_seconds: int
    ) -> Program:
        work = _work_of(key, wanted)
        await self._refuse_again(work, source)
        async with self._turn(work, key, source, wanted) as found:
            if found is not None:
                return found
            try:
                program = await asyncio.to_thread(compiler, source)
            except DSLError as error:
                await self._remember(work, error)
                raise
            await self.put(key, program, ttl_seconds)
            return program

    @asynccontextmanager
    async def _turn(self, work: str, key: str, source: str, wanted: str) -> AsyncIterator[Program | None]:
        """Give the program that another process made meanwhile, or None when it is this one's turn to compile."""
        if self._shared is None:
            yield None
            return
        token, lock = token_bytes(16), lock_key(work)
        is_held = False
        for _ in range(_TURNS):  # whoever is still locked out after as long as a lock lives compiles without it
            is_held = await self._shared.add(lock, token, LOCK_MILLISECONDS)
            if is_held:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        try:
            found = await self._stored(key, wanted)  # the holder before may have landed between a look and the lock
            if found is None:
                await self._refuse_again(work, source)
            yield found
        finally:
            if is_held:
                await self._shared.delete_if(lock, token)

    async def _stored(self, key: str, source_sha256: str) -> Program | None:
        data = await self._store.get(key) if self._store else None
        if data is None:
            return None
        try:
            if len(data) > _LARGE:
                program = await asyncio.to_thread(decode, data, self._keyring, key, source_sha256)
            else:
                program = decode(data, self._keyring, key, source_sha256)
        except StaleContainerError:
            return None  # written by another version of this package: right there, of no use here
        except DSLContainerError:
            await self._reject(key)
            return None
        self._keep((key, source_sha256), program)
        return program

    async def _refuse_again(self, work: str, source: str) -> None:
        key = negative_key(work)
        data = await self._store.get(key) if self._store else None
        if data is None:
            return
        try:
            diagnostics = decode_refusal(data, self._keyring, key, source)
        except DSLContainerError:
            await self._reject(key)
            return
        raise error_of(diagnostics)

    async def _remember(self, work: str, error: DSLError) -> None:
        if self._store and error.diagnostics:
            key = negative_key(work)
            await self._store.set(key, encode_refusal(error.diagnostics, self._keyring, key), NEGATIVE_TTL_SECONDS)

    async def _reject(self, key: str) -> None:
        self.tampered += 1
        count_tampered()
        if self._shared is not None:
            await self._shared.delete(key)

    def _keep(self, key: tuple[str, str], program: Program) -> None:
        self._programs[key] = program
        while len(self._programs) > self._size:
            self._programs.popitem(last=False)


def _work_of(key: str, source_sha256: str) -> str:
    """Return the hash of one compile: a warmed key has it, another key may stand for any profile and mode."""
    if key.startswith(_WARMED):
        return key.removeprefix(_WARMED)
    return sha256(f"{ops_fingerprint()}\0{source_sha256}\0{key}".encode()).hexdigest()
