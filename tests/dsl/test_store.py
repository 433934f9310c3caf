"""The program cache over a real valkey-server: whatever stands in the store, only what was verified is returned."""

import asyncio
import os
import pickle
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from redis.asyncio import Redis

from mysingle._kernel.metrics import process_metrics
from mysingle.dsl import api
from mysingle.dsl.errors import DSLContainerError, DSLError, DSLExecutionError, DSLValidationError
from mysingle.dsl.ir.codec import encode
from mysingle.dsl.ir.ops import ops_fingerprint
from mysingle.dsl.ir.program import Program
from mysingle.dsl.ir.refusal import decode_refusal
from mysingle.dsl.ir.signing import Keyring, mac_input
from mysingle.dsl.store import (
    WARMED_TTL_SECONDS,
    ProgramCache,
    bytecode_key,
    lock_key,
    negative_key,
    warmed_key,
)
from mysingle.embedded import EmbeddedRedis

MINE, THEIRS = "result = close > EMA(close, 12)", "result = close < EMA(close, 12)"
ROOT = str(Path(__file__).parents[2])
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


class Shared(Store):
    """All five methods."""

    async def delete(self, key: str) -> None:
        await self.client.delete(key)

    async def add(self, key: str, value: bytes, milliseconds: int) -> bool:
        return bool(await self.client.set(key, value, px=milliseconds, nx=True))

    async def delete_if(self, key: str, value: bytes) -> None:
        same = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
        await self.client.eval(same, 1, key, value)


class Away:
    """What a store says while there is no server."""

    async def get(self, key: str) -> bytes | None:
        return None

    async def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        return None

    async def delete(self, key: str) -> None:
        return None

    async def add(self, key: str, value: bytes, milliseconds: int) -> bool:
        return True

    async def delete_if(self, key: str, value: bytes) -> None:
        return None


@pytest.fixture
async def store(server: EmbeddedRedis) -> AsyncIterator[Store]:
    client = Redis.from_url(f"{server.url}/4")
    await client.flushdb()
    yield Store(client)
    await client.aclose()


@pytest.fixture
async def shared(store: Store) -> Shared:
    return Shared(store.client)


class Compiler:
    """The real compiler, counted, and slow if need be."""

    def __init__(self, pause: float = 0.0) -> None:
        self.sources: list[str] = []
        self.pause = pause

    def __call__(self, source: str) -> Program:
        self.sources.append(source)
        time.sleep(self.pause)
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


async def test_one_compile_for_two_caches(shared: Shared) -> None:
    """While one cache compiles, another one waits for its lock and takes the program; the lock is given back."""
    first, second, compiler = ProgramCache(shared, NEWER), ProgramCache(shared, NEWER), Compiler(pause=0.2)
    key = warmed_key("00ff")
    calls = [asyncio.create_task(cache.get_or_compile(key, MINE, compiler)) for cache in (first, second)]
    await asyncio.sleep(0.1)
    life = await shared.client.pttl(lock_key("00ff"))

    assert await asyncio.gather(*calls) == [ir(MINE)] * 2
    assert compiler.sources == [MINE]
    assert 4_000 < life <= 5_000
    assert await shared.client.keys("*") == [key.encode()]


async def test_a_lock_of_somebody_else_is_not_given_back(shared: Shared) -> None:
    """A compile that took longer than its lock lives leaves the lock of the next one alone."""
    key, lock = warmed_key("00ff"), lock_key("00ff")
    call = asyncio.create_task(ProgramCache(shared, NEWER).get_or_compile(key, MINE, Compiler(pause=0.2)))
    await asyncio.sleep(0.1)
    await shared.client.set(lock, b"of the next one")
    await call

    assert await shared.client.get(lock) == b"of the next one"


TWO = """
import asyncio, sys, time
from hashlib import sha256
from redis.asyncio import Redis
from mysingle.dsl import api
from mysingle.dsl.store import ProgramCache, warmed_key
from tests.dsl.test_store import MINE, NEWER, Shared

async def main(url, begins_at):
    client, compiled = Redis.from_url(url), 0
    def compiler(source):
        nonlocal compiled
        compiled += 1
        time.sleep(0.2)
        return api.compile(source).ir
    cache = ProgramCache(Shared(client), NEWER)
    await client.ping()
    await asyncio.sleep(max(0.0, begins_at - time.time()))
    program = await cache.get_or_compile(warmed_key("00ff"), MINE, compiler)
    print(compiled, sha256(repr(program).encode()).hexdigest())
    await client.aclose()

asyncio.run(main(sys.argv[1], float(sys.argv[2])))
"""


async def test_one_compile_for_two_processes(server: EmbeddedRedis, shared: Shared) -> None:
    """Two processes that ask for the same source at once compile once, and have the same program."""
    begins_at = str(time.time() + 2)
    both = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", TWO, f"{server.url}/4", begins_at, stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([ROOT, *filter(None, sys.path)])},
        )
        for _ in range(2)
    ]  # fmt: skip
    found = sorted([(await process.communicate())[0].decode().split() for process in both])

    assert [compiled for compiled, _ in found] == ["0", "1"]
    assert found[0][1] == found[1][1] == sha256(repr(ir(MINE)).encode()).hexdigest()


REFUSED = "이름 = 3\r\nx = EMA(close, windw=이름)\nresult = clos > x"


