"""Whether a task waits for a worker thread: then it must not be cancelled, because the thread would run on unseen."""

import asyncio
import gc
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

__all__ = ["waits_for_thread"]

_RUN_IN_THREAD = "run_sync_in_worker_thread"
_MAX_DEPTH = 200
_SUSPENDABLE = (CoroutineType, GeneratorType, AsyncGeneratorType)


def waits_for_thread(task: "asyncio.Task[Any]") -> bool:
    """
    Tell whether a suspended task waits for a sync function that runs in a thread of anyio's pool.

    A `def` endpoint and a `def` dependency run there. Such a task, when it is cancelled, gives its place in the pool
    back although its thread is still busy: every further request would start one more thread.
    """
    current: object = task.get_coro()
    for _ in range(_MAX_DEPTH):
        inner = _awaited(current)
        if inner is None:
            break
        current = inner
    return getattr(current, "__name__", "") == _RUN_IN_THREAD


def _awaited(suspended: object) -> object | None:
    for name in ("cr_await", "gi_yieldfrom", "ag_await"):
        inner = getattr(suspended, name, None)
        if inner is not None:
            return inner if isinstance(inner, _SUSPENDABLE) else _behind(inner)
    return None


def _behind(awaitable: object) -> object | None:
    """Return what runs behind a wrapper without such an attribute, like the one of an `async with` over a generator."""
    return next((item for item in gc.get_referents(awaitable) if isinstance(item, _SUSPENDABLE)), None)
