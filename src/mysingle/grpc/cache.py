"""A cache of responses: `grpc_cached` marks a method, `GrpcCache` keeps what it returned."""

import asyncio
import hashlib
import inspect
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

from mysingle.grpc._around import ServerCall
from mysingle.grpc._interceptors.idempotency import UnaryHandler

__all__ = ["CacheRule", "CacheStore", "GrpcCache", "MemoryCacheStore", "cache_rule", "grpc_cached"]

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__grpc_cached__"
_GENERATION_SECONDS = 1.0
_GENERATION_TTL_SECONDS = 86_400
_MAX_RESPONSES = 10_000


class CacheRule(NamedTuple):
    """For how many seconds a method's responses are kept, and whether all users share them."""

    ttl: int | None
    public: bool


class CacheStore(Protocol):
    """Keeps bytes; `create_grpc_cache(service, codec=BytesCodec())` is one."""

    async def get(self, key: str) -> bytes | None:
        """Return what is stored; None also when the store is away."""

    async def set(self, key: str, value: bytes, ttl: int | None = None) -> bool:
        """Store for so many seconds; tell whether it is stored."""


class MemoryCacheStore:
    """A store in this process: enough for one replica."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[float, bytes]] = {}

    async def get(self, key: str) -> bytes | None:
        """Return what is stored and has not expired."""
        expires, value = self._values.get(key, (0.0, b""))
        return value if asyncio.get_running_loop().time() < expires else None

    async def set(self, key: str, value: bytes, ttl: int | None = None) -> bool:
        """Store, for a day when nothing else is said; the oldest entry makes room."""
        if len(self._values) >= _MAX_RESPONSES:
            self._values.pop(next(iter(self._values)))
        self._values[key] = (asyncio.get_running_loop().time() + (ttl or _GENERATION_TTL_SECONDS), value)
        return True


def grpc_cached(ttl: int | None = None, *, public: bool = False) -> Callable[[F], F]:
    """
    Mark a unary method of a servicer: its responses are kept for `ttl` seconds.

    Each user has responses of their own, unless the method says that they are `public`. Errors are never kept.

    Raises:
        ValueError: a `ttl` that is no positive number of whole seconds.
        TypeError: a method that streams its responses.
    """
    if ttl is not None:
        _check_ttl(ttl)

    def mark(function: F) -> F:
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise TypeError(f"{function.__qualname__} streams; only the response of a unary method can be kept")
        setattr(function, _MARK, CacheRule(ttl, public))
        return function

    return mark


def _check_ttl(ttl: object) -> None:
    if not isinstance(ttl, int) or ttl < 1:
        raise ValueError(f"ttl={ttl!r}: use whole seconds, at least 1")


def cache_rule(function: object) -> CacheRule | None:
    """Return the rule that a method is marked with."""
    return getattr(function, _MARK, None)


class GrpcCache:
    """
    Responses by method, request and user; one call of the handler fills it for all who wait.

    Args:
        store: where the bytes are kept, under the keys `{method}:{hash}` (with the prefix `grpc:{service}:` of
            `create_grpc_cache`).
        ttl: seconds, for methods that do not say.
        l1_entries: how many responses this process keeps itself, at most `l1_seconds` old; 0 for none.
    """

    def __init__(self, store: CacheStore, *, ttl: int = 3600, l1_entries: int = 1_000, l1_seconds: float = 1.0) -> None:
        _check_ttl(ttl)
        self._store = store
        self._ttl = ttl
        self._l1_entries, self._l1_seconds = l1_entries, l1_seconds
        self._l1: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._generations: dict[str, tuple[float, bytes]] = {}
        self._running: dict[str, asyncio.Future[bytes]] = {}
        self.hits = 0
        self.misses = 0

    async def invalidate(self, method: str) -> None:
        """Forget every response of `pkg.Service/Method`: here at once, in other processes within a second."""
        generation = os.urandom(8)
        self._generations[method] = (_now() + _GENERATION_SECONDS, generation)
        self._l1.clear()
        await self._store.set(f"{method}:generation", generation, _GENERATION_TTL_SECONDS)

    def wrap(self, method: str, rule: CacheRule, handler: UnaryHandler) -> UnaryHandler:
        """Return the handler that looks here first."""
        ttl = rule.ttl or self._ttl

        async def cached(call: ServerCall, request: bytes) -> bytes:
            who = b"" if rule.public else (call.context.user_id or "").encode()
            generation = await self._generation(method)
            digest = hashlib.sha256(b"%b\n%b\n%b" % (generation, who, request)).hexdigest()
            key = f"{method}:{digest}"
            return self._look(key) or await self._shared(key, ttl, handler, call, request)

        return cached

    def _look(self, key: str) -> bytes | None:
        expires, value = self._l1.get(key, (0.0, b""))
        if _now() >= expires:
            return None
        self.hits += 1
        return value

    async def _shared(self, key: str, ttl: int, handler: UnaryHandler, call: ServerCall, request: bytes) -> bytes:
        while (running := self._running.get(key)) is not None:
            await asyncio.wait({running})
            if not running.cancelled():
                self.hits += 1
                return running.result()
        running = self._running[key] = asyncio.get_running_loop().create_future()
        try:
            value = await self._load(key, ttl, handler, call, request)
            running.set_result(value)
        finally:
            if not running.done():
                running.cancel()  # those who wait try by themselves
            del self._running[key]
        return value

    async def _load(self, key: str, ttl: int, handler: UnaryHandler, call: ServerCall, request: bytes) -> bytes:
        value = await self._store.get(key)
        if value is not None:
            self.hits += 1
        else:
            self.misses += 1
            value = await handler(call, request)
            await self._store.set(key, value, ttl)
        self._keep(key, min(self._l1_seconds, ttl), value)
        return value

    def _keep(self, key: str, seconds: float, value: bytes) -> None:
        if self._l1_entries:
            self._l1[key] = (_now() + seconds, value)
            while len(self._l1) > self._l1_entries:
                self._l1.popitem(last=False)

    async def _generation(self, method: str) -> bytes:
        expires, generation = self._generations.get(method, (0.0, b""))
        if _now() < expires:
            return generation
        generation = await self._store.get(f"{method}:generation") or b""
        self._generations[method] = (_now() + _GENERATION_SECONDS, generation)
        return generation


def _now() -> float:
    return asyncio.get_running_loop().time()
