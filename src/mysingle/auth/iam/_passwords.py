"""Password hashes: argon2id in a bounded pool of threads, so that logins never hold up the event loop."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from argon2 import PasswordHasher as Argon2
from argon2 import Type
from argon2.exceptions import Argon2Error

from mysingle._kernel.metrics import process_metrics
from mysingle.auth.iam._errors import unavailable
from mysingle.auth.iam._password_policy import is_acceptable

__all__ = ["PasswordCheck", "PasswordHasher"]

T = TypeVar("T")

_MAX_WORKERS = 4
_MAX_WAITING = 64
_RETRY_SECONDS = 2.0
_DUMMY_HASH = "$argon2id$v=19$m=19456,t=2,p=1$4XMvHZ4OWQ/6y/pXc88zlw$O9mX4Tek+H0gA2Zq0imt1cLjMfxHkCUbFXx8rXhkez0"
"""The hash of random bytes that nobody has: comparing with it takes as long, and matches nothing."""


class PasswordCheck(NamedTuple):
    """Whether a password matches; `new_hash` replaces the stored hash when that was made with other parameters."""

    matches: bool
    new_hash: str | None = None


class PasswordHasher:
    """
    Hashes and verifies passwords: argon2id, 19 MiB, two passes, one lane.

    As many threads work as there are cores, four at most, and at most 64 callers wait; others are told to come back.
    That bounds the memory too. Threads start at the first use; `close` ends them, and the next use starts new ones.

    Source of the parameters: OWASP Password Storage Cheat Sheet, the minimum for argon2id.
    """

    name = "passwords"

    def __init__(self, *, workers: int | None = None, max_waiting: int = _MAX_WAITING) -> None:
        self._argon2 = Argon2(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)
        self._workers = workers or min(os.cpu_count() or 1, _MAX_WORKERS)
        self._places = threading.BoundedSemaphore(self._workers + max_waiting)
        self._executor: ThreadPoolExecutor | None = None
        self._jobs = 0

    async def hash(self, password: str) -> str:
        """
        Return the hash to store.

        Raises:
            ValueError: more than 1 KiB, or no proper text; the policy says so before.
            UnavailableError: AUTH_TEMPORARILY_UNAVAILABLE, too many callers wait.
        """
        if not is_acceptable(password):
            raise ValueError("This password cannot be hashed: judge it with the policy first")
        return await self._run(lambda: self._argon2.hash(password))

    async def verify(self, password: str, hashed: str | None) -> PasswordCheck:
        """
        Compare a password with a stored hash, in the same time whether the hash is there or not.

        No hash, an empty one and one of another kind match nothing, and so does a password that cannot be one.

        Raises:
            UnavailableError: AUTH_TEMPORARILY_UNAVAILABLE, too many callers wait.
        """
        return await self._run(lambda: self._check(password, hashed))

    @property
    def is_crowded(self) -> bool:
        """Whether so many callers wait that some milliseconds more are nothing to them."""
        return self._jobs > 2 * self._workers

    async def open(self) -> None:
        """Do nothing: threads start at the first use."""

    async def close(self) -> None:
        """End the threads; what still waits is cancelled."""
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown, cancel_futures=True)

    async def ping(self) -> None:
        """Do nothing: there is no server behind it."""

    def _check(self, password: str, hashed: str | None) -> PasswordCheck:
        if not is_acceptable(password):
            self._matches("", _DUMMY_HASH)
            return PasswordCheck(matches=False)
        if not hashed or not hashed.startswith("$argon2"):
            self._matches(password, _DUMMY_HASH)
            return PasswordCheck(matches=False)
        if not self._matches(password, hashed):
            return PasswordCheck(matches=False)
        return PasswordCheck(True, self._argon2.hash(password) if self._argon2.check_needs_rehash(hashed) else None)

    def _matches(self, password: str, hashed: str) -> bool:
        try:
            return self._argon2.verify(hashed, password)
        except (Argon2Error, ValueError):  # a mismatch, or a hash that somebody damaged
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise unavailable(
                "Too many people are signing in. Try again in a moment.", retry_after_seconds=_RETRY_SECONDS
            )
        waiting = process_metrics().password_jobs
        waiting.inc()

        def leave(_: Future[T]) -> None:
            waiting.dec()
            self._places.release()

        future = self._pool().submit(work)
        future.add_done_callback(leave)
        self._jobs += 1
        try:
            return await asyncio.wrap_future(future)
        finally:
            self._jobs -= 1

    def _pool(self) -> ThreadPoolExecutor:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._workers, thread_name_prefix="password")
        return self._executor
