"""The chain of the audit log: whatever is done to one record of a real MongoDB is found, and nothing else is."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest
from bson import Int64
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect

from mysingle._kernel.errors import UnavailableError
from mysingle._kernel.settings import CommonSettings
from mysingle.core.audit import AuditRecord
from mysingle.database import AuditAnchor, AuditReport, MongoAuditSink, init_mongo, verify_audit_log
from mysingle.database._audit_chain import AuditChain, Place, audit_keys, record_hash
from mysingle.database._audit_verify import AuditVerifier
from mysingle.database._mongo_client import Database
from mysingle.embedded import EmbeddedMongo

KEY = SecretStr("a-key-of-the-audit-log-that-is-long-enough")
OTHER = SecretStr("another-key-of-the-log-that-is-long-enough")
DAWN = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)

Documents: TypeAlias = Callable[..., Any]
Verify: TypeAlias = Callable[..., Awaitable[AuditReport]]


def records(count: int, first: int = 0) -> list[AuditRecord]:
    """Return records as the audit layer makes them, with text that is not ASCII and times that MongoDB shortens."""
    return [
        AuditRecord(
            at=DAWN + timedelta(seconds=number),
            service="order-service",
            user_id=None if number % 3 else "a11ce0000000000000000001",
            auth_method=None if number % 3 else "gateway",
            method="GET",
            route="/주문/{id}",
            path=f"/주문/{number}",
            status=200,
            duration_seconds=number / 7,
            client_address="::1",
            correlation_id=f"c-{number}",
            trace_id=None,
        )
        for number in range(first, first + count)
    ]


@pytest.fixture
async def database(documents: Documents) -> Database:
    """Give a database of the test's own."""
    made: Database = await documents()
    return made


@pytest.fixture
def verify(database: Database, mongo_server: EmbeddedMongo) -> Verify:
    """Give a function that verifies the log of the test's own database."""

    async def verify(*keys: SecretStr, **options: Any) -> AuditReport:
        settings = CommonSettings(_env_file=None, MONGODB_URL=mongo_server.url, AUDIT_SIGNING_KEYS=keys)
        return await verify_audit_log(database.name, settings, **options)

    return verify


async def write(database: Database, count: int, *keys: SecretStr, batch: int = 4) -> None:
    """Write one stream, in batches."""
    sink = MongoAuditSink(lambda: database, keys)
    for first in range(0, count, batch):
        await sink.write(records(min(batch, count - first), first))


async def ids(database: Database) -> list[str]:
    return [item["_id"] async for item in database.audit_logs.find({}, {"_id": 1}).sort("_id")]


async def change(database: Database, **changes: Any) -> int:
    await database.audit_logs.update_one({"_id": (await ids(database))[5]}, {"$set": changes})
    return 5


async def remove(database: Database) -> int:
    await database.audit_logs.delete_one({"_id": (await ids(database))[5]})
    return 5


async def swap(database: Database) -> int:
    places = await ids(database)
    first, second = [await database.audit_logs.find_one({"_id": places[number]}) for number in (5, 7)]
    assert first is not None
    assert second is not None
    for place, item in ((places[5], second), (places[7], first)):
        await database.audit_logs.replace_one({"_id": place}, item | {"_id": place})
    return 5


async def rehash(database: Database) -> int:
    """Change a record and give it the hash that it then would have, without a key."""
    places = await ids(database)
    before, item = [await database.audit_logs.find_one({"_id": places[number]}) for number in (4, 5)]
    assert before is not None
    assert item is not None
    item["user_id"] = "mallory"
    item["hash"] = record_hash(item, before["hash"], None)
    await database.audit_logs.replace_one({"_id": places[5]}, item)
    return 6


