"""Remembers what a request with an idempotency key has come to, so that its duplicates need not run."""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mysingle._kernel.allocation import RedisDB
from mysingle._kernel.context import RequestContext, use_context
from mysingle._kernel.errors import MySingleError
from mysingle._kernel.once import Claim, IdempotencyStore
from mysingle._kernel.settings import get_settings
from mysingle.database._redis import RedisClientManager, get_redis_manager
from mysingle.database._redis_config import database_number

__all__ = ["Claim", "IdempotencyStore", "MemoryIdempotencyStore", "RedisIdempotencyStore"]

KEEP_SECONDS = 86_400
LEASE_SECONDS = 15.0
_PAUSE_SECONDS = 0.2
_MOST_LEFT_BEHIND = 1000


# Each record is a hash. The server's clock decides whether a lease has ended.
_CLAIM = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = redis.call('HMGET', KEYS[1], 'print', 'lease', 'reply')
if not found[1] then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'print', ARGV[1], 'token', ARGV[2], 'lease', now + ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return {'mine', ''}
end
if found[1] ~= ARGV[1] then return {'other', ''} end
if found[3] then return {'done', found[3]} end
if (tonumber(found[2] or 0) or 0) < now then return {'lost', ''} end
return {'running', ''}
"""
_RENEW = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] or redis.call('HEXISTS', KEYS[1], 'reply') == 1 then return 0 end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'lease', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2])
return 1
"""
_FINISH = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'reply', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
_RELEASE = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] or redis.call('HEXISTS', KEYS[1], 'reply') == 1 then return 0 end
return redis.call('UNLINK', KEYS[1])
"""


class RedisIdempotencyStore:
    """
    Keeps records under `idem:` in the database of rate limits, for all processes, for a day.

    A record outlives the process that wrote it. It outlives the server only if the server writes to disk.

    Args:
        lease_seconds: how long a request counts as running after its process was heard last.
    """

    def __init__(
        self,
        manager: RedisClientManager | None = None,
        *,
        keep_seconds: float = KEEP_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self.lease_seconds = lease_seconds
        self._own_manager = manager
        self._keep = round(keep_seconds * 1000)
        self._lease = round(lease_seconds * 1000)
        self._left_behind = _LeftBehind(self)

    async def claim(self, name: str, fingerprint: bytes) -> Claim:
        """Take a name for a request, or say what became of it."""
        token = os.urandom(16)
        try:
            state, reply = await self._run(_CLAIM, name, fingerprint, token, self._lease, self._keep)
        except BaseException:
            self._left_behind.add(name, token)
            raise
        return Claim(state.decode(), token, reply)

    async def renew(self, name: str, token: bytes) -> bool:
        """Say that the request still runs; tell whether the record is still this one."""
        return bool(await self._run(_RENEW, name, token, self._lease))

    async def finish(self, name: str, token: bytes, reply: bytes) -> bool:
        """Keep what the request came to; tell whether the record is still this one."""
        return bool(await self._run(_FINISH, name, token, reply, self._keep))

    async def release(self, name: str, token: bytes) -> bool:
        """Forget the request: it had no effect and may come again."""
        return bool(await self._run(_RELEASE, name, token))

    async def _run(self, script: str, name: str, *arguments: bytes | int) -> Any:  # Any: depends on the script
        manager = self._own_manager or get_redis_manager()
        number = database_number(RedisDB.RATE_LIMIT, get_settings())
        key = manager.config.namespace(number) + f"idem:{name}".encode("utf-8", "surrogatepass")
        return await manager.run_script(number, script, [key], arguments)


class _LeftBehind:
    """
    Gives back what was claimed although the answer never came: nothing ran, so the key is free.

    It tries for as long as a lease lasts; afterwards the request counts as interrupted.
    """

    def __init__(self, store: RedisIdempotencyStore) -> None:
        self._store = store
        self._claims: dict[str, bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, name: str, token: bytes) -> None:
        """Take care of a claim."""
        if len(self._claims) < _MOST_LEFT_BEHIND:
            self._claims[name] = token
            if not self._tasks:
                with use_context(RequestContext()):  # the request may have no time left
                    task = asyncio.get_running_loop().create_task(self._give_back())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _give_back(self) -> None:
        ends_at = time.monotonic() + self._store.lease_seconds
        while self._claims and time.monotonic() < ends_at:
            for name, token in list(self._claims.items()):
                try:
                    await self._store.release(name, token)
                except MySingleError:
                    break
                if self._claims.get(name) == token:
                    del self._claims[name]
            else:
                continue
            await asyncio.sleep(_PAUSE_SECONDS)
        self._claims.clear()


@dataclass(slots=True)
class _Record:
    fingerprint: bytes
    token: bytes
    lease_ends: float
    forgotten_at: float
    reply: bytes | None = None


class MemoryIdempotencyStore:
    """Keeps records in this process alone; at most `max_entries`, the oldest one is forgotten first."""

    def __init__(
        self,
        *,
        keep_seconds: float = KEEP_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        max_entries: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lease_seconds = lease_seconds
        self._keep_seconds = keep_seconds
        self._max_entries = max_entries
        self._clock = clock
        self._records: OrderedDict[str, _Record] = OrderedDict()

    async def claim(self, name: str, fingerprint: bytes) -> Claim:
        """Take a name for a request, or say what became of it."""
        now = self._clock()
        record = self._records.get(name)
        if record is None or record.forgotten_at <= now:
            return self._begin(name, fingerprint, now)
        if record.fingerprint != fingerprint:
            return Claim("other")
        if record.reply is not None:
            return Claim("done", reply=record.reply)
        return Claim("lost" if record.lease_ends < now else "running")

    async def renew(self, name: str, token: bytes) -> bool:
        """Say that the request still runs; tell whether the record is still this one."""
        record = self._own(name, token)
        if record is None or record.reply is not None:
            return False
        record.lease_ends = self._clock() + self.lease_seconds
        return True

    async def finish(self, name: str, token: bytes, reply: bytes) -> bool:
        """Keep what the request came to; tell whether the record is still this one."""
        record = self._own(name, token)
        if record is None:
            return False
        record.reply, record.forgotten_at = reply, self._clock() + self._keep_seconds
        return True

    async def release(self, name: str, token: bytes) -> bool:
        """Forget the request: it had no effect and may come again."""
        record = self._own(name, token)
        if record is None or record.reply is not None:
            return False
        del self._records[name]
        return True

    def _begin(self, name: str, fingerprint: bytes, now: float) -> Claim:
        token = os.urandom(16)
        self._records[name] = _Record(fingerprint, token, now + self.lease_seconds, now + self._keep_seconds)
        self._records.move_to_end(name)
        if len(self._records) > self._max_entries:
            self._records.popitem(last=False)
        return Claim("mine", token)

    def _own(self, name: str, token: bytes) -> _Record | None:
        record = self._records.get(name)
        return record if record is not None and record.token == token else None
