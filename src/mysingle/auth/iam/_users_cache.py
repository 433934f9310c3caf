"""Users for the requests: in this process for seconds, in Redis for minutes, in MongoDB for good."""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.logging import get_logger
from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._secrets import MasterSecret
from mysingle.auth.iam._user_codec import UserCodec, tombstone
from mysingle.auth.iam._values import UserView
from mysingle.database import create_user_cache, get_redis_manager

__all__ = ["UserCache"]

log = get_logger("mysingle.auth")

_CHANNEL = "auth:invalidate"
_TTL_SECONDS = 300
_TOMBSTONE_SECONDS = 2  # longer than a reader needs that has just read what is now out of date
_LOCAL_SECONDS = 5.0
_MAX_LOCAL = 10_000
_MAX_PENDING = 10_000
_RETRY_SECONDS = 1.0
_LISTEN_SECONDS = 0.5

# The version stands behind the four characters of the format; a reader that was slow never puts an old one back.
_STORE_NEWER = """
local stored = redis.call('GETRANGE', KEYS[1], 0, 19)
if string.sub(stored, 1, 4) == string.sub(ARGV[1], 1, 4) then
  local former, new = tonumber(string.sub(stored, 5)), tonumber(string.sub(ARGV[1], 5, 20))
  if former and former > new then return '0' end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return '1'
"""


class UserCache:
    """
    A resource that knows users by id: frozen values, signed in Redis, with a version that only rises.

    Every change of a user must be told with `replace` or `drop`. Then this process knows at once, and the others as
    fast as Redis tells them; one that cannot hear Redis remembers nothing by itself. While Redis is away everything is
    a miss. A value is never saved back.
    """

    name = "user-cache"

    def __init__(
        self,
        settings: CommonSettings,
        secret: MasterSecret,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._codec = UserCodec(secret.derive("user-cache"))
        self._shared = create_user_cache(ttl=_TTL_SECONDS, codec=self._codec)
        self._number = settings.REDIS_DB_USER
        self._local = _LocalUsers(clock)
        self._pending: dict[str, None] = {}
        self._listener: asyncio.Task[None] | None = None
        self._is_listening = False

    async def get(self, user_id: str) -> UserView | None:
        """Return a user if a cache has it."""
        if self._is_listening and (local := self._local.get(user_id)) is not None:
            return local
        if self._pending and not await self._send_pending():
            return None
        view = await self._shared.get(user_id)
        if view is None or view.id != user_id:  # a value of another key, which only somebody else can have put there
            return None
        self._local.put(view)
        return view

    async def put(self, view: UserView) -> None:
        """Remember a user that has just been read; an older version than the one that is known changes nothing."""
        await self._remember(view)

    async def replace(self, view: UserView) -> None:
        """Let every process have a user as it is since its change."""
        if not (await self._remember(view) and await self._publish(view.id)):
            self._leave_for_later(view.id)

    async def drop(self, user_id: str) -> None:
        """Let every process forget a user."""
        self._local.drop(user_id)
        if not (await self._bury(user_id) and await self._publish(user_id)):
            self._leave_for_later(user_id)

    async def open(self) -> None:
        """Begin to listen to what other processes change."""
        self._listener = asyncio.create_task(self._listen(), name="user-cache")

    async def close(self) -> None:
        """Stop listening."""
        listener, self._listener = self._listener, None
        self._is_listening = False
        if listener is not None:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener

    async def ping(self) -> None:
        """Do nothing: without Redis everything goes on."""

    async def _remember(self, view: UserView) -> bool:
        self._local.put(view)
        data, key = self._codec.encode(view), f"user:{view.id}"
        return await self._attempt(lambda redis: redis.eval(_STORE_NEWER, 1, key, data, _TTL_SECONDS * 1000))

    async def _bury(self, user_id: str) -> bool:
        return await self._attempt(lambda redis: redis.set(f"user:{user_id}", tombstone(), ex=_TOMBSTONE_SECONDS))

    async def _publish(self, user_id: str) -> bool:
        return await self._attempt(lambda redis: redis.publish(_CHANNEL, user_id))

    async def _attempt(self, command: Callable[[Any], Awaitable[Any]]) -> bool:  # Any: the driver has one owner
        try:
            await get_redis_manager().run(self._number, command)
        except MySingleError:
            return False
        return True

    def _leave_for_later(self, user_id: str) -> None:
        self._pending[user_id] = None
        while len(self._pending) > _MAX_PENDING:
            del self._pending[next(iter(self._pending))]

    async def _send_pending(self) -> bool:
        """Drop what could not be told while Redis was away, before anything of Redis is believed again."""
        for user_id in list(self._pending):
            if not (await self._bury(user_id) and await self._publish(user_id)):
                return False
            self._pending.pop(user_id, None)
        return True

    async def _listen(self) -> None:
        while True:
            try:
                await self._follow()
            except MySingleError as error:
                log.debug("auth.user_cache.deaf", error=error.reason)
            self._is_listening = False
            await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self) -> None:
        manager = get_redis_manager()
        client = await manager.client(self._number)
        pubsub = client.pubsub(ignore_subscribe_messages=True)
        try:
            await manager.run(self._number, lambda _: pubsub.subscribe(_CHANNEL))
            self._local.clear()  # whatever was said before is lost
            self._is_listening = True
            while True:
                message = await manager.run(self._number, lambda _: pubsub.get_message(timeout=_LISTEN_SECONDS))
                if message is not None:
                    self._local.drop(str(message["data"]))
        finally:
            self._is_listening = False
            await pubsub.aclose()  # type: ignore[no-untyped-call]  # untyped upstream


class _LocalUsers:
    """Users of the last seconds in this process, the least recently used forgotten first."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, UserView | None]] = OrderedDict()

    def get(self, user_id: str) -> UserView | None:
        ends_at, view = self._entries.get(user_id, (0.0, None))
        return view if self._clock() < ends_at else None

    def put(self, view: UserView) -> None:
        ends_at, former = self._entries.get(view.id, (0.0, None))
        if self._clock() < ends_at and (former is None or former.version > view.version):
            return
        self._set(view.id, _LOCAL_SECONDS, view)

    def drop(self, user_id: str) -> None:
        """Forget a user, and for a moment take none back: a reader may be on its way with the former one."""
        self._set(user_id, _TOMBSTONE_SECONDS, None)

    def clear(self) -> None:
        self._entries.clear()

    def _set(self, user_id: str, seconds: float, view: UserView | None) -> None:
        self._entries[user_id] = (self._clock() + seconds, view)
        self._entries.move_to_end(user_id)
        while len(self._entries) > _MAX_LOCAL:
            self._entries.popitem(last=False)