DEEDS = {
    "text": lambda database: change(database, user_id="mallory"),
    "null": lambda database: change(database, user_id=None, path=None),
    "type": lambda database: change(database, status=200.0),
    "flag": lambda database: change(database, status=True),
    "time": lambda database: change(database, at=DAWN),
    "no time": lambda database: change(database, at="2026-01-02T03:04:10.678Z"),
    "one more field": lambda database: change(database, note=""),
    "nested": lambda database: change(database, at={"time": 1}),
    "hash": lambda database: change(database, hash="0" * 64),
    "no hash": lambda database: change(database, hash=None),
    "key": lambda database: change(database, key_id="0" * 16),
    "removed": remove,
    "swapped": swap,
    "rehashed": rehash,
}


@pytest.mark.parametrize("keys", [(), (KEY,)], ids=["plain", "signed"])
async def test_intact(database: Database, verify: Verify, keys: tuple[SecretStr, ...]) -> None:
    """What two processes have written, in batches, is intact, and the report names the end of each stream."""
    await write(database, 11, *keys)
    await write(database, 5, *keys)
    report = await verify(*keys)

    assert (report.verdict, report.records, report.unchained, report.findings) == ("intact", 16, 0, ())
    assert [(item.records, item.last, item.finding) for item in report.streams] == [(11, 10, None), (5, 4, None)]
    assert report.streams[0].began == "2026-01-02T03:04:05.678000+00:00"


@pytest.mark.parametrize("keys", [(), (KEY,)], ids=["plain", "signed"])
@pytest.mark.parametrize("deed", DEEDS)
async def test_any_deed_is_found(database: Database, verify: Verify, deed: str, keys: tuple[SecretStr, ...]) -> None:
    """One record that is changed, removed or put elsewhere breaks its stream at its place, and no other stream."""
    await write(database, 10, *keys)
    place = await DEEDS[deed](database)
    await write(database, 3, *keys)
    report = await verify(*keys)
    broken, intact = report.streams

    assert (report.verdict, broken.verdict, intact.verdict) == ("broken", "broken", "intact")
    assert broken.finding is not None
    # With a key, nobody else can make the hash: the record itself is found, and not the one behind it.
    assert broken.finding.number == (5 if keys else place)


async def test_a_gap_names_its_records(database: Database, verify: Verify) -> None:
    """Records that are gone are named from the first to the last, and what is behind them is checked again."""
    await write(database, 10)
    places = await ids(database)
    await database.audit_logs.delete_many({"_id": {"$in": places[3:6]}})
    await database.audit_logs.update_one({"_id": places[8]}, {"$set": {"status": 500}})
    (stream,) = (await verify()).streams

    assert stream.finding is not None
    assert (stream.broken, stream.finding.kind, stream.finding.reason) == (2, "missing", "records 3 to 5 are not there")


async def test_records_without_a_stream(database: Database, verify: Verify) -> None:
    """Records of an older version, or of a stranger, are a finding unless they are accepted."""
    await database.audit_logs.insert_many([{"_id": "0198-old", "path": "/"}, {"path": "/"}, {"_id": 7}])
    await write(database, 2)
    refused, accepted = await verify(), await verify(accept=["unchained"])

    assert (refused.verdict, accepted.verdict, accepted.unchained) == ("broken", "intact", 3)
    assert "3 records are in no stream" in refused.findings[0].reason


async def test_a_pruned_beginning(database: Database, verify: Verify) -> None:
    """Old records that retention has deleted are a finding unless that is accepted, and the rest is still checked."""
    await write(database, 10)
    await database.audit_logs.delete_many({"_id": {"$in": (await ids(database))[:4]}})
    refused, accepted = await verify(), await verify(accept=["pruned"])
    await database.audit_logs.update_one({"_id": (await ids(database))[3]}, {"$set": {"status": 500}})

    assert (refused.verdict, accepted.verdict) == ("broken", "intact")
    assert refused.streams[0].finding is not None
    assert refused.streams[0].finding.reason == "records 0 to 3 are not there"
    assert (await verify(accept=["pruned"])).verdict == "broken"