@pytest.mark.parametrize("key", [KEY, warmed_key("00ff")])
async def test_a_refused_source_is_remembered_for_a_minute(key: str, shared: Shared) -> None:
    """The refusal of one process is the refusal of another one, with all it found; no program is kept."""
    compiler = Compiler()
    with pytest.raises(DSLValidationError) as first:
        await ProgramCache(shared, NEWER).get_or_compile(key, REFUSED, compiler)
    with pytest.raises(DSLValidationError) as second:
        await ProgramCache(shared, NEWER).get_or_compile(key, REFUSED, compiler)

    assert compiler.sources == [REFUSED]
    assert second.value.diagnostics == first.value.diagnostics
    assert str(second.value) == str(first.value)
    (name,) = await shared.client.keys("*")
    assert name.startswith(b"dsl:neg:")
    assert 50 < await shared.client.ttl(name) <= 60


async def test_an_internal_error_is_not_remembered(shared: Shared) -> None:
    """What is no fault of the source is raised, not stored, and tried again."""
    calls = []

    def broken(source: str) -> Program:
        calls.append(source)
        raise DSLExecutionError("Internal error")

    for _ in range(2):
        with pytest.raises(DSLExecutionError):
            await ProgramCache(shared, NEWER).get_or_compile(KEY, MINE, broken)
    assert (len(calls), await shared.client.dbsize()) == (2, 0)


FORGED: dict[str, Callable[[bytes, bytes], bytes]] = {
    "of another source": lambda _, other: other,
    "unsigned": lambda data, _: data[:5] + b"\0\0" + data[data.index(b"[[") :],
    "changed": lambda data, _: data.replace(b"windw", b"wind0"),
    "cut off": lambda data, _: data[:-7],
    "empty": lambda _data, _other: b"",
    "a program": lambda _data, _other: encode(ir(MINE), NEWER, negative_key("00ff")),
}


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED)
async def test_a_forged_refusal_refuses_nothing(change: Callable[[bytes, bytes], bytes], shared: Shared) -> None:
    """A refusal that somebody else wrote, or moved to another source, is deleted, and the source is compiled."""
    for name, source in (("00ff", REFUSED), ("0ff0", THEIRS + " +")):
        with pytest.raises(DSLError):
            await ProgramCache(shared, NEWER).get_or_compile(warmed_key(name), source, Compiler())
    data, other = await shared.client.mget(negative_key("00ff"), negative_key("0ff0"))
    await shared.client.set(negative_key("00ff"), change(data, other))
    cache = ProgramCache(shared, NEWER)

    assert await cache.get_or_compile(warmed_key("00ff"), MINE, Compiler()) == ir(MINE)
    assert cache.tampered == 1
    assert await shared.client.get(negative_key("00ff")) is None


@pytest.mark.parametrize("rows", ["[]", "{}", "7", '[["DSL-002"]]', '[["DSL-999","error",[],[],[]]]', "[" * 5000,
                                  '[["DSL-002","warning",["","","","",""],[1,1,1,1],[]]]',
                                  '[["DSL-002","error",["","","","",""],[1,1,-1,1],[]]]',
                                  '[["DSL-002","error",[1,"","","",""],[1,1,1,1],[]]]'])  # fmt: skip
def test_a_refusal_without_a_signature_is_read_with_care(rows: str) -> None:
    """Where nothing is signed, whatever is no list of diagnostics with an error is refused as a container."""
    with pytest.raises(DSLContainerError):
        decode_refusal(b"MSLN\x01\0\0" + rows.encode(), Keyring(), "dsl:neg:00ff", MINE)


async def test_what_was_tampered_with_is_deleted_and_counted(shared: Shared) -> None:
    """A container that does not verify is taken out of the store, and adds one to the process's metric."""
    await shared.client.set(KEY, b"MSLB rubbish")
    before = process_metrics().dsl_tampered._value.get()

    assert await ProgramCache(shared, NEWER).get(KEY, sha(MINE)) is None
    assert await shared.client.get(KEY) is None
    assert process_metrics().dsl_tampered._value.get() == before + 1


async def test_a_container_of_another_version_is_not_tampering(shared: Shared) -> None:
    """While versions of the package run side by side, each leaves the other's entries in the store uncounted."""
    data = encode(ir(MINE), Keyring(), KEY)
    stale = data.replace(ops_fingerprint().encode(), b"0" * 64)
    kid, mac = NEWER.current, b""
    size = int.from_bytes(stale[10:14], "big")
    signed = mac_input(stale[:8], kid.encode(), KEY.encode(), stale[14 : 14 + size], stale[14 + size :])
    mac = NEWER.sign(signed, kid)
    entry = stale[:8] + bytes((1,)) + kid.encode() + bytes((len(mac),)) + mac + stale[10:]
    await shared.client.set(KEY, entry)
    cache = ProgramCache(shared, NEWER)

    assert await cache.get(KEY, sha(MINE)) is None
    assert (cache.tampered, await shared.client.get(KEY)) == (0, entry)


async def test_without_the_server_everything_compiles() -> None:
    """A store whose server is away, as the protocol has it, costs a compile and nothing else."""
    cache, compiler = ProgramCache(Away(), NEWER), Compiler()

    assert await cache.get_or_compile(KEY, MINE, compiler) == ir(MINE)
    with pytest.raises(DSLValidationError):
        await cache.get_or_compile(KEY, REFUSED, compiler)
    assert compiler.sources == [MINE, REFUSED]
