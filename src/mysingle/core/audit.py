"""The audit log: a bounded queue between requests and a sink, so that nobody waits for it and losses are counted."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from mysingle._kernel.logging import get_logger
from mysingle._kernel.metrics import ServiceMetrics
from mysingle._kernel.propagation import new_id

__all__ = ["AuditLog", "AuditRecord", "AuditSink"]

MAX_QUEUED_RECORDS = 10_000
_MAX_BATCH = 500
_GATHER_SECONDS = 0.2
_RETRY_SECONDS = (0.2, 1.0, 5.0)
_FLUSH_SECONDS = 3.0

log = get_logger("mysingle.audit")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """
    Who did what, when, with which result. No bodies, no header values, no query.

    `id` makes storing it twice the same as storing it once.
    """

    id: str = field(default_factory=new_id)
    at: datetime
    service: str
    user_id: str | None
    auth_method: str | None
    method: str
    route: str
    path: str
    status: int
    duration_seconds: float
    client_address: str | None
    correlation_id: str | None
    trace_id: str | None


class AuditSink(Protocol):
    """Where audit records stay."""

    async def write(self, records: Sequence[AuditRecord]) -> None:
        """Store the records, or raise when none of them is stored."""


class AuditLog:
    """
    A resource between the requests and a sink.

    `accept` never waits: beyond 10,000 queued records it drops and counts. Batches that fail are tried again,
    so an outage of the store shorter than the queue loses nothing; `close` writes what is left, at most 3 s.
    """

    name = "audit"

    def __init__(self, sink: AuditSink, metrics: ServiceMetrics, max_records: int = MAX_QUEUED_RECORDS) -> None:
        self._sink = sink
        self._count = metrics.audit_records
        self._queue: asyncio.Queue[AuditRecord] = asyncio.Queue(max_records)
        self._writer: asyncio.Task[None] | None = None
        self._batch: list[AuditRecord] = []
        self._writing: asyncio.Future[None] | None = None

    def accept(self, record: AuditRecord) -> None:
        """Take one record, or count it as dropped when the queue is full."""
        try:
            self._queue.put_nowait(record)
        except asyncio.QueueFull:
            self._count.labels("dropped").inc()

    async def open(self) -> None:
        """Start the writer, in the event loop of now."""
        waiting, self._queue = self._queue, asyncio.Queue(self._queue.maxsize)
        while not waiting.empty():
            self._queue.put_nowait(waiting.get_nowait())
        self._writer = asyncio.create_task(self._write_forever(), name="audit")

    async def close(self) -> None:
        """Write what is left, within its time, and count what is lost."""
        if self._writer is None:
            return
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_FLUSH_SECONDS):
                while self._writing or self._fill():
                    await self._write()
        if self._writing is not None:
            self._writing.cancel()
        lost = len(self._batch) + self._queue.qsize()
        if lost:
            self._count.labels("dropped").inc(lost)
            log.error("audit.lost", records=lost)

    async def ping(self) -> None:
        """Raise when the writer has ended."""
        if self._writer is None or self._writer.done():
            raise RuntimeError("the audit writer is not running")

    async def _write_forever(self) -> None:
        while True:
            self._batch = self._batch or [await self._queue.get()]
            await asyncio.sleep(_GATHER_SECONDS)
            self._fill()
            await self._write_until_stored()

    async def _write_until_stored(self) -> None:
        attempt = 0
        while self._batch:
            try:
                await self._write()
            except Exception as error:  # whatever the store raises, the records stay and are tried again
                delay = _RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)]
                log.warning("audit.retry", records=len(self._batch), delay_s=delay, reason=type(error).__name__)
                attempt += 1
                await asyncio.sleep(delay)

    def _fill(self) -> bool:
        while len(self._batch) < _MAX_BATCH and not self._queue.empty():
            self._batch.append(self._queue.get_nowait())
        return bool(self._batch)

    async def _write(self) -> None:
        # A write that close() interrupts may have reached the store: it is waited for, not begun again.
        writing = self._writing = self._writing or asyncio.ensure_future(self._sink.write(tuple(self._batch)))
        try:
            await asyncio.shield(writing)
        finally:
            self._writing = None if writing.done() else writing
        self._count.labels("written").inc(len(self._batch))
        self._batch = []