async def test_an_anchor_sees_a_shortened_log(database: Database, verify: Verify) -> None:
    """An end that is cut off looks intact; an earlier report shows that it is gone, and a log that grew is fine."""
    await write(database, 10)
    anchor = AuditAnchor.parse((await verify()).as_dict())
    await write(database, 3)
    grown = await verify(anchor=anchor)
    await database.audit_logs.delete_one({"_id": (await ids(database))[9]})
    unseen, seen = await verify(), await verify(anchor=anchor)

    assert (grown.verdict, unseen.verdict, seen.verdict) == ("intact", "intact", "broken")
    assert seen.streams[0].finding is not None
    assert seen.streams[0].finding.reason == "ends before record 9, which the anchor knows"


async def test_an_anchor_sees_a_log_that_was_made_anew(database: Database, verify: Verify) -> None:
    """Without a key, somebody can write the whole chain anew; an earlier report knows another hash."""
    await write(database, 10)
    anchor = AuditAnchor.parse((await verify()).as_dict())
    previous = ""
    for place in await ids(database):
        item = await database.audit_logs.find_one({"_id": place})
        assert item is not None
        item |= {"user_id": "mallory"}
        item["hash"] = previous = record_hash(item, previous, None)
        await database.audit_logs.replace_one({"_id": place}, item)
    unseen, seen = await verify(), await verify(anchor=anchor)

    assert (unseen.verdict, seen.verdict) == ("intact", "broken")
    assert (await verify(KEY)).verdict == "broken"


async def test_an_anchor_sees_a_stream_that_is_gone(database: Database, verify: Verify) -> None:
    """A whole stream that was removed is missed by name."""
    await write(database, 2)
    report = await verify()
    await database.audit_logs.drop()
    gone = await verify(anchor=AuditAnchor.parse(report.as_dict()))

    assert (gone.verdict, gone.findings[0].stream) == ("broken", report.streams[0].stream)


@pytest.mark.parametrize("document", [None, 3, [], {}, {"verdict": "intact"}, {"verdict": "intact", "streams": [1]},
                                      {"verdict": "intact", "streams": [{"stream": "a", "last": "1", "hash": "x"}]},
                                      {"verdict": "broken", "streams": []}])  # fmt: skip
def test_no_anchor(document: object) -> None:
    """What is no report, or a report of a broken log, is no anchor."""
    with pytest.raises(ValueError, match=r"audit verify|a broken log"):
        AuditAnchor.parse(document)


async def test_keys(database: Database, verify: Verify) -> None:
    """A log verifies with its keys in any order, not without or with others, and one without signature is found."""
    await write(database, 5, KEY)
    await write(database, 5, OTHER, KEY)

    assert (await verify(OTHER, KEY)).verdict == "intact"
    assert [item.verdict for item in (await verify(KEY)).streams] == ["intact", "unknown key"]
    assert (await verify()).verdict == "unknown key"
    await write(database, 5)
    assert (await verify(KEY, OTHER)).verdict == "broken"
    assert (await verify(KEY, OTHER, accept=["unsigned"])).verdict == "intact"


