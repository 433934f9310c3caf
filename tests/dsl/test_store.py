"""The program cache over a real valkey-server: whatever stands in the store, only what was verified is returned."""

import asyncio
import pickle
import random
from collections.abc import AsyncIterator, Callable, Iterator
from hashlib import sha256

import pytest
from redis.asyncio import Redis

from mysingle.dsl import api
from mysingle.dsl.errors import DSLValidationError
from mysingle.dsl.ir.codec import encode
from mysingle.dsl.ir.program import Program
from mysingle.dsl.ir.signing import Keyring
from mysingle.dsl.store import WARMED_TTL_SECONDS, ProgramCache, bytecode_key, warmed_key
from mysingle.embedded import EmbeddedRedis

MINE, THEIRS = "result = close > EMA(close, 12)", "result = close < EMA(close, 12)"
KEY, OTHER = bytecode_key("mine"), bytecode_key("theirs")
NEWER = Keyring({"b": b"second key of at least 32 bytes.....", "a": b"first key of at least 32 bytes......"})
OLDER = Keyring({"a": NEWER.keys["a"]})


def ir(source: str) -> Program:
    return api.compile(source).ir


def sha(source: str) -> str:
    return sha256(source.encode()).hexdigest()


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as running:
        yield running


class Store:
    """Two methods over a client, as a service writes them."""

    def __init__(self, client: Redis) -> None:
        self.client = client

    async def get(self, key: str) -> bytes | None:
        return await self.client.get(key)

    async def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        await self.client.set(key, value, ex=ttl_seconds)


@pytest.fixture
async def store(server: EmbeddedRedis) -> AsyncIterator[Store]:
    client = Redis.from_url(f"{server.url}/4")
    await client.flushdb()
    yield Store(client)
    await client.aclose()


class Compiler:
    """The real compiler, counted."""

    def __init__(self) -> None:
        self.sources: list[str] = []

    def __call__(self, source: str) -> Program:
        self.sources.append(source)
        return ir(source)


async def test_what_one_process_stores_another_verifies(store: Store) -> None:
    """A program goes through the server as bytes with its time to live, and is compiled once for two processes."""
    first, second, compiler = ProgramCache(store, NEWER), ProgramCache(store, NEWER), Compiler()
    key = warmed_key("00ff")

    one = await first.get_or_compile(key, MINE, compiler, WARMED_TTL_SECONDS)
    two = await second.get_or_compile(key, MINE, compiler)

    assert one == two
    assert compiler.sources == [MINE]
    assert 86_000 < await store.client.ttl(key) <= WARMED_TTL_SECONDS


def signed_by_a_stranger(_: bytes) -> bytes:
    return encode(ir(THEIRS), Keyring({"b": b"x" * 36}), KEY)


def unsigned(_: bytes) -> bytes:
    return encode(ir(THEIRS), Keyring(), KEY)


def of_another_key(_: bytes) -> bytes:
    return encode(ir(MINE), NEWER, OTHER)


def of_another_source(_: bytes) -> bytes:
    return encode(ir(THEIRS), NEWER, KEY)


def without_a_signature(data: bytes) -> bytes:
    kid = data[8]
    mac = data[9 + kid]
    return data[:8] + b"\0\0" + data[10 + kid + mac :]


REPLACED: dict[str, Callable[[bytes], bytes]] = {
    "signed by a stranger": signed_by_a_stranger,
    "unsigned": unsigned,
    "of another key": of_another_key,
    "of another source": of_another_source,
    "its signature taken away": without_a_signature,
    "cut off": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "longer": lambda data: data + b"\0",
    "source text": lambda _: MINE.encode(),
    "a pickle": lambda _: pickle.dumps({"co_code": b"x"}),
    "large": lambda data: data[:14] + b"\xff" * 300_000,
    "nested": lambda data: data[:8] + b"\0\0\0\0\0\1\x80" + b"\x91" * 100_000,
}


@pytest.mark.parametrize("change", REPLACED.values(), ids=REPLACED)
async def test_s12_a_replaced_entry_is_compiled_again(change: Callable[[bytes], bytes], store: Store) -> None:
    """S12: an entry that was replaced is a miss, counted, never run, and overwritten by the source's own program."""
    await ProgramCache(store, NEWER).put(KEY, ir(MINE))
    await store.client.set(KEY, change(await store.client.get(KEY)))
    cache, compiler = ProgramCache(store, NEWER), Compiler()

    found = await cache.get_or_compile(KEY, MINE, compiler)

    assert found == ir(MINE)
    assert (cache.tampered, compiler.sources) == (1, [MINE])
    assert await ProgramCache(store, NEWER).get(KEY, sha(MINE)) == found


