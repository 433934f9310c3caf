"""The allocation's rules for commands that a service sends by itself, beside the caches."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.cluster import RedisCluster

__all__ = ["GuardedCluster", "GuardedRedis", "KeyRule"]

_STRINGS = "SET SETEX PSETEX SETNX GETSET APPEND INCR INCRBY INCRBYFLOAT DECR DECRBY SETRANGE SETBIT"
_OTHERS = "EXPIRE PEXPIRE PERSIST RESTORE BITFIELD GEOADD PFADD XADD SADD ZADD ZINCRBY LPUSH RPUSH LPUSHX RPUSHX LSET"
_HASHES = "LINSERT HSET HSETNX HMSET HINCRBY HINCRBYFLOAT"
_STORES = "SINTERSTORE SUNIONSTORE SDIFFSTORE ZINTERSTORE ZUNIONSTORE ZDIFFSTORE ZRANGESTORE PFMERGE GETEX HSETEX"
_FIRST_KEY = frozenset(f"{_STRINGS} {_OTHERS} {_HASHES} {_STORES}".split())  # a table is easier to read
_SECOND_KEY = frozenset(["RENAME", "RENAMENX", "COPY", "SMOVE", "LMOVE", "BLMOVE", "RPOPLPUSH", "BRPOPLPUSH", "BITOP"])
_SCRIPTS = frozenset({"EVAL", "EVALSHA", "FCALL"})
_EVERY_SECOND = frozenset({"MSET", "MSETNX"})
_ENDLESS = frozenset({"SETNX", "MSET", "MSETNX", "GETSET", "PERSIST"})
_LIFETIMES = frozenset({"EX", "PX", "EXAT", "PXAT", "KEEPTTL"})


class KeyRule(Protocol):
    """Looks at one key that is about to be written; raises `ValueError` where the rules are strict."""

    def __call__(self, key: str, *, lives_forever: bool, ttl_seconds: float | None) -> None:
        """Judge."""


class GuardedRedis(Redis):
    """The driver's client; keys that it writes are compared with the allocation first."""

    rule: KeyRule | None = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        check_command(self.rule, args)
        return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # untyped library

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "_GuardedPipeline":
        """Return a pipeline whose commands are compared too."""
        made = _GuardedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        made.rule = self.rule
        return made


class _GuardedPipeline(Pipeline):
    rule: KeyRule | None = None

    def pipeline_execute_command(self, *args: Any, **options: Any) -> Pipeline:
        check_command(self.rule, args)
        return super().pipeline_execute_command(*args, **options)  # type: ignore[no-any-return, no-untyped-call]  # untyped


class GuardedCluster(RedisCluster):
    """The driver's client of a cluster, with the same comparison; `gate` bounds how many commands run at a time."""

    rule: KeyRule | None = None
    gate: asyncio.Semaphore

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        check_command(self.rule, args)
        return await super().execute_command(*args, **kwargs)


def check_command(rule: KeyRule | None, args: Sequence[Any]) -> None:
    """Show the rule every key that a command writes."""
    if rule is None or not args:
        return
    # The driver takes names in small letters and as bytes, and splits those that hold the whole command.
    first, *more = _text(args[0]).split() or [""]
    name, args = first.upper(), (first, *more, *args[1:])
    if len(args) < 2 or name not in _WRITES:
        return
    keys = _keys(name, args)
    ttl = _ttl(name, args)
    lives_forever = name in _ENDLESS or _drops_lifetime(name, args)
    for key in keys:
        rule(_text(key), lives_forever=lives_forever, ttl_seconds=ttl)


_WRITES = _FIRST_KEY | _SECOND_KEY | _EVERY_SECOND | _SCRIPTS


def _keys(name: str, args: Sequence[Any]) -> Sequence[Any]:
    if name in _SECOND_KEY:
        return args[2:3]
    if name in _SCRIPTS:
        count = _text(args[2]) if len(args) > 2 else ""
        return args[3 : 3 + int(count)] if count.isdecimal() else ()
    return args[1::2] if name in _EVERY_SECOND else args[1:2]


def _drops_lifetime(name: str, args: Sequence[Any]) -> bool:
    if name == "GETEX":
        return any(_text(option).upper() == "PERSIST" for option in args[2:])
    return name == "SET" and not _has_lifetime(args)


def _has_lifetime(args: Sequence[Any]) -> bool:
    return any(_text(option).upper() in _LIFETIMES for option in args[3:])


def _ttl(name: str, args: Sequence[Any]) -> float | None:
    reader = _TTLS.get(name)
    try:
        return reader(args) if reader else None
    except (IndexError, TypeError, ValueError):
        return None  # the server will say what is wrong


def _set_ttl(args: Sequence[Any]) -> float | None:
    for option, value in pairwise(args[3:]):
        if _text(option).upper() in ("EX", "PX"):
            return float(value) / (1000 if _text(option).upper() == "PX" else 1)
    return None


_TTLS: dict[str, Callable[[Sequence[Any]], float | None]] = {
    "SET": _set_ttl,
    "SETEX": lambda args: float(args[2]),
    "PSETEX": lambda args: float(args[2]) / 1000,
    "EXPIRE": lambda args: float(args[2]),
    "PEXPIRE": lambda args: float(args[2]) / 1000,
}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
