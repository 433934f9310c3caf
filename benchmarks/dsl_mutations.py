"""Changes of programs and containers for `benchmarks.dsl_fuzz`: each is a function of its input and a random source."""

import random
import re
from copy import deepcopy
from typing import Any, Final

import msgpack

from mysingle.dsl.errors import DSLError
from mysingle.dsl.ir import codec
from mysingle.dsl.lang.tables import FUNCTION_NAMES

__all__ = ["changed_bytes", "changed_source", "changed_structure"]

TOKEN: Final = re.compile(r"\n *|\w+|'[^'\n]*'|[^\w\s]+|\s+")
_WORDS: Final = """
close open high low volume data params np pd market input strategy indicator pattern result timeframe var param True
False None and or not if else elif for in is return def raise assert pass range len ( ) [ ] { } : , . = == != < <= > >=
+ - * / // % ** & | ~ ^ += -= 0 1 2 3 14 -1 0.5 1e-9 1e300 9007199254740993 5000 5001 1000000000
100 -100 'a' 'close' '1D' .shift(1)
.rolling(3) .mean() .iloc[i] [1] .ewm(span=5) .expanding() .fillna(0) .std() lambda import while
"""
WORDS: Final = tuple(_WORDS.split())
FUNCTIONS: Final = tuple(sorted(FUNCTION_NAMES))
ODD: Final = ("\u00e9", "\uff47", "\ud55c", "_", "0", "\x00", "\r", "\\")
VALUES: Final = (
    0, 1, -1, 2, 3, 5, 7, 14, 19, 64, 5_000, 5_001, 2**31, 2**53, 2**60, -(2**53), 0.5, 1.5, -0.0, 1e308, True, False,
    float("nan"), float("inf"), None, "", "a", "close", "_x", "x" * 300, "long", "entry", b"", [], [0], [[]], {},
    {"a": 1},
)  # fmt: skip


def changed_source(text: str, others: list[str], chance: random.Random) -> str:
    """Give a program with one to six changes of its tokens."""
    tokens = TOKEN.findall(text)
    for _ in range(chance.randint(1, 6)):
        if tokens:
            place = chance.randrange(len(tokens))
            chance.choice((_replace, _insert, _remove, _transplant, _repeat, _shuffle))(tokens, place, others, chance)
    return "".join(tokens)[:20_000]


def _word(chance: random.Random) -> str:
    return chance.choice(WORDS if chance.random() < 0.7 else FUNCTIONS)


def _replace(tokens: list[str], place: int, _others: list[str], chance: random.Random) -> None:
    tokens[place] = _word(chance) if chance.random() < 0.7 else chance.choice(tokens)


def _insert(tokens: list[str], place: int, _others: list[str], chance: random.Random) -> None:
    tokens.insert(place, _word(chance))


def _remove(tokens: list[str], place: int, _others: list[str], chance: random.Random) -> None:
    del tokens[place : place + chance.randint(1, 3)]


def _transplant(tokens: list[str], place: int, others: list[str], chance: random.Random) -> None:
    other = TOKEN.findall(chance.choice(others))
    start = chance.randrange(len(other))
    tokens[place:place] = other[start : start + chance.randint(1, 12)]


def _repeat(tokens: list[str], place: int, _others: list[str], chance: random.Random) -> None:
    tokens[place:place] = tokens[place : place + chance.randint(1, 8)]


def _shuffle(tokens: list[str], place: int, _others: list[str], chance: random.Random) -> None:
    tokens[place] = "".join(chance.choice((*tokens[place], *ODD)) for _ in range(chance.randint(1, 6)))


def changed_bytes(data: bytes, chance: random.Random) -> bytes:
    """Give a container with a few bytes changed, taken away or added; its fixed prefix stays."""
    broken = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place, how = chance.randrange(8, len(broken)), chance.randrange(3)
        if how == 0:
            broken[place] = chance.randrange(256)
        elif how == 1 and len(broken) > 32:
            del broken[place : place + chance.randint(1, 8)]
        else:
            broken[place:place] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 8)))
    return bytes(broken)


def changed_structure(data: bytes, chance: random.Random) -> bytes:
    """Give an unsigned container with one to three values changed, and the header of what it is now."""
    size = int.from_bytes(data[10:14], "big")
    header, payload = data[14 : 14 + size], msgpack.unpackb(data[14 + size :], strict_map_key=False)
    for _ in range(chance.randint(1, 3)):
        place, key = _leaf(payload, chance)
        place[key] = deepcopy(chance.choice(VALUES)) if chance.random() < 0.7 else chance.randrange(260)
    return _resealed(data[:10], header, msgpack.packb(payload, use_bin_type=True))


def _resealed(prefix: bytes, header: bytes, payload: bytes) -> bytes:
    """Let the header describe the changed payload: then what refuses it is the verifier and not a hash."""
    try:
        header = codec._header(codec._program(codec._Parts((1, 0), header, payload)), payload)
    except (DSLError, ArithmeticError, LookupError, TypeError, ValueError):
        return prefix + len(header).to_bytes(4, "big") + header + payload
    return prefix + len(header).to_bytes(4, "big") + header + payload


def _leaf(value: list[Any], chance: random.Random) -> tuple[list[Any], int]:
    while True:
        key = chance.randrange(len(value))
        if not isinstance(value[key], list) or not value[key] or chance.random() < 0.1:
            return value, key
        value = value[key]
