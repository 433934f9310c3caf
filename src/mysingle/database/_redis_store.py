"""A store on a Redis database, or on the part of a cluster that stands for one."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio.cluster import RedisCluster
from redis.client import NEVER_DECODE

from mysingle.database._pool import Command
from mysingle.database._redis import RedisClientManager
from mysingle.database._store import Aged, Notice

__all__ = ["RedisStore"]

_CLEAR_BATCH = 500
_DELETE_IF = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('UNLINK', KEYS[1]) end
return 0
"""


class RedisStore:
    """Implements `KeyValueStore` on one database of a manager."""

    def __init__(self, manager: RedisClientManager, number: int) -> None:
        self._manager = manager
        self._number = number
        self._space = manager.config.namespace(number)

    async def get(self, name: bytes) -> bytes | None:
        """Return the bytes, or None."""
        data: bytes | None = (await self._manager.exchange(self._number, (("GET", self._space + name),)))[0]
        return data

    async def get_aged(self, name: bytes) -> Aged:
        """Return the bytes, and how long they will live."""
        key = self._space + name
        return _aged(*await self._manager.exchange(self._number, (("GET", key), ("PTTL", key))))

    async def get_many_aged(self, names: Sequence[bytes]) -> list[Aged]:
        """Return the bytes of each name, in order, and how long they will live."""
        keys = [self._space + name for name in names]
        found, *lives = await self._manager.exchange(self._number, [("MGET", *keys), *(("PTTL", key) for key in keys)])
        return [_aged(data, milliseconds) for data, milliseconds in zip(found, lives, strict=True)]

    async def get_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        """Return the bytes of each name, in order."""
        found: list[bytes | None] = await self._one("MGET", *(self._space + name for name in names))
        return found

    async def set(self, name: bytes, data: bytes, milliseconds: int, notice: Notice | None = None) -> bool:
        """Store; tell whether it is stored."""
        return bool(await self._one("SET", self._space + name, data, "PX", milliseconds, notice=notice))

    async def set_many(
        self, entries: Sequence[tuple[bytes, bytes]], milliseconds: int, notice: Notice | None = None
    ) -> bool:
        """Store several; tell whether all are stored."""
        commands: list[Command] = [("SET", self._space + name, data, "PX", milliseconds) for name, data in entries]
        return all((await self._all(commands, notice))[: len(commands)])

    async def add(self, name: bytes, data: bytes, milliseconds: int) -> bool:
        """Store only if there is nothing; tell whether it is stored."""
        return bool(await self._one("SET", self._space + name, data, "PX", milliseconds, "NX"))

    async def delete(self, names: Sequence[bytes], notice: Notice | None = None) -> int:
        """Delete; return how many there were."""
        return int(await self._one("UNLINK", *(self._space + name for name in names), notice=notice))

    async def delete_if(self, name: bytes, data: bytes) -> bool:
        """Delete only if these bytes are stored; tell whether they were."""
        return bool(await self._one("EVAL", _DELETE_IF, 1, self._space + name, data))

    async def exists(self, name: bytes) -> bool:
        """Tell whether there is something."""
        return bool(await self._one("EXISTS", self._space + name))

    async def expire(self, name: bytes, milliseconds: int, notice: Notice | None = None) -> bool:
        """Let what is stored live so long from now; tell whether there is something."""
        return bool(await self._one("PEXPIRE", self._space + name, milliseconds, notice=notice))

    async def clear(self, prefix: bytes, notice: Notice | None = None) -> int:
        """Delete every name that begins with `prefix`, in batches that do not block the server."""
        pattern = _escape_glob(self._space + prefix) + b"*"
        cursor, cleared = 0, 0
        while True:
            cursor, keys = await self._scan(cursor, pattern)
            cleared += int(await self._one("UNLINK", *keys)) if keys else 0
            if not cursor:
                break
        if notice is not None:
            await self._one("PUBLISH", *notice)
        return cleared

    async def ping(self) -> None:
        """Raise when the server does not answer."""
        await self._manager.ping(self._number)

    async def _one(self, *command: bytes | str | int, notice: Notice | None = None) -> Any:  # Any: as the command
        return (await self._all([command], notice))[0]

    async def _all(self, commands: list[Command], notice: Notice | None) -> list[Any]:
        if notice is not None:
            commands = [*commands, ("PUBLISH", *notice)]
        return await self._manager.exchange(self._number, commands)

    async def _scan(self, cursor: int, pattern: bytes) -> tuple[int, list[bytes]]:
        command = ("SCAN", cursor, "MATCH", pattern, "COUNT", _CLEAR_BATCH)

        async def scan(client: Any) -> Any:
            # All keys of a database are on one node: its braces say so.
            await client.initialize()
            node = client.get_node_from_key(self._space.decode())
            return await node.execute_command(*command, **{NEVER_DECODE: True})

        if isinstance(self._manager.lazy_client(self._number), RedisCluster):
            following, keys = await self._manager.run(self._number, scan)
        else:
            following, keys = await self._one(*command)
        return int(following), keys


def _aged(data: bytes | None, milliseconds: int) -> Aged:
    # Both may see another moment: what expires between them is gone, what lives for ever is nobody's to judge.
    return Aged(data, milliseconds if milliseconds >= 0 else 0 if milliseconds == -2 else 2**62)


def _escape_glob(text: bytes) -> bytes:
    return b"".join(b"\\" + bytes([byte]) if byte in b"\\*?[]^" else bytes([byte]) for byte in text)
