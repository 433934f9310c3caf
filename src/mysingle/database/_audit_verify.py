"""Whether the audit log is what was written: every record read once, and none kept."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import pymongo
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from pymongo import AsyncMongoClient
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.errors import PyMongoError

from mysingle._kernel.errors import UnavailableError
from mysingle._kernel.settings import CommonSettings, get_settings
from mysingle.database._audit_chain import AuditKey, Place, audit_keys, record_hash
from mysingle.database._audit_report import (
    Acceptable,
    AuditAnchor,
    AuditFinding,
    AuditReport,
    AuditStream,
    Kind,
    Verdict,
)
from mysingle.database._mongo_client import Database, address_of, connect
from mysingle.database._mongo_errors import absence, is_passing, refusal
from mysingle.database.audit import AUDIT_COLLECTION

__all__ = ["AuditVerifier", "verify_audit_log"]

_BATCH = 2_000
_BATCH_SECONDS = 60.0
# What somebody else has written may be no date and no text: it is read, and then does not fit its hash.
_READING: CodecOptions[dict[str, Any]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_MS, unicode_decode_error_handler="replace", tz_aware=True
)


async def verify_audit_log(
    database_name: str,
    settings: CommonSettings | None = None,
    *,
    accept: Collection[Acceptable] = (),
    anchor: AuditAnchor | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> AuditReport:
    """
    Read the audit log of a service from end to end, and tell whether it is what was written.

    Args:
        database_name: the database of the service.
        settings: where MongoDB is, and `AUDIT_SIGNING_KEYS`; the process's settings when not given.
        accept: what is no finding: `pruned` beginnings, records that are `unchained`, streams that are `unsigned`.
        anchor: an earlier report, whose streams must still be there, at least as long, and the same up to there.
        on_progress: called now and then with how many records are read, and about how many there are.

    Raises:
        UnavailableError: no server, it refuses the credentials, or it goes away.
        SettingsError: the connection string is not one.
    """
    settings = settings or get_settings()
    address = address_of(settings.mongodb_url)
    verifier = AuditVerifier(audit_keys(settings.AUDIT_SIGNING_KEYS), accept, anchor)
    client = connect(settings.mongodb_url, settings, "mysingle-audit")
    try:
        await _reach(client, address, settings.MONGODB_SERVER_SELECTION_TIMEOUT_MS / 1000)
        await _read(client[database_name], verifier, on_progress or (lambda done, total: None))
    except PyMongoError as error:
        raise (_interruption(address) if is_passing(error) else refusal(error, address)) from None
    finally:
        await client.close()
    return verifier.report(address, database_name)


async def _reach(client: AsyncMongoClient[dict[str, Any]], address: str, seconds: float) -> None:
    try:
        await client.admin.command("ping")
    except PyMongoError as error:
        raise (absence(address, seconds) if is_passing(error) else refusal(error, address)) from None


def _interruption(address: str) -> UnavailableError:
    return UnavailableError(
        f"MongoDB at {address} has stopped answering while the log was read: verify it again",
        reason="MONGODB_UNAVAILABLE",
        retry_after_seconds=1,
    )


async def _read(database: Database, verifier: "AuditVerifier", on_progress: Callable[[int, int], None]) -> None:
    collection = database.get_collection(AUDIT_COLLECTION, codec_options=_READING)
    total = await collection.estimated_document_count()
    by_id = [("_id", pymongo.ASCENDING)]
    cursor = collection.find().sort(by_id).hint(by_id).batch_size(_BATCH)
    coming = _ask(cursor)
    try:
        while batch := await coming:
            coming = _ask(cursor)
            await asyncio.sleep(0)  # the question leaves, so that the server works while we do
            for document in batch:
                verifier.add(document)
            on_progress(verifier.records, max(total, verifier.records))
    finally:
        coming.cancel()
        await cursor.close()


def _ask(cursor: AsyncCursor[dict[str, Any]]) -> asyncio.Future[list[dict[str, Any]]]:
    """Begin to read the next records; what a request may wait for its database is no measure for a whole log."""
    with pymongo.timeout(_BATCH_SECONDS):
        return asyncio.ensure_future(cursor.to_list(_BATCH))


class AuditVerifier:
    """Takes the records of a log in the order of their `_id`; the memory is that of the streams, not of the records."""

    def __init__(
        self, keys: Sequence[AuditKey] = (), accept: Collection[Acceptable] = (), anchor: AuditAnchor | None = None
    ) -> None:
        self.records = 0
        self._rules = _Rules({key.id: key.secret for key in keys}, frozenset(accept), (anchor or AuditAnchor({})).heads)
        self._unchained = 0
        self._streams: dict[str, _Reading] = {}

    def add(self, document: Mapping[str, Any]) -> None:
        """Take the next record."""
        self.records += 1
        place = Place.parse(document.get("_id"))
        if place is None:
            self._unchained += 1
            return
        reading = self._streams.get(place.stream)
        if reading is None:
            reading = self._streams[place.stream] = _Reading(place.stream, self._rules, document)
        reading.add(place.number, document)

    def report(self, server: str, database: str) -> AuditReport:
        """Return what was found."""
        return AuditReport(
            server=server,
            database=database,
            collection=AUDIT_COLLECTION,
            records=self.records,
            unchained=self._unchained,
            streams=tuple(reading.close() for reading in self._streams.values()),
            findings=tuple(self._findings()),
        )

    def _findings(self) -> Iterator[AuditFinding]:
        if self._unchained and "unchained" not in self._rules.accept:
            reason = f"{self._unchained} records are in no stream: an older version wrote them, or somebody else"
            yield AuditFinding(None, None, "unchained", reason)
        if "pruned" not in self._rules.accept:
            for stream in self._rules.heads.keys() - self._streams.keys():
                yield AuditFinding(stream, 0, "anchor", "the anchor knows this stream, and it is not there")


@dataclass(frozen=True)
class _Rules:
    """What holds for all streams."""

    secrets: Mapping[str, bytes]
    accept: frozenset[str]
    heads: Mapping[str, tuple[int, str]]


class _Reading:
    """One stream while it is read."""

    def __init__(self, stream: str, rules: _Rules, first: Mapping[str, Any]) -> None:
        self._stream = stream
        self._rules = rules
        self._key_id = first.get("key_id")
        self._secret = rules.secrets.get(self._key_id) if isinstance(self._key_id, str) else None
        self._is_readable = self._key_id is None or self._secret is not None
        self._began = self._ended = first.get("at")
        self._next = 0
        self._last = ""
        self._records = 0
        self._broken = 0
        self._finding: AuditFinding | None = None

    def add(self, number: int, document: Mapping[str, Any]) -> None:
        """Take the next record of the stream; behind a gap, nothing says what the first one has to be like."""
        if self._records == 0:
            self._begin(number)
        elif number > self._next:
            self._find(self._next, "missing", f"{_numbers(self._next, number - 1)} not there")
        follows = number == self._next
        if document.get("key_id") != self._key_id:
            self._find(number, "changed", "names another key than the records before it")
        elif follows and self._is_readable and record_hash(document, self._last, self._secret) != document.get("hash"):
            self._find(number, "changed", self._misfit(number))
        self._records += 1
        self._next = number + 1
        self._last = str(document.get("hash"))
        self._ended = document.get("at")
        self._compare(number)

    def close(self) -> AuditStream:
        """Return the stream as it is now, which is its end."""
        known = self._rules.heads.get(self._stream)
        if known is not None and known[0] >= self._next:
            self._find(self._next, "anchor", f"ends before record {known[0]}, which the anchor knows")
        verdict: Verdict = "broken" if self._broken else "intact" if self._is_readable else "unknown key"
        return AuditStream(
            stream=self._stream,
            began=_moment(self._began),
            ended=_moment(self._ended),
            records=self._records,
            last=self._next - 1,
            hash=self._last,
            key_id=None if self._key_id is None else str(self._key_id),
            verdict=verdict,
            broken=self._broken,
            finding=self._finding,
        )

    def _begin(self, number: int) -> None:
        if self._rules.secrets and self._key_id is None and "unsigned" not in self._rules.accept:
            self._find(number, "unsigned", "is not signed, although there are AUDIT_SIGNING_KEYS")
        if number > 0 and "pruned" not in self._rules.accept:
            self._find(0, "pruned", f"{_numbers(0, number - 1)} not there")

    def _compare(self, number: int) -> None:
        known = self._rules.heads.get(self._stream)
        if known is not None and known[0] == number and known[1] != self._last:
            self._find(number, "anchor", "is another record than the anchor knows")

    def _misfit(self, number: int) -> str:
        if number == 0:
            return "does not fit its hash: it was changed, or another one stands in its place"
        return f"does not follow from record {number - 1}: one of the two was changed, or others stand in their places"

    def _find(self, number: int, kind: Kind, reason: str) -> None:
        self._broken += 1
        self._finding = self._finding or AuditFinding(self._stream, number, kind, reason)


def _numbers(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"


def _moment(value: object) -> str | None:
    try:
        return value.as_datetime().astimezone(UTC).isoformat() if isinstance(value, DatetimeMS) else None
    except (OverflowError, ValueError):
        return None
