"""The connections to Redis: a bounded pool for each database and event loop, and one place that translates faults."""

import asyncio
import functools
import hashlib
import os
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, Self, TypeVar, cast

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.client import NEVER_DECODE
from redis.exceptions import MaxConnectionsError, NoScriptError, RedisClusterException, RedisError, ResponseError

from mysingle._kernel.allocation import RedisDB
from mysingle._kernel.context import current_context
from mysingle._kernel.errors import ErrorCode, MySingleError, ResourceExhaustedError, UnavailableError, add_translator
from mysingle._kernel.lifecycle import share
from mysingle._kernel.logging import get_logger
from mysingle._kernel.settings import get_settings
from mysingle.database._circuit import Circuit, Throttle
from mysingle.database._guard import GuardedCluster
from mysingle.database._invalidation import InvalidationBus
from mysingle.database._patience import Patience, current_patience
from mysingle.database._policy import KeyRules
from mysingle.database._pool import Command, Limits, Pool, PoolExhaustedError
from mysingle.database._redis_config import RedisConfig, database_number
from mysingle.database._topology import Client, make_client, make_listener

__all__ = [
    "RedisClientManager",
    "get_redis_client",
    "get_redis_manager",
    "reset_redis_manager",
]

T = TypeVar("T")

_FAULTS = (RedisError, RedisClusterException, OSError)
_CROWDED = (PoolExhaustedError, MaxConnectionsError)

log = get_logger("mysingle.cache")


