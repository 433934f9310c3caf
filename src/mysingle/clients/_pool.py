"""The channels of a process: one for each target, service, policy and credentials, on one event loop."""

import asyncio
import os
import time
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import grpc
from mysingle._kernel.errors import ErrorCode, MySingleError, add_translator
from mysingle._kernel.histogram import DurationSeries
from mysingle._kernel.lifecycle import share
from mysingle._kernel.logging import get_logger
from mysingle._kernel.rpc_metrics import RpcCount, client_metrics
from mysingle.clients._breaker import Breaker
from mysingle.clients._discovery import Address
from mysingle.clients._policy import ClientPolicy
from mysingle.grpc import Idempotency, TlsFiles, client_credentials, error_of_call, method_idempotency

__all__ = ["Endpoint", "MethodState", "PooledChannel", "get_pool", "reset_pool"]

_CLOSE_GRACE_SECONDS = 1.0
_TLS_CHECK_SECONDS = 1.0
_LEAST_JITTER = 0.75  # gRPC shortens a backoff by a fifth at most

log = get_logger("mysingle.clients")


class Endpoint(NamedTuple):
    """Where, how and with which credentials; equal endpoints share channels."""

    address: Address
    policy: ClientPolicy | None
    tls: TlsFiles | None


class MethodState:
    """What all calls of one method over one channel share."""

    __slots__ = ("_address", "_outcomes", "active", "idempotency", "name", "raw", "span_attributes")

    def __init__(self, path: str, raw: Any, address: Address) -> None:
        self.name = path[1:]
        self.raw = raw
        self.idempotency = method_idempotency(path)
        self.active: RpcCount = client_metrics().active.labels(self.name)
        self._address = (address.host, address.port)
        self._outcomes: dict[tuple[str, str], DurationSeries] = {}
        self.span_attributes = {
            "rpc.system.name": "grpc",
            "rpc.method": self.name,
            "server.address": address.host,
            "server.port": address.port,
        }

    @property
    def is_idempotent(self) -> bool:
        """Whether the channel may make more than one attempt."""
        return self.idempotency is not Idempotency.UNKNOWN

    def duration(self, code: str, reason: str) -> DurationSeries:
        """Return where calls that end like this are counted."""
        series = self._outcomes.get((code, reason))
        if series is None:
            series = client_metrics().duration(self.name, code, reason, *self._address)
            self._outcomes[code, reason] = series
        return series


class PooledChannel:
    """One channel of gRPC, with what is known of its methods."""

    def __init__(self, endpoint: Endpoint, policy: ClientPolicy, service: str) -> None:
        target, options = endpoint.address.target, policy.channel_options(service)
        if endpoint.tls is None:
            self.native: Any = grpc.aio.insecure_channel(target, options)
        else:
            self.native = grpc.aio.secure_channel(target, client_credentials(endpoint.tls), options)
        self.target = str(endpoint.address)
        self.policy = policy
        self.shortest_retry = policy.initial_backoff * _LEAST_JITTER
        self.breaker = Breaker() if policy.breaker else None
        self._address = endpoint.address
        self._methods: dict[tuple[str, Hashable], MethodState] = {}

    @property
    def method_count(self) -> int:
        """How many methods have been called."""
        return len(self._methods)

    def method(self, kind: str, path: str, deserializer: Any) -> MethodState:
        """Return what the calls of a method share; made at the first one. It takes requests that are serialised."""
        key = (path, deserializer)  # a stub makes the bound method anew each time, but they are equal
        state = self._methods.get(key)
        if state is None:
            raw = getattr(self.native, kind)(path, None, deserializer)
            state = self._methods[key] = MethodState(path, raw, self._address)
        return state


class ChannelPool:
    """
    Opens channels when they are first used, and closes all of them at the end of the service.

    gRPC's asyncio side belongs to one event loop: when that loop has ended, another one may follow it; two at once,
    and a process that was forked after the first channel, are refused with a clear error.
    """

    name = "grpc-channels"

    def __init__(self) -> None:
        self._channels: dict[Hashable, PooledChannel] = {}
        self._stamps: dict[TlsFiles, tuple[float, tuple[int, ...]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_forked = False
        self._watches_forks = False
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._channels)

    def channel(self, endpoint: Endpoint, policy: Callable[[], ClientPolicy], service: str) -> PooledChannel:
        """
        Return the channel for one service at one endpoint.

        Raises:
            MySingleError: another event loop, or another process, has the channels.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop or self._has_forked:
            self._bind(loop)
        key: Hashable = (endpoint, service) if endpoint.tls is None else (endpoint, service, self._stamp(endpoint.tls))
        return self._channels.get(key) or self._open(key, endpoint, policy(), service)

    def _open(self, key: Hashable, endpoint: Endpoint, policy: ClientPolicy, service: str) -> PooledChannel:
        channel = PooledChannel(endpoint, policy, service)
        for old in [old for old in self._channels if isinstance(old, tuple) and old[:2] == (endpoint, service)]:
            self._retire(self._channels.pop(old))
        self._channels[key] = channel
        if not self._watches_forks:
            self._watches_forks = True
            os.register_at_fork(after_in_child=self._forked)
        log.debug("grpc.channel_opened", target=channel.target, service=service)
        return channel

    def _retire(self, channel: PooledChannel) -> None:
        """Close a channel whose certificates were replaced, once its calls have ended."""
        task = asyncio.get_running_loop().create_task(channel.native.close(30.0))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _stamp(self, tls: TlsFiles) -> tuple[int, ...]:
        checked, stamp = self._stamps.get(tls, (0.0, ()))
        now = time.monotonic()
        if now - checked >= _TLS_CHECK_SECONDS:
            stamp = tls.stamp()
            self._stamps[tls] = (now, stamp)
        return stamp

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._has_forked:
            raise _misused("the process was forked after it had called a service; fork first, or start a new process")
        if self._channels and self._loop is not None and self._loop.is_running():
            raise _misused("another event loop of this process has the channels; call services from one loop only")
        self._channels.clear()
        self._loop = loop
        add_translator(grpc.aio.AioRpcError, error_of_call)

    def _forked(self) -> None:
        self._has_forked = bool(self._channels)

    async def open(self) -> None:
        """Nothing to do: channels open by themselves."""

    async def ping(self) -> None:
        """Say nothing: whether others are well is not this service's state."""

    async def close(self) -> None:
        """Close every channel; the next call opens one again."""
        channels, self._channels = list(self._channels.values()), {}
        if self._loop is asyncio.get_running_loop():
            await asyncio.gather(*(channel.native.close(_CLOSE_GRACE_SECONDS) for channel in channels))
            await asyncio.gather(*self._closing, return_exceptions=True)


_pool: ChannelPool | None = None


def get_pool() -> ChannelPool:
    """Return the pool of this process; the running apps close it at their end."""
    global _pool
    if _pool is None:
        _pool = ChannelPool()
        share(_pool)
    return _pool


def reset_pool() -> None:
    """Forget the pool, so that the next call makes a new one; for tests."""
    global _pool
    _pool = None


def _misused(what: str) -> MySingleError:
    return MySingleError(f"gRPC cannot be used here: {what}.", code=ErrorCode.FAILED_PRECONDITION, reason="GRPC_LOOP")
