"""One load at a time over all processes: a short lock in the store."""

import asyncio
import os
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator

from mysingle._kernel.errors import MySingleError
from mysingle.database._store import KeyValueStore

__all__ = ["StoreLocks", "turns"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.1
_MAX_LEFT_BEHIND = 1000


class StoreLocks:
    """
    Locks under names in a store, each for the time of one load.

    A lock ends by itself, so a crashed holder blocks nobody for long, and only its holder gives it back. One whose
    fate a fault left open is given back by the next caller of this process, who would wait for nobody otherwise.
    """

    def __init__(self) -> None:
        self._left_behind: OrderedDict[bytes, bytes] = OrderedDict()

    async def take(self, store: KeyValueStore, name: bytes, seconds: float) -> bytes | None:
        """
        Take a lock for at most `seconds`; return what gives it back, None when somebody else holds it.

        Raises:
            MySingleError: the store is away.
        """
        left = self._left_behind.get(name)
        if left is not None:
            await store.delete_if(name, left)
            self._left_behind.pop(name, None)
        token = b"MSL1" + os.urandom(16)
        try:
            return token if await store.add(name, token, max(1, round(seconds * 1000))) else None
        except BaseException:
            self._leave(name, token)  # it may have been taken
            raise

    async def give_back(self, store: KeyValueStore, name: bytes, token: bytes) -> None:
        """Let others take the lock; when the store is away, it ends by itself."""
        try:
            await store.delete_if(name, token)
        except MySingleError:
            self._leave(name, token)
        except BaseException:
            self._leave(name, token)
            raise

    def _leave(self, name: bytes, token: bytes) -> None:
        self._left_behind[name] = token
        if len(self._left_behind) > _MAX_LEFT_BEHIND:
            self._left_behind.popitem(last=False)


async def turns(seconds: float) -> AsyncIterator[None]:
    """Come round at growing intervals, for `seconds` in all; the first turn comes at once."""
    ends_at, pause = time.monotonic() + seconds, _FIRST_PAUSE
    while True:
        yield
        if time.monotonic() + pause >= ends_at:
            return
        await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311  # spreads the callers
        pause = min(_LONGEST_PAUSE, pause * 1.5)