class RedisClientManager:
    """
    Hands out Redis clients: one client, with a pool of its own, for each database and event loop.

    A client that shares another's pool would ignore its database number. Nothing connects before it is used.
    It is also a resource of a service: `open` never fails for an absent server, because a cache can miss.
    Whoever made it closes it, in each event loop that used it.
    """

    name = "redis"

    def __init__(self, config: RedisConfig | None = None) -> None:
        self.config = config or RedisConfig.from_settings()
        self.circuit = Circuit()
        self._throttle = Throttle()
        self._clients: dict[asyncio.AbstractEventLoop, dict[int, Client]] = {}
        self._buses: dict[asyncio.AbstractEventLoop, InvalidationBus] = {}
        self._pid = os.getpid()
        self._parents: list[object] = []
        add_translator(RedisError, self.translate)
        add_translator(RedisClusterException, self.translate)

    # get_redis_manager was a coroutine function once.
    def __await__(self) -> Generator[None, None, Self]:
        """Return the manager itself, for services that write `await get_redis_manager()`."""
        yield from ()
        return self

    def lazy_client(self, number: int) -> Any:  # Any: in a cluster it is another class with the same methods
        """Return the client of a database number without looking whether the server is there."""
        loop = asyncio.get_running_loop()
        if self._pid != os.getpid():
            self._leave_to_parent()
        clients = self._clients.get(loop)
        if clients is None:
            self._forget_closed_loops()
            clients = self._clients[loop] = {}
        slot = 0 if self.config.mode == "cluster" else number  # a cluster has one database
        client = clients.get(slot)
        if client is None:
            client = clients[slot] = make_client(self.config, number)
        return client

    async def client(self, db: int) -> Redis:
        """
        Return the client of a database; replies are text, and keys that it writes are compared with the allocation.

        The server is asked only before the first use and after a fault. Never close the client: its pool is shared.
        In a cluster, keys begin with `namespace(db)`.

        Raises:
            ValueError: the number is not one, or is reserved.
            UnavailableError: the server does not answer.
        """
        settings = get_settings()
        number = database_number(db, settings)
        client = self.lazy_client(number)
        try:
            await self._prove(client)
        except _FAULTS as error:
            raise self.translate(error) from error
        if client.rule is None:
            client.rule = KeyRules(settings, None if self.config.mode == "cluster" else number)
        return cast("Redis", client)

    def namespace(self, db: int) -> str:
        """Return what keys of a database begin with: empty, except in a cluster (`{db8}:`)."""
        return self.config.namespace(database_number(db, get_settings())).decode()

    def bus(self) -> InvalidationBus:
        """Return what hears, in this event loop, the changes that other processes make."""
        loop = asyncio.get_running_loop()
        self.lazy_client(0)  # looks after forks and closed loops
        bus = self._buses.get(loop)
        if bus is None:
            bus = self._buses[loop] = InvalidationBus(functools.partial(make_listener, self.config))
        return bus

    async def _prove(self, client: Client) -> None:
        """Reach the server once, if the last use did not."""
        if isinstance(client, RedisCluster):
            await client.initialize()
            return
        pool = cast("Pool", client.connection_pool)
        if not pool.is_proven:
            await pool.release(await pool.get_connection())

    async def exchange(self, number: int, commands: Sequence[Command]) -> list[Any]:  # Any: depends on the command
        """
        Run commands of a cache in one round trip and return their replies as bytes.

        Raises:
            MySingleError: as `run`; also when the server refuses one of the commands.
        """
        patience = current_patience()
        limits = self._limits(patience)
        if not limits.total:
            raise self._unavailable("no time left to ask it")
        if not self.circuit.allows():
            raise self._unavailable("skipped after repeated faults")
        started = time.monotonic()
        try:
            replies = await self._exchange(self.lazy_client(number), commands, limits)
        except _FAULTS as error:
            self._note(error, limits)
            raise self.translate(error) from error
        finally:
            if patience is not None:
                patience.spent_seconds += time.monotonic() - started
        self._note_success()
        return replies

    def _limits(self, patience: Patience | None) -> Limits:
        """Return how long to wait: as configured, unless the request or the caller's patience ends before."""
        seconds = self.config.timeout_seconds
        total = 2 * seconds if patience is None else max(0.0, 2 * seconds - patience.spent_seconds)
        left = current_context().seconds_left()
        if left is not None and left < total:
            total = left
        return Limits(min(seconds, total), total)

    async def _exchange(self, client: Client, commands: Sequence[Command], limits: Limits) -> list[Any]:
        if isinstance(client, GuardedCluster):
            # The driver's pools of a cluster do not wait for a free connection: the gate does.
            async with asyncio.timeout(limits.total), client.gate, asyncio.timeout(limits.exchange):
                replies = await _exchange_in_cluster(client, commands)
        else:
            replies = await cast("Pool", client.connection_pool).exchange(commands, limits)
        for reply in replies:
            if isinstance(reply, RedisError):
                raise reply
        return replies

    async def run(self, number: int, command: Callable[[Redis], Awaitable[T]]) -> T:
        """
        Run a command of a cache, unless the server has just failed several times in a row.

        Raises:
            MySingleError: the command did not succeed; at most one log line a second tells of it.
        """
        if not self.circuit.allows():
            raise self._unavailable("skipped after repeated faults")
        try:
            result = await command(self.lazy_client(number))
        except _FAULTS as error:
            self._note(error)
            raise self.translate(error) from error
        self._note_success()
        return result

    async def run_script(
        self, number: int, script: str, keys: Sequence[bytes | str], arguments: Sequence[bytes | str | int]
    ) -> Any:  # Any: depends on the script
        """Run a Lua program as `exchange` runs commands; a server gets its text once, and then only its hash."""
        rest = (len(keys), *keys, *arguments)
        try:
            return (await self.exchange(number, [("EVALSHA", _known_as(script), *rest)]))[0]
        except MySingleError as error:
            if not isinstance(error.__cause__, NoScriptError):
                raise
        return (await self.exchange(number, [("EVAL", script, *rest)]))[0]

    async def open(self) -> None:
        """Look whether the server is there, and only warn if it is not."""
        try:
            await self.ping()
        except UnavailableError as error:
            log.warning("redis.unavailable", server=self.config.address, error=error.details.get("error"))

    async def ping(self, db: int = RedisDB.USER) -> None:
        """
        Ask the server once, also while it counts as away.

        Raises:
            UnavailableError: no answer.
        """
        client = self.lazy_client(database_number(db, get_settings()))
        try:
            await client.ping()
        except _FAULTS as error:
            self.circuit.failed()
            raise self._unavailable(_describe(error)) from error
        self._note_success()

    async def close(self) -> None:
        """Close the connections of this event loop. The manager stays usable."""
        loop = asyncio.get_running_loop()
        bus = self._buses.pop(loop, None)
        if bus is not None:
            await bus.close()
        clients = self._clients.pop(loop, {})
        await asyncio.gather(*(_close_client(client) for client in clients.values()))

    aclose = close

    def translate(self, error: BaseException) -> MySingleError:
        """Return a fault of the driver in our family: away (503), or a command that the server refuses (500)."""
        if isinstance(error, ResponseError):
            return MySingleError(
                "Redis refused a command", code=ErrorCode.INTERNAL, reason="REDIS_ERROR", details={"error": str(error)}
            )
        if isinstance(error, _CROWDED):
            return ResourceExhaustedError(
                "Too many calls of Redis at the same time",
                reason="REDIS_POOL_EXHAUSTED",
                details={"server": self.config.address, "error": str(error)},
                retry_after_seconds=1,
                status=503,
            )
        return self._unavailable(_describe(error))

    def report(self, event: str, **fields: object) -> None:
        """Write a warning, unless another one was written within the last second."""
        suppressed = self._throttle.admit()
        if suppressed is not None:
            log.warning(event, suppressed=suppressed, **fields)

    def loops(self) -> tuple[asyncio.AbstractEventLoop, ...]:
        """Return the event loops that have used this manager and are not closed."""
        self._forget_closed_loops()
        return tuple(self._clients)

    def _note(self, error: BaseException, limits: Limits | None = None) -> None:
        if isinstance(error, ResponseError):
            self.circuit.succeeded()  # it refuses, so it is there
        elif not isinstance(error, _CROWDED) and not self._was_hurried(error, limits):
            self.circuit.failed()  # a crowd, or a caller without time, says nothing about the server
        if isinstance(error, NoScriptError):
            return  # its text follows
        self.report("redis.fault", server=self.config.address, error=_describe(error))

    def _was_hurried(self, error: BaseException, limits: Limits | None) -> bool:
        return isinstance(error, TimeoutError) and limits is not None and limits.total < 2 * self.config.timeout_seconds

    def _note_success(self) -> None:
        if self.circuit.succeeded():
            log.info("redis.recovered", server=self.config.address)

    def _unavailable(self, cause: str) -> UnavailableError:
        error = UnavailableError(
            "Redis is not reachable at the moment",
            reason="REDIS_UNAVAILABLE",
            details={"server": self.config.address, "error": cause},
            retry_after_seconds=1,
        )
        error.add_note(f"server: {self.config.address}; {cause}")  # for the traceback, not for the caller of a route
        return error

    def _forget_closed_loops(self) -> None:
        for loop in [loop for loop in self._clients if loop.is_closed()]:
            del self._clients[loop]
            self._buses.pop(loop, None)

    def _leave_to_parent(self) -> None:
        # After a fork the sockets belong to the parent: keep the objects, so that no finalizer touches them.
        self._parents.append((self._clients, self._buses))
        self._clients, self._buses, self._pid, self.circuit = {}, {}, os.getpid(), Circuit()


