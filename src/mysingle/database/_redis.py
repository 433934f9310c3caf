"""The connections to Redis: a bounded pool for each database and event loop, and one place that translates faults."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Self, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection
from redis.asyncio.connection import AbstractConnection, Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.client import NEVER_DECODE
from redis.exceptions import RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from mysingle._kernel.allocation import RedisDB
from mysingle._kernel.errors import ErrorCode, MySingleError, UnavailableError, add_translator
from mysingle._kernel.lifecycle import share
from mysingle._kernel.logging import get_logger
from mysingle._kernel.settings import get_settings
from mysingle.database._circuit import Circuit, Throttle
from mysingle.database._redis_config import RedisConfig, database_number

__all__ = [
    "RedisClientManager",
    "get_redis_client",
    "get_redis_manager",
    "reset_redis_manager",
    "send",
]

T = TypeVar("T")

_FAULTS = (RedisError, OSError)

log = get_logger("mysingle.cache")


class _Pool(BlockingConnectionPool):
    """A bounded pool that remembers whether its last use reached the server."""

    is_proven = False

    async def get_connection(
        self, command_name: str | None = None, *keys: object, **options: object
    ) -> AbstractConnection:
        self.is_proven = False
        connection: AbstractConnection = await super().get_connection()  # type: ignore[no-untyped-call]  # untyped
        self.is_proven = True
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        # The driver disconnects after a fault, and only then.
        self.is_proven = connection.is_connected
        await super().release(connection)


async def send(redis: Redis, *arguments: bytes | str | int, raw: bool = False) -> Any:  # Any: depends on the command
    """Run one command; `raw` returns bytes where the client would decode them."""
    options = {NEVER_DECODE: True} if raw else {}
    return await redis.execute_command(*arguments, **options)  # type: ignore[no-untyped-call]  # untyped library


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
        self._clients: dict[asyncio.AbstractEventLoop, dict[int, Redis]] = {}
        self._pid = os.getpid()
        self._parents: list[object] = []
        add_translator(RedisError, self.translate)

    # get_redis_manager was a coroutine function once.
    def __await__(self) -> Generator[None, None, Self]:
        """Return the manager itself, for services that write `await get_redis_manager()`."""
        yield from ()
        return self

    def lazy_client(self, number: int) -> Redis:
        """Return the client of a database number without looking whether the server is there."""
        loop = asyncio.get_running_loop()
        if self._pid != os.getpid():
            self._leave_to_parent()
        clients = self._clients.get(loop)
        if clients is None:
            self._forget_closed_loops()
            clients = self._clients[loop] = {}
        client = clients.get(number)
        if client is None:
            client = clients[number] = self._make_client(number)
        return client

    async def client(self, db: int) -> Redis:
        """
        Return the client of a database; replies are text.

        The server is asked only before the first use and after a fault. Never close the client: its pool is shared.

        Raises:
            ValueError: the number is not one, or is reserved.
            UnavailableError: the server does not answer.
        """
        client = self.lazy_client(database_number(db, get_settings()))
        pool = client.connection_pool
        if isinstance(pool, _Pool) and not pool.is_proven:
            try:
                await pool.release(await pool.get_connection())
            except _FAULTS as error:
                raise self.translate(error) from error
        return client

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
            await send(client, "PING")
        except _FAULTS as error:
            self.circuit.failed()
            raise self._unavailable(_describe(error)) from error
        self._note_success()

    async def close(self) -> None:
        """Close the connections of this event loop. The manager stays usable."""
        clients = self._clients.pop(asyncio.get_running_loop(), {})
        await asyncio.gather(*(client.connection_pool.aclose() for client in clients.values()))

    aclose = close

    def translate(self, error: BaseException) -> MySingleError:
        """Return a fault of the driver in our family: away (503), or a command that the server refuses (500)."""
        if isinstance(error, ResponseError):
            return MySingleError(
                "Redis refused a command", code=ErrorCode.INTERNAL, reason="REDIS_ERROR", details={"error": str(error)}
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

    def _note(self, error: BaseException) -> None:
        if isinstance(error, ResponseError):
            self.circuit.succeeded()  # it refuses, so it is there
        else:
            self.circuit.failed()
        self.report("redis.fault", server=self.config.address, error=_describe(error))

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

    def _make_client(self, number: int) -> Redis:
        config = self.config
        pool = _Pool(
            connection_class=SSLConnection if config.tls else Connection,
            host=config.host,
            port=config.port,
            db=number,
            username=config.username,
            password=config.password.get_secret_value() if config.password else None,
            max_connections=config.max_connections,
            timeout=config.timeout_seconds,
            socket_timeout=config.timeout_seconds,
            socket_connect_timeout=config.connect_timeout_seconds,
            socket_keepalive=True,
            health_check_interval=0,
            retry=Retry(NoBackoff(), 0),  # a command that was sent may have run: repeating it is the caller's choice
            client_name="mysingle",
            driver_info=None,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            decode_responses=True,
            encoding_errors="surrogateescape",  # foreign bytes are no reason to fail
        )
        return Redis(connection_pool=pool)

    def _forget_closed_loops(self) -> None:
        for loop in [loop for loop in self._clients if loop.is_closed()]:
            del self._clients[loop]

    def _leave_to_parent(self) -> None:
        # After a fork the sockets belong to the parent: keep the objects, so that no finalizer touches them.
        self._parents.append(self._clients)
        self._clients, self._pid, self.circuit = {}, os.getpid(), Circuit()


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
