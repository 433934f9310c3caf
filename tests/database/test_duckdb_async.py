import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mysingle._kernel.context import RequestContext, current_context, use_context
from mysingle._kernel.errors import ErrorCode, MySingleError, UnavailableError
from mysingle._kernel.lifecycle import Resource
from mysingle.database import BaseDuckDBManager, DuckDBResource

ENDLESS = "SELECT sum(sqrt(a.range * b.range)) FROM range(1000000) a, range(1000000) b"
HOLD = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
time.sleep(float(sys.argv[2]))
"""


class Counts(BaseDuckDBManager):
    def create_schema(self) -> None:
        self.execute("CREATE TABLE IF NOT EXISTS counts (id INTEGER PRIMARY KEY, value INTEGER)")


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Any]:
    """Give a function that lets another process write a file for some seconds."""
    holders = []

    def hold(path: Path, seconds: float) -> None:
        holders.append(subprocess.Popen([sys.executable, "-c", HOLD, path, str(seconds)], stdout=subprocess.PIPE))
        assert holders[-1].stdout is not None
        holders[-1].stdout.readline()

    yield hold
    for holder in holders:
        holder.kill()
        holder.communicate()


async def test_cancelled_call_stops() -> None:
    """A call whose task is cancelled stops in DuckDB too, and its thread serves the next one."""
    async with Counts(threads=1) as counts:
        running = asyncio.create_task(counts.fetch_one_async(ENDLESS))
        await asyncio.sleep(0.3)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        async with asyncio.timeout(10):
            assert await counts.fetch_one_async("SELECT 1") == (1,)


async def test_call_that_waits_is_cancelled() -> None:
    """A call that is cancelled before it has a thread never runs."""
    async with Counts(threads=1) as counts:
        running = asyncio.create_task(counts.fetch_one_async(ENDLESS))
        await asyncio.sleep(0.2)
        waiting = asyncio.create_task(counts.execute_async("INSERT INTO counts VALUES (1, 1)"))
        await asyncio.sleep(0.1)
        for task in (waiting, running):
            task.cancel()
        await asyncio.gather(waiting, running, return_exceptions=True)

        assert await counts.fetch_all_async("SELECT * FROM counts") == []


@pytest.mark.parametrize("seconds", [0.3, -1])
async def test_deadline(seconds: float) -> None:
    """A call ends with its request, and does not begin after it."""
    async with Counts() as counts:
        started = time.monotonic()
        with use_context(RequestContext(deadline=started + seconds)), pytest.raises(MySingleError) as caught:
            await counts.fetch_one_async(ENDLESS)

        assert (caught.value.code, caught.value.reason) == (ErrorCode.DEADLINE_EXCEEDED, "BUDGET_EXHAUSTED")
        assert time.monotonic() - started < 5
        assert await counts.fetch_one_async("SELECT 1") == (1,)


async def test_close_ends_calls() -> None:
    """Closing does not wait for a query that would take for ever."""
    counts = Counts().connect()
    running = asyncio.create_task(counts.fetch_one_async(ENDLESS))
    await asyncio.sleep(0.3)
    async with asyncio.timeout(10):
        await asyncio.to_thread(counts.close)

    with pytest.raises(duckdb.Error):
        await running
    with pytest.raises(RuntimeError, match="is not open"):
        await counts.fetch_one_async("SELECT 1")


async def test_context_in_the_thread() -> None:
    """Work in a thread sees the context of its request."""
    async with Counts() as counts:
        with use_context(RequestContext(correlation_id="abc")):
            assert await counts.run_async(lambda: current_context().correlation_id) == "abc"


async def test_readers_at_the_same_time(tmp_path: Path) -> None:
    """While one transaction writes, readers are served and see what was before it."""
    async with Counts(tmp_path / "x.duckdb") as counts:
        await counts.execute_async("INSERT INTO counts SELECT range, 0 FROM range(1000)")
        written, go_on = threading.Event(), threading.Event()

        def write() -> None:
            with counts.transaction() as cursor:
                cursor.execute("UPDATE counts SET value = 1")
                written.set()
                assert go_on.wait(30)

        writer = asyncio.create_task(counts.run_async(write))
        await asyncio.to_thread(written.wait, 30)
        before = await asyncio.gather(*(counts.fetch_one_async("SELECT sum(value) FROM counts") for _ in range(20)))
        go_on.set()
        await writer

        assert before == [(0,)] * 20
        assert await counts.fetch_one_async("SELECT sum(value) FROM counts") == (1000,)


async def test_writers_do_not_conflict() -> None:
    """Transactions of many tasks on the same row all arrive: one at a time writes."""
    async with Counts() as counts:
        await counts.execute_async("INSERT INTO counts VALUES (1, 0)")

        def increment() -> None:
            with counts.transaction() as cursor, counts.transaction():
                cursor.execute("UPDATE counts SET value = value + 1 WHERE id = 1")

        await asyncio.gather(*(counts.run_async(increment) for _ in range(50)))

        assert await counts.fetch_one_async("SELECT value FROM counts") == (50,)


async def test_plain_writes_do_not_conflict() -> None:
    """So do plain statements, and both together."""
    async with Counts() as counts:
        await counts.execute_async("INSERT INTO counts VALUES (1, 0)")
        statement = "\n update counts SET value = value + 1 WHERE id = 1"

        def increment() -> None:
            with counts.transaction() as cursor:
                cursor.execute(statement)

        await asyncio.gather(
            *(counts.run_async(increment) if number % 2 else counts.execute_async(statement) for number in range(50))
        )

        assert await counts.fetch_one_async("SELECT value FROM counts") == (50,)


def test_transaction_is_undone() -> None:
    """After an exception nothing of a transaction is there, and the next one works."""

    def fail(counts: Counts) -> None:
        with counts.transaction() as cursor:
            cursor.execute("INSERT INTO counts VALUES (1, 1)")
            raise KeyError

    with Counts() as counts:
        with pytest.raises(KeyError):
            fail(counts)
        with counts.transaction() as cursor:
            cursor.execute("INSERT INTO counts VALUES (2, 2)")

        assert counts.fetch_all("SELECT id FROM counts") == [(2,)]


def test_first_row_of_many() -> None:
    """The first row of a query does not wait for the others; the first that a statement returns ends the statement."""
    with Counts() as counts:
        started = time.monotonic()
        first = counts.fetch_one("SELECT a.range FROM range(100000000) a, range(100) b")
        seconds = time.monotonic() - started
        with counts.transaction():
            written = counts.fetch_one("INSERT INTO counts SELECT range, 0 FROM range(5000) RETURNING value")
            counts.fetch_one("SELECT * FROM counts")

        assert (first, written) == ((0,), (0,))
        assert seconds < 10
        assert counts.fetch_one("SELECT count(*) FROM counts") == (5000,)


def test_another_process_writes(tmp_path: Path, held: Any) -> None:
    """A file that another process writes is refused with a sentence that says so, for readers too."""
    path = tmp_path / "x.duckdb"
    held(path, 60)

    for manager in (Counts(path), Counts(path, read_only=True)):
        with pytest.raises(UnavailableError, match="has one writer") as caught:
            manager.connect()
        assert caught.value.reason == "DUCKDB_LOCKED"


def test_waits_for_the_other_process(tmp_path: Path, held: Any) -> None:
    """A manager that may wait takes over the file when the other process ends: rolling restarts."""
    path = tmp_path / "x.duckdb"
    held(path, 0.5)

    with Counts(path, lock_timeout_seconds=20) as counts:
        assert counts.fetch_all("SELECT * FROM counts") == []


async def test_resource(tmp_path: Path) -> None:
    """A service opens, asks and closes it like its other resources."""
    resource = DuckDBResource(Counts(tmp_path / "x.duckdb"), name="bars")
    await resource.open()
    await resource.ping()
    await resource.close()

    assert isinstance(resource, Resource)
    assert resource.name == "bars"
    with pytest.raises(RuntimeError, match="is not open"):
        await resource.ping()
