import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
from beanie import PydanticObjectId
from pymongo.errors import PyMongoError

from mysingle._kernel.context import RequestContext, use_context
from mysingle._kernel.errors import ErrorCode, MySingleError, translate
from mysingle.database import BaseTimeDocument, MongoResource, _unit_of_work, run_unit_of_work, unit_of_work
from mysingle.embedded import EmbeddedMongo


class Account(BaseTimeDocument):
    balance: int = 0


class Entry(BaseTimeDocument):
    amount: int = 0


class StandaloneMongo(EmbeddedMongo):
    """A server that is no replica set."""

    def _command(self, home: Path, port: int) -> tuple[str, ...]:
        return (*super()._command(home, port), "--standalone")


@pytest.fixture
def standalone() -> Iterator[EmbeddedMongo]:
    with StandaloneMongo() as server:
        yield server


async def transfer(source: PydanticObjectId, target: PydanticObjectId, amount: int) -> None:
    await Account.find_one({"_id": source}).inc({"balance": -amount})
    await Account.find_one({"_id": target}).inc({"balance": amount})
    await Entry(amount=amount).insert()


async def test_all_or_nothing(documents: Any) -> None:
    """What a unit writes is seen together after it; an exception undoes all of it, and is the caller's own."""
    database = await documents(Account, Entry)
    one, two = await Account(balance=10).insert(), await Account().insert()
    async with unit_of_work(Account) as unit:
        assert unit.is_atomic
        await transfer(one.id, two.id, 4)
        assert (await Account.get(one.id)).balance == 6

    async def fail() -> None:
        async with unit_of_work(database):
            await transfer(one.id, two.id, 4)
            await Entry.insert_many([Entry(), Entry()])
            await two.delete()
            raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        await fail()

    assert [(await Account.get(account.id)).balance for account in (one, two)] == [6, 4]
    assert await Entry.count() == 1


async def test_outside_sees_nothing(documents: Any) -> None:
    """Until a unit ends, another task sees what was before it."""
    await documents(Account)
    account = await Account(balance=1).insert()
    reading, written = asyncio.Event(), asyncio.Event()

    async def read() -> int:
        await written.wait()
        found = await Account.get(account.id)
        reading.set()
        return found.balance if found else -1

    reader = asyncio.create_task(read())
    async with unit_of_work(Account):
        await account.set({"balance": 2})
        written.set()
        await reading.wait()

    assert await reader == 1
    assert (await Account.get(account.id)).balance == 2


async def test_nested(documents: Any) -> None:
    """A unit inside of a unit belongs to the outer one, and is undone with it."""
    await documents(Entry)

    async def fail() -> None:
        async with unit_of_work(Entry) as outer:
            async with unit_of_work(Entry) as inner:
                await Entry().insert()
                assert inner is outer
            assert await Entry.count() == 1
            raise KeyError

    with pytest.raises(KeyError):
        await fail()

    assert await Entry.count() == 0


async def test_conflict(documents: Any) -> None:
    """Of two units that write the same document one fails, and reads as 409."""
    await documents(Account)
    account = await Account().insert()

    async def increment(*between: Coroutine[Any, Any, None]) -> None:
        async with unit_of_work(Account):
            await Account.find_one({"_id": account.id}).inc({"balance": 1})
            for work in between:
                await asyncio.create_task(work, context=Context())
                await Account.find_one({"_id": account.id}).inc({"balance": 1})

    with pytest.raises(PyMongoError) as caught:
        await increment(increment())
    error = translate(caught.value)

    assert error is not None
    assert (error.code, error.reason) == (ErrorCode.ABORTED, "WRITE_CONFLICT")


async def test_again_after_a_conflict(documents: Any) -> None:
    """Units that run again after a conflict all arrive: no update is lost."""
    await documents(Account)
    account = await Account().insert()

    async def increment() -> None:
        found = await Account.get(account.id)
        assert found is not None
        await found.set({"balance": found.balance + 1})

    await asyncio.gather(*(run_unit_of_work(Account, increment) for _ in range(6)))

    assert (await Account.get(account.id)).balance == 6


async def test_result_of_the_work(documents: Any) -> None:
    """What the work returns is returned, and its own exceptions are not tried again."""
    await documents(Entry)
    tries = 0

    async def fail() -> None:
        nonlocal tries
        tries += 1
        raise KeyError

    async def work() -> int:
        return 5

    assert await run_unit_of_work(Entry, work) == 5
    with pytest.raises(KeyError):
        await run_unit_of_work(Entry, fail)
    assert tries == 1


async def test_standalone(standalone: EmbeddedMongo, configure: Any, logged: list[Any]) -> None:
    """A server without transactions is found out: units run without, said once, unless they are required."""
    _unit_of_work._warned.clear()
    resource = MongoResource("alone", [Entry], configure(MONGODB_URL=standalone.url))
    await resource.open()
    for _ in range(2):
        async with resource.unit_of_work() as unit:
            assert not unit.is_atomic
            await Entry().insert()
    with pytest.raises(MySingleError, match="no transactions") as caught:
        async with unit_of_work(Entry, required=True):
            raise AssertionError("not reached")

    assert not resource.has_transactions
    assert caught.value.reason == "TRANSACTIONS_MISSING"
    assert await Entry.count() == 2
    assert [entry["event"] for entry in logged] == ["mongodb.no_transactions"]
    await resource.close()


async def test_deadline_ends_a_unit(documents: Any) -> None:
    """A unit that does not end within the request's deadline is undone."""
    await documents(Entry)
    await Entry().insert()

    async def work() -> None:
        async with unit_of_work(Entry):
            await Entry().insert()
            await asyncio.sleep(0.4)
            await Entry().insert()

    with use_context(RequestContext(deadline=time.monotonic() + 0.3)), pytest.raises(PyMongoError) as caught:
        await work()

    assert caught.value.timeout
    assert await Entry.count() == 1


async def test_server_dies_inside(configure: Any) -> None:
    """A unit whose server is killed before its end fails as 503, and has written nothing when the server is back."""
    with EmbeddedMongo() as server:
        settings = configure(MONGODB_URL=server.url, MONGODB_SERVER_SELECTION_TIMEOUT_MS=300, MONGODB_TIMEOUT_MS=1000)
        resource = MongoResource("dies", [Entry], settings)
        await resource.open()

        async def work() -> None:
            async with unit_of_work(Entry, required=True):
                await Entry().insert()
                server.kill()
                await Entry().insert()

        with pytest.raises(PyMongoError) as caught:
            await work()
        error = translate(caught.value)
        await asyncio.to_thread(server.start)

        assert error is not None
        assert error.code is ErrorCode.UNAVAILABLE
        assert await Entry.count() == 0
        await resource.close()
