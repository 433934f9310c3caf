"""Hears over pub/sub which values other processes have changed."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from mysingle._kernel.logging import get_logger
from mysingle.database._local import LocalCache

__all__ = ["InvalidationBus"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0

log = get_logger("mysingle.cache")


class InvalidationBus:
    """
    One connection of one event loop that hears the changes for all local caches of that loop.

    While it is not connected, local caches take no new values; when it is connected again they begin empty, because
    messages may have been missed.
    """

    def __init__(self, make_client: Callable[[int], Redis]) -> None:
        self._make_client = make_client
        self._locals: dict[bytes, list[LocalCache[Any]]] = {}
        self._task: asyncio.Task[None] | None = None

    def join(self, local: LocalCache[Any]) -> None:
        """Let a local cache hear what concerns it; it does so from the moment at which the server has agreed."""
        self._locals.setdefault(local.channel, []).append(local)
        self._stop()
        self._task = asyncio.get_running_loop().create_task(self._listen())

    async def close(self) -> None:
        """End the connection; the local caches keep nothing new."""
        task = self._task
        self._stop()
        if task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _stop(self) -> None:
        self._tell(is_listening=False)
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _tell(self, *, is_listening: bool) -> None:
        for local in self._all():
            local.listen(is_listening=is_listening)

    def _all(self) -> list[LocalCache[Any]]:
        return [local for group in self._locals.values() for local in group]

    async def _listen(self) -> None:
        attempt = 0
        while True:
            client = self._make_client(attempt)
            try:
                await self._hear(client)
            except (RedisError, OSError) as error:
                attempt += 1
                self._tell(is_listening=False)
                if attempt == 1:
                    log.warning("cache.local_deaf", error=type(error).__name__)
            finally:
                await client.connection_pool.aclose()
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(attempt, 10))
            await asyncio.sleep(pause * (0.5 + random.random() / 2))  # noqa: S311  # spreads the callers

    async def _hear(self, client: Redis) -> None:
        async with client.pubsub() as pubsub:
            await pubsub.subscribe(*self._locals)
            missing = len(self._locals)
            while True:
                message = await pubsub.get_message(timeout=None)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    missing -= 1
                    if not missing:
                        self._tell(is_listening=True)
                elif message["type"] == "message":
                    self._deliver(message)

    def _deliver(self, message: dict[str, Any]) -> None:
        for local in self._locals.get(_bytes(message["channel"]), ()):
            local.hear(_bytes(message["data"]))


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
