"""MongoDB is really killed and really frozen under load, and nobody restarts the service."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest

from mysingle._kernel.errors import ErrorCode, MySingleError, translate
from mysingle.database import BaseTimeDocument, MongoResource
from mysingle.embedded import EmbeddedMongo

LIMIT_SECONDS = 1.0
KILLS = int(os.environ.get("OUTAGE_KILLS", "3"))
RATE = int(os.environ.get("OUTAGE_RATE", "60"))
DOWN_SECONDS = float(os.environ.get("OUTAGE_DOWN", "1.0"))


class Order(BaseTimeDocument):
    number: int = 0


class Load:
    """Calls that begin at a steady rate, whatever becomes of them."""

    def __init__(self, call: Callable[[int], Any]) -> None:
        self._call = call
        self._task: asyncio.Task[None] | None = None
        self.done: list[int] = []
        self.errors: list[BaseException] = []
        self.slowest = 0.0
        self.last_success = 0.0
        self.started = 0

    async def __aenter__(self) -> "Load":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            try:
                while True:
                    group.create_task(self._one(self.started))
                    self.started += 1
                    await asyncio.sleep(1 / RATE)
            except asyncio.CancelledError:
                pass

    async def _one(self, number: int) -> None:
        started = time.monotonic()
        try:
            await self._call(number)
        except Exception as error:
            self.errors.append(error)
        else:
            self.done.append(number)
            self.last_success = time.monotonic()
        self.slowest = max(self.slowest, time.monotonic() - started)

    async def succeeds_again(self, within: float) -> float:
        """Wait until a call that begins now or later succeeds, and return how long that took."""
        started = time.monotonic()
        wanted = self.started
        while not any(number >= wanted for number in self.done[-50:]):
            assert time.monotonic() - started < within, self.errors[-1:]
            await asyncio.sleep(0.01)
        return time.monotonic() - started


@pytest.fixture
def own_mongo(tmp_path: Path) -> Iterator[EmbeddedMongo]:
    with EmbeddedMongo(tmp_path / "mongo", sync_on_commit=True) as server:
        yield server


@pytest.fixture
async def resource(own_mongo: EmbeddedMongo, configure: Any) -> AsyncIterator[MongoResource]:
    settings = configure(
        MONGODB_URL=own_mongo.url,
        MONGODB_TIMEOUT_MS=int(LIMIT_SECONDS * 1000),
        MONGODB_SERVER_SELECTION_TIMEOUT_MS=int(LIMIT_SECONDS * 1000),
        MONGODB_MAX_POOL_SIZE=20,
    )
    resource = MongoResource("outage", [Order], settings)
    await resource.open()
    yield resource
    await resource.close()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0


def reads_as(errors: list[BaseException]) -> set[Any]:
    translated: list[MySingleError | None] = [translate(error) for error in errors]
    return {error and error.code for error in translated}


async def write(number: int) -> None:
    await Order(number=number).insert()
    assert await Order.find_one({"number": -1}) is None


async def read_patiently() -> Order | None:
    with pymongo.timeout(30):  # the limit of the fixture is for the dead, not for the busy
        return await Order.find_one({"number": 1})


@pytest.mark.xdist_group("outage")
async def test_killed_under_load(own_mongo: EmbeddedMongo, resource: MongoResource) -> None:
    """
    SIGKILL again and again while requests run.

    Callers hear 503 and nothing else, within twice the limit; calls work again within two seconds of the server; what
    was acknowledged is there; and no connection stays behind.
    """
    recoveries = []
    async with Load(write) as warm_up:
        await warm_up.succeeds_again(10)
    before = open_files()
    async with Load(write) as load:
        await load.succeeds_again(10)
        for _ in range(KILLS):
            await asyncio.to_thread(own_mongo.kill)
            await asyncio.sleep(DOWN_SECONDS)
            await asyncio.to_thread(own_mongo.start)
            recoveries.append(await load.succeeds_again(10))
            await asyncio.sleep(DOWN_SECONDS)
    stored = set(await Order.distinct("number"))
    await asyncio.sleep(0.2)
    print(
        f"{KILLS} kills, {load.started} calls, {len(load.done)} done, {len(load.errors)} refused, "
        f"slowest {load.slowest:.2f} s, recovered in {max(recoveries):.2f} s, "
        f"files {before} -> {open_files()}, lost {len(set(load.done) - stored)}"
    )

    assert reads_as(load.errors) == {ErrorCode.UNAVAILABLE}
    assert set(load.done) <= stored
    assert load.slowest < 2 * LIMIT_SECONDS + 2
    assert max(recoveries) < 2 + LIMIT_SECONDS
    assert open_files() <= before + 20


@pytest.mark.xdist_group("outage")
async def test_frozen_under_load(own_mongo: EmbeddedMongo, resource: MongoResource) -> None:
    """A server that is alive and does not answer is a 503 within the limit, and calls go on when it wakes up."""
    async with Load(write) as load:
        await load.succeeds_again(10)
        os.kill(own_mongo.pid, signal.SIGSTOP)
        await asyncio.sleep(2 * LIMIT_SECONDS)
        refused = len(load.errors)
        os.kill(own_mongo.pid, signal.SIGCONT)
        recovery = await load.succeeds_again(15)

    assert refused > 0
    assert reads_as(load.errors) <= {ErrorCode.UNAVAILABLE}
    assert load.slowest < 2 * LIMIT_SECONDS + 2
    assert recovery < 10


@pytest.mark.xdist_group("outage")
async def test_pool_is_exhausted(own_mongo: EmbeddedMongo, resource: MongoResource) -> None:
    """More callers than connections wait for one another, and all of them are served."""
    await Order(number=1).insert()
    async with asyncio.TaskGroup() as group:
        reads = [group.create_task(read_patiently()) for _ in range(300)]

    assert all(read.result() is not None for read in reads)
