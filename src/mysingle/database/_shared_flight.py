"""One load at a time over all processes: a short lock in the store."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mysingle._kernel.errors import MySingleError
from mysingle.database._store import KeyValueStore

__all__ = ["store_lock", "turns"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.1


@asynccontextmanager
async def store_lock(store: KeyValueStore, name: bytes, seconds: float) -> AsyncIterator[bool]:
    """
    Hold a lock under a name if it is free; give whether it was.

    It ends by itself after `seconds`, so a crashed holder blocks nobody for long, and only its holder gives it back.

    Raises:
        MySingleError: the store is away at the beginning; at the end that is no matter.
    """
    token = b"MSL1" + os.urandom(16)
    is_held = await store.add(name, token, max(1, round(seconds * 1000)))
    try:
        yield is_held
    finally:
        if is_held:
            await _give_back(store, name, token)


async def _give_back(store: KeyValueStore, name: bytes, token: bytes) -> None:
    try:
        await store.delete_if(name, token)
    except MySingleError:
        return  # it ends by itself


async def turns(seconds: float) -> AsyncIterator[None]:
    """Come round at growing intervals, for `seconds` in all; the first turn comes at once."""
    ends_at, pause = time.monotonic() + seconds, _FIRST_PAUSE
    while True:
        yield
        if time.monotonic() + pause >= ends_at:
            return
        await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311  # spreads the callers
        pause = min(_LONGEST_PAUSE, pause * 1.5)
