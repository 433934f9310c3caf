# ruff: noqa: E501  # a strategy in a table stands in one line
import random
from copy import deepcopy
from typing import Any

import msgpack
import pytest

from mysingle.dsl import api
from mysingle.dsl.errors import DSLContainerError
from mysingle.dsl.ir.codec import _Parts, _program, decode, encode
from mysingle.dsl.ir.program import Program
from mysingle.dsl.ir.signing import Keyring
from mysingle.dsl.ir.verify import verify
from mysingle.dsl.store import ProgramCache, bytecode_key, program_key, warmed_key

RING = Keyring({"b": b"second key of at least 32 bytes.....", "a": b"first key of at least 32 bytes......"})
SOURCES = (
    "result = crossover(EMA(close, 12), SMA(close, 50)) & (RSI(close) < 70)",
    "w = param.int(14, min=2, max=50, options=[14, 20])\nm = MACD(close)\nresult = {'a': m.macd, 'b': SMA(close, w) > 1}",
    "var x = 0.0\nif close > x[1]:\n    x = close\n    strategy.entry('a', strategy.long, qty=1.5, stop=low)\nplot(x, title='X')\n"
    "alert(close > x, 'up')\nassert 1 < 2\nresult = x",
    "d = timeframe('1D')\nmode = params.get('m', 'a')\nif mode == 'b':\n    raise ValueError('no')\nresult = close > EMA(d.close, 3)",
)  # fmt: skip
MUTATIONS = 1_500
"""In the suite; `python -m benchmarks.dsl_fuzz container` tries as many as it is told."""


def program(index: int = 0) -> Program:
    return api.compile(SOURCES[index]).ir


@pytest.mark.parametrize("index", range(len(SOURCES)))
def test_round_trip(index: int) -> None:
    """A decoded program is the encoded one, and equal programs have equal bytes."""
    data = encode(program(index), RING, "key")

    assert decode(data, RING, "key") == program(index)
    assert encode(program(index), RING, "key") == data


def test_bound_to_key_and_source() -> None:
    """A container is refused under another key of the store, for another source, unsigned, and from an unknown key."""
    data = encode(program(), RING, "dsl:bytecode:1")

    with pytest.raises(DSLContainerError, match="not signed"):
        decode(data, RING, "dsl:bytecode:2")
    with pytest.raises(DSLContainerError, match="another version of the source"):
        decode(data, RING, "dsl:bytecode:1", "0" * 64)
    with pytest.raises(DSLContainerError, match="not signed"):
        decode(encode(program(), Keyring()), RING)
    with pytest.raises(DSLContainerError, match="not signed"):
        decode(data, Keyring(), "dsl:bytecode:1")
    with pytest.raises(DSLContainerError, match="not signed"):
        decode(data, Keyring({"c": b"x" * 32}), "dsl:bytecode:1")


def test_rotation() -> None:
    """The first key signs, all keys verify."""
    older = Keyring({"a": RING.keys["a"]})

    assert decode(encode(program(), older), RING) == program()


def test_every_flipped_byte_is_refused() -> None:
    """One flipped bit anywhere in a signed container is DSL-007."""
    data = encode(program(), RING)
    for place in range(len(data)):
        broken = bytearray(data)
        broken[place] ^= 1 << (place % 8)
        with pytest.raises(DSLContainerError, match="DSL-007"):
            decode(bytes(broken), RING)


@pytest.mark.parametrize("index", range(len(SOURCES)))
def test_s12_mutations_never_crash(index: int) -> None:
    """S12: without the protection of a MAC a changed container is refused as DSL-007 or is a valid program."""
    random_bytes = random.Random(index)
    data = encode(program(index), Keyring())
    for _ in range(MUTATIONS):
        decode_mutant(_mutated(data, random_bytes))


LEAVES = (
    0,
    1,
    -1,
    2,
    3,
    7,
    19,
    64,
    5_001,
    2**31,
    2**53,
    2**60,
    1.5,
    -0.0,
    float("nan"),
    float("inf"),
    True,
    False,
    None,
)
LEAVES += ("", "a", "close", "_x", "x" * 300, "long", b"", [], [0], [[]], {}, {"a": 1})


@pytest.mark.parametrize("index", range(len(SOURCES)))
def test_s12_changed_values_never_crash(index: int) -> None:
    """S12: one well-formed value in the place of another is refused as DSL-007, and nothing else is raised."""
    source = random.Random(index)
    data = encode(program(index), Keyring())
    start = 14 + int.from_bytes(data[10:14], "big")
    for _ in range(MUTATIONS):
        payload = msgpack.unpackb(data[start:], strict_map_key=False)
        place, key = _leaf(payload, source)
        place[key] = deepcopy(source.choice(LEAVES))
        try:
            verify(_program(_Parts((1, 0), data[14:start], msgpack.packb(payload, use_bin_type=True))))
        except DSLContainerError:
            continue


def _leaf(value: list[Any], source: random.Random) -> tuple[list[Any], int]:
    while True:
        key = source.randrange(len(value)) if value else 0
        if not value or not isinstance(value[key], list) or not value[key] or source.random() < 0.1:
            return (value, key) if value else ([0], 0)
        value = value[key]


def decode_mutant(data: bytes) -> None:
    try:
        found = decode(data, Keyring())
    except DSLContainerError:
        return
    assert encode(found, Keyring()) == data


def _mutated(data: bytes, source: random.Random) -> bytes:
    broken = bytearray(data)
    for _ in range(source.randint(1, 4)):
        place = source.randrange(8, len(broken))
        how = source.randrange(3)
        if how == 0:
            broken[place] = source.randrange(256)
        elif how == 1:
            del broken[place : place + source.randint(1, 8)]
        else:
            broken[place:place] = bytes(source.randrange(256) for _ in range(source.randint(1, 8)))
        if len(broken) < 20:
            break
    return bytes(broken)


class MemoryStore:
    """A store of bytes in a dict."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[bytes, int]] = {}

    async def get(self, key: str) -> bytes | None:
        return self.entries[key][0] if key in self.entries else None

    async def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        self.entries[key] = value, ttl_seconds


async def test_cache() -> None:
    """Programs come from the process, then from the store, then from the compiler; a swapped container is a miss."""
    store = MemoryStore()
    compiled: list[str] = []

    def compiler(source: str) -> Program:
        compiled.append(source)
        return api.compile(source).ir

    for _ in range(2):
        await ProgramCache(store, RING).get_or_compile(bytecode_key("1"), SOURCES[0], compiler)
    await ProgramCache(store, RING).get_or_compile(bytecode_key("2"), SOURCES[1], compiler)
    store.entries[bytecode_key("1")] = store.entries[bytecode_key("2")]
    cache = ProgramCache(store, RING)
    await cache.get_or_compile(bytecode_key("1"), SOURCES[0], compiler)

    assert compiled == [SOURCES[0], SOURCES[1], SOURCES[0]]
    assert cache.tampered == 1
    assert store.entries[bytecode_key("2")][1] == 3_600


def test_keys() -> None:
    """Keys have the names of the allocation, and everything that changes a compile changes the hash."""
    assert bytecode_key("64a") == "dsl:bytecode:64a"
    assert warmed_key("ff") == "dsl:warmed:ff"
    assert (
        len({program_key("a"), program_key("b"), program_key("a", "mysingle-1"), program_key("a", mode="research")})
        == 4
    )