@functools.cache
def _known_as(script: str) -> str:
    """Return how Redis names a script."""
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


async def _exchange_in_cluster(client: RedisCluster, commands: Sequence[Command]) -> list[Any]:
    if len(commands) == 1:
        return [await client.execute_command(*commands[0], **{NEVER_DECODE: True})]
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command, **{NEVER_DECODE: True})
    return await pipeline.execute(raise_on_error=False)


async def _close_client(client: Client) -> None:
    if isinstance(client, RedisCluster):
        await client.aclose()
    else:
        await client.connection_pool.aclose()


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]


_manager: RedisClientManager | None = None
_closing: set[asyncio.Task[Any]] = set()


def get_redis_manager() -> RedisClientManager:
    """Return the process's manager, made from the settings on first use."""
    global _manager
    if _manager is None:
        _manager = RedisClientManager()
        share(_manager)
    return _manager


def reset_redis_manager() -> None:
    """
    Forget the process's manager, so that the next use reads the settings again; for tests.

    Connections of an idle event loop are closed before it returns, those of a running one as soon as that loop turns.
    """
    global _manager
    manager, _manager = _manager, None
    if manager is not None:
        for loop in manager.loops():
            _close_in(loop, manager)


def _close_in(loop: asyncio.AbstractEventLoop, manager: RedisClientManager) -> None:
    if loop.is_running() or _is_inside_loop():
        loop.call_soon_threadsafe(lambda: _keep(loop.create_task(manager.close())))
    else:
        loop.run_until_complete(manager.close())


def _is_inside_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _keep(task: asyncio.Task[Any]) -> None:
    _closing.add(task)
    task.add_done_callback(_closing.discard)


async def get_redis_client(db: int) -> Redis:
    """
    Return the shared client of a database; replies are text. Prefer `BaseRedisCache`: this one has no outage rules.

    Args:
        db: `settings.REDIS_DB_*` or a `RedisDB`.

    Raises:
        ValueError: the number is not one from 0 to 15, or is reserved.
        UnavailableError: the server does not answer.
    """
    return await get_redis_manager().client(db)
