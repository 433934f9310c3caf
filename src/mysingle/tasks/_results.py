"""The results of tasks in Redis, without a subscription for every task that is sent."""

from typing import Any

from celery.backends.redis import RedisBackend, SentinelBackend

__all__ = ["RedisResults", "SentinelResults"]


class _Unsubscribed:
    """
    Leaves out what Celery does when a task is sent: it subscribes to the result, in every process that sends.

    A web service that never asks for results would collect one subscription for each task until it ends.
    `AsyncResult.get` subscribes by itself.
    """

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Do nothing."""


class RedisResults(_Unsubscribed, RedisBackend):  # type: ignore[misc]  # Celery brings no types
    """Results on one server."""


class SentinelResults(_Unsubscribed, SentinelBackend):  # type: ignore[misc]  # Celery brings no types
    """Results on the master that sentinels name."""