async def test_s12_every_changed_byte(store: Store) -> None:
    """S12: one changed byte anywhere in the stored entry makes it a miss."""
    await ProgramCache(store, NEWER).put(KEY, ir(MINE))
    good, chance = await store.client.get(KEY), random.Random(1)
    cache = ProgramCache(store, NEWER)
    for place in range(len(good)):
        broken = bytearray(good)
        broken[place] ^= chance.randrange(1, 256)
        await store.client.set(KEY, bytes(broken))
        assert await cache.get(KEY, sha(MINE)) is None

    assert cache.tampered == len(good)


async def test_swapped_strategies(store: Store) -> None:
    """Two valid entries that change places are both refused: each is signed for its own key."""
    cache = ProgramCache(store, NEWER)
    await cache.put(KEY, ir(MINE))
    await cache.put(OTHER, ir(THEIRS))
    mine, theirs = await store.client.mget(KEY, OTHER)
    await store.client.mset({KEY: theirs, OTHER: mine})
    fresh = ProgramCache(store, NEWER)

    assert await fresh.get(KEY, sha(MINE)) is None
    assert await fresh.get(OTHER, sha(THEIRS)) is None
    assert await fresh.get(KEY, sha(THEIRS)) is None
    assert fresh.tampered == 3


async def test_an_older_program_of_the_same_strategy(store: Store) -> None:
    """Valid bytes of yesterday's source under the same key are refused when today's source is asked for."""
    await ProgramCache(store, NEWER).put(KEY, ir(THEIRS))
    cache, compiler = ProgramCache(store, NEWER), Compiler()

    assert await cache.get_or_compile(KEY, MINE, compiler) == ir(MINE)
    assert compiler.sources == [MINE]


async def test_rotation(store: Store) -> None:
    """While two keys are known both verify and the first signs; entries of a key that was dropped are misses."""
    await ProgramCache(store, OLDER).put(KEY, ir(MINE))

    assert await ProgramCache(store, NEWER).get(KEY, sha(MINE)) == ir(MINE)
    await ProgramCache(store, NEWER).put(OTHER, ir(THEIRS))
    only_newest = ProgramCache(store, Keyring({"b": NEWER.keys["b"]}))
    assert await only_newest.get(OTHER, sha(THEIRS)) == ir(THEIRS)
    assert await only_newest.get(KEY, sha(MINE)) is None
    assert await ProgramCache(store, OLDER).get(OTHER, sha(THEIRS)) is None


async def test_a_key_of_the_process_accepts_nothing_of_others(store: Store) -> None:
    """Without configured keys a process believes neither signed nor unsigned entries of another one."""
    ring = Keyring.for_process()
    for other in (Keyring.for_process(), Keyring(), NEWER):
        await ProgramCache(store, other).put(KEY, ir(MINE))
        assert await ProgramCache(store, ring).get(KEY, sha(MINE)) is None
    await ProgramCache(store, ring).put(KEY, ir(MINE))
    assert await ProgramCache(store, ring).get(KEY, sha(MINE)) == ir(MINE)


async def test_one_compile_for_many_callers() -> None:
    """Callers of the same source share one compile, and one that gives up does not end it; no server is needed."""
    cache, compiler = ProgramCache(None, NEWER), Compiler()
    calls = [asyncio.create_task(cache.get_or_compile(KEY, MINE, compiler)) for _ in range(20)]
    await asyncio.sleep(0)
    calls[0].cancel()

    found = await asyncio.gather(*calls, return_exceptions=True)

    assert isinstance(found[0], asyncio.CancelledError)
    assert [item == ir(MINE) for item in found[1:]] == [True] * 19
    assert compiler.sources == [MINE]


async def test_a_refused_source_is_stored_nowhere(store: Store) -> None:
    """An error reaches every caller, nothing is kept, and the next caller compiles again."""
    cache, compiler = ProgramCache(store, NEWER), Compiler()
    for _ in range(2):
        with pytest.raises(DSLValidationError):
            await cache.get_or_compile(KEY, "result = EMA(close)", compiler)

    assert len(compiler.sources) == 2
    assert await store.client.dbsize() == 0