class Line:
    """A line to the server that is cut when the next insert has been carried out, before its answer arrives."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.is_cut_next = False

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection("127.0.0.1", self._port)
        back = asyncio.create_task(self._copy(answers, writer))
        while data := await reader.read(1 << 20):
            is_cut = self.is_cut_next and b"insert\x00" in data
            if is_cut:
                back.cancel()
                await asyncio.wait([back])
            requests.write(data)
            if is_cut:
                self.is_cut_next = False
                await answers.read(1)
                break
        back.cancel()
        for end in (writer, requests):
            end.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 20):
            writer.write(data)


async def test_a_write_that_is_tried_again(database: Database, mongo_server: EmbeddedMongo, verify: Verify) -> None:
    """A write whose answer was lost is tried again into the same places; a batch that was given up begins anew."""
    line = Line(mongo_server.port)
    async with await asyncio.start_server(line.carry, "127.0.0.1", 0) as relay:
        port = relay.sockets[0].getsockname()[1]
        async with AsyncMongoClient[dict[str, Any]](
            f"mongodb://127.0.0.1:{port}/?directConnection=true&retryWrites=false"
        ) as client:
            sink = MongoAuditSink(lambda: client[database.name])
            await sink.write(records(3))
            line.is_cut_next = True
            batch = records(3, 3)
            with pytest.raises(AutoReconnect):
                await sink.write(batch)
            await sink.write(batch)
            line.is_cut_next = True
            with pytest.raises(AutoReconnect):
                await sink.write(records(2, 6))
            await sink.write(records(4, 8))
    report = await verify()

    assert report.verdict == "intact"
    assert [item.records for item in report.streams] == [8, 4]


async def test_a_log_that_grows(database: Database, verify: Verify) -> None:
    """Verifying while services write finds nothing."""
    await write(database, 50)
    writing = [asyncio.create_task(write(database, 400, batch=7)) for _ in range(3)]
    verdicts = set()
    while not all(task.done() for task in writing):
        verdicts.add((await verify()).verdict)
    await asyncio.gather(*writing)

    assert verdicts == {"intact"}
    assert (await verify()).records == 1250


async def test_empty(verify: Verify) -> None:
    """A log without records is intact, and says that it has none."""
    report = await verify()

    assert (report.verdict, report.records, report.streams) == ("intact", 0, ())


async def test_unreachable() -> None:
    """Without a server there is one sentence, with the address and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        absent_port = probe.getsockname()[1]
    url = f"mongodb://user:hunter2@127.0.0.1:{absent_port}"
    settings = CommonSettings(_env_file=None, MONGODB_URL=url, MONGODB_SERVER_SELECTION_TIMEOUT_MS=300)
    with pytest.raises(UnavailableError, match=f"127.0.0.1:{absent_port} is not reachable.*MONGODB_URL") as caught:
        await verify_audit_log("any", settings)

    assert "hunter2" not in str(caught.value)


VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary()
FIELDS = st.dictionaries(st.text(min_size=1).filter(lambda name: name not in ("_id", "hash", "key_id")), VALUES)


@given(log=st.lists(FIELDS, min_size=1, max_size=6), data=st.data(), is_signed=st.booleans())
def test_any_content(log: list[dict[str, Any]], data: st.DataObject, is_signed: bool) -> None:
    """Whatever records hold, the log verifies in any batches, and without any one record but the last it does not."""
    keys = audit_keys([KEY] if is_signed else [])
    chain, documents = AuditChain(keys), []
    while len(documents) < len(log):
        size = data.draw(st.integers(1, len(log)))
        linked = chain.link(log[len(documents) : len(documents) + size])
        chain.keep(linked)
        documents += linked
    assert verdict(documents, is_signed) == "intact"
    for number in range(len(documents) - 1):
        assert verdict(documents[:number] + documents[number + 1 :], is_signed) == "broken"


def verdict(documents: list[dict[str, Any]], is_signed: bool) -> str:
    verifier = AuditVerifier(audit_keys([KEY] if is_signed else []))
    for document in documents:
        verifier.add(document)
    return verifier.report("here", "db").verdict


@pytest.mark.parametrize("text", ["", "a", "a:1", ":000000000001", "a:00000000000x", "a:" + "\uff10" * 12, 5, None])
def test_no_place(text: object) -> None:
    """What is no place in a stream is none."""
    assert Place.parse(text) is None


def test_place() -> None:
    """A place reads back what it writes, and a number as the server may return it has the same hash."""
    assert Place.parse(str(Place("a:b", 12))) == Place("a:b", 12)
    assert record_hash({"status": Int64(200)}, "", None) == record_hash({"status": 200}, "", None)


async def test_a_server_that_goes_away() -> None:
    """A server that ends while its log is read is one sentence, and no verdict."""
    with EmbeddedMongo() as server:
        settings = CommonSettings(_env_file=None, MONGODB_URL=server.url, MONGODB_SERVER_SELECTION_TIMEOUT_MS=300)
        database = await init_mongo([], database_name="going", settings=settings)
        await write(database, 6500, batch=500)
        await database.client.close()
        with pytest.raises(UnavailableError, match="stopped answering while the log was read"):
            await verify_audit_log("going", settings, on_progress=lambda done, total: server.kill())
