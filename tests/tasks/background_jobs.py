"""The tasks of a service, which the workers of these tests run. What they do is seen from outside in Redis."""

import asyncio
import os
import sys
from datetime import datetime
from typing import Any

import redis

from mysingle.core.context import current_context
from mysingle.core.errors import UnavailableError
from mysingle.tasks import create_celery_app


class Diary:
    """A resource that writes down what happens to it."""

    name = "diary"

    def __init__(self) -> None:
        self.is_open = False

    async def open(self) -> None:
        with notes() as connection:
            if connection.get("away"):
                note("away")
                raise UnavailableError("the diary is away")
        note("open")
        self.is_open = True

    async def close(self) -> None:
        note("close")

    async def ping(self) -> None:
        """Do nothing: it is always there."""


diary = Diary()
celery = create_celery_app("jobs-service", include=["background_jobs"], resources=[diary])


def notes() -> "redis.Redis[Any]":
    return redis.Redis(port=celery.settings.REDIS_PORT, db=0, decode_responses=True)


def note(text: str) -> None:
    with notes() as connection:
        connection.rpush("notes", f"{text} {os.getpid()}")


@celery.task
def add(left: int, right: int) -> int:
    return left + right


@celery.task
def whoami() -> dict[str, Any]:
    context = current_context()
    return {
        "correlation_id": context.correlation_id,
        "request_id": context.request_id,
        "traceparent": context.traceparent,
        "user": context.user_id,
        "roles": sorted(context.user.roles) if context.user else [],
        "deadline": context.deadline,
    }


@celery.task
async def whoami_on_the_loop() -> list[Any]:
    await asyncio.sleep(0)
    return [current_context().correlation_id, current_context().user_id, diary.is_open, os.getpid()]


@celery.task
def pass_on() -> str:
    return whoami.delay().id


@celery.task(bind=True, autoretry_for=(UnavailableError,), retry_backoff=False, default_retry_delay=0, max_retries=3)
async def third_time(self: Any) -> list[Any]:
    await asyncio.sleep(0)
    if self.request.retries < 2:
        raise UnavailableError("not yet")
    return [self.request.retries, current_context().correlation_id]


@celery.task
def later(moment: datetime) -> str:
    return moment.isoformat()


@celery.task
async def fail(password: str) -> None:
    raise ValueError(f"password={password}")


@celery.task
async def leave() -> None:
    sys.exit("goodbye")


@celery.task
def unspeakable() -> object:
    return object()


@celery.task(soft_time_limit=1)
async def endless() -> None:
    try:
        await asyncio.gather(asyncio.sleep(60), asyncio.sleep(60))
    finally:
        note("cancelled")


@celery.task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@celery.task
def forbidden() -> None:
    note("forbidden")


@celery.task
def periodic() -> None:
    note("periodic")


@celery.task
async def wait(seconds: float) -> str:
    note("waiting")
    await asyncio.sleep(seconds)
    return "waited"


celery.conf.beat_schedule = {"often": {"task": "background_jobs.periodic", "schedule": 0.3}}
