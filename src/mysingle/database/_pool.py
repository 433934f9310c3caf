"""A bounded pool of connections, and one short way through it for the commands of caches."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from redis.asyncio import ConnectionPool, SSLConnection
from redis.asyncio.connection import AbstractConnection, Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError

__all__ = ["Command", "Limits", "Pool", "PoolExhaustedError", "TcpConnection", "TlsConnection", "following_sentinel"]

Command: TypeAlias = Sequence[bytes | str | int]
Discover: TypeAlias = Callable[[], Awaitable[tuple[str, int]]]


class Limits(NamedTuple):
    """Seconds for an exchange once a connection is free, and for all of it, the queue for a connection included."""

    exchange: float
    total: float


class PoolExhaustedError(RedisConnectionError):
    """All connections stayed in use; the server may be well."""


class _Exchange(AbstractConnection):
    """Adds to the driver's connections what a cache needs of them: bytes out, replies in, nothing between."""

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:  # Any: depends on the command
        """Send commands in one go; return their replies as bytes, and refusals as `ResponseError` objects."""
        packed = self.pack_command(*commands[0]) if len(commands) == 1 else self.pack_commands(commands)
        assert self._writer is not None  # connected
        self._writer.writelines(packed)
        await self._writer.drain()
        return [await self._reply() for _ in commands]

    async def _reply(self) -> Any:
        try:
            # The caller bounds the whole exchange: one timer instead of one for each reply.
            return await self.read_response(disable_decoding=True, timeout=math.inf)
        except ResponseError as error:
            return error


class TcpConnection(_Exchange, Connection):
    """A plain connection."""


class TlsConnection(_Exchange, SSLConnection):
    """A connection inside TLS."""


def following_sentinel(base: type[AbstractConnection], discover: Discover) -> type[AbstractConnection]:
    """Return a kind of connection that asks for the present master whenever it connects."""

    class Following(base):  # type: ignore[misc, valid-type]  # the base is chosen at run time
        async def _connect(self) -> None:
            self.host, self.port = await discover()
            await super()._connect()

        async def read_response(self, *arguments: Any, **options: Any) -> Any:
            try:
                return await super().read_response(*arguments, **options)
            except ReadOnlyError as error:
                await self.disconnect()
                raise RedisConnectionError("this server is a replica now: the next command asks again") from error

    return Following


class Pool(ConnectionPool):
    """
    A bounded pool whose callers queue in order, and which remembers whether its last use reached the server.

    `exchange` runs commands without the driver's per-command bookkeeping; clients of the driver share the pool.
    """

    is_proven = False

    def __init__(self, *, connection_class: type[AbstractConnection], timeout: float, **options: Any) -> None:
        super().__init__(connection_class=connection_class, **options)
        self._timeout = timeout
        self._queue: deque[asyncio.Future[AbstractConnection]] = deque()

    async def get_connection(
        self, command_name: str | None = None, *keys: object, **options: object
    ) -> AbstractConnection:
        """
        Return a connection that is ready for a command; give it back with `release`.

        Raises:
            PoolExhaustedError: none became free in time.
        """
        self.is_proven = False
        connection = await self._take()
        try:
            if not connection.is_connected or await connection.can_read():
                await self.ensure_connection(connection)
        except BaseException:
            self._give_back(connection)
            raise
        self.is_proven = True
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        """Take a connection back, and hand it to whoever has waited longest."""
        # The driver disconnects after a fault, and only then.
        self.is_proven = connection.is_connected
        try:
            if connection.should_reconnect():  # type: ignore[no-untyped-call]  # untyped library
                await connection.disconnect()
        finally:
            self._give_back(connection)

    async def exchange(self, commands: Sequence[Command], limits: Limits) -> list[Any]:  # Any: depends on the command
        """
        Run commands on one connection in one round trip.

        Refusals are returned as `ResponseError` objects in the place of their replies.
        """
        if not self._available_connections and not self.can_get_connection():
            async with asyncio.timeout(limits.total):
                connection = await self.get_connection()
                async with asyncio.timeout(limits.exchange):
                    return await self._exchange(connection, commands)
        async with asyncio.timeout(limits.exchange):
            return await self._exchange(await self.get_connection(), commands)

    async def _exchange(self, connection: AbstractConnection, commands: Sequence[Command]) -> list[Any]:
        assert isinstance(connection, _Exchange)
        try:
            return await connection.exchange(commands)
        except BaseException:
            # Half an exchange: whoever came next would read the wrong replies.
            await connection.disconnect(nowait=True)
            raise
        finally:
            await self.release(connection)

    async def _take(self) -> AbstractConnection:
        """Take a free connection, or queue for one."""
        if self.can_get_connection() and not self._queue:
            free: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]  # untyped
            return free
        place: asyncio.Future[AbstractConnection] = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        try:
            async with asyncio.timeout(self._timeout):
                return await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                self._give_back(place.result())  # it came at the moment at which this caller gave up
            if isinstance(error, TimeoutError):
                raise self._exhausted() from None
            raise

    def _give_back(self, connection: AbstractConnection) -> None:
        while self._queue:
            place = self._queue.popleft()
            if not place.done():
                place.set_result(connection)
                return
        self._in_use_connections.remove(connection)
        self._available_connections.append(connection)

    def _exhausted(self) -> PoolExhaustedError:
        return PoolExhaustedError(
            f"all {self.max_connections} connections stayed in use for {self._timeout:g} s: "
            "raise REDIS_MAX_CONNECTIONS, or ask less at a time"
        )
