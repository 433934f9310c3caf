"""The queue between requests and the store, with a store that fails when it is told to; MongoDB: tests/journeys."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from mysingle.core.audit import AuditLog, AuditRecord
from mysingle.core.metrics import ServiceMetrics


class Store:
    """A sink that can be away, or slow to acknowledge."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []
        self.is_away = False
        self.acknowledges = asyncio.Event()
        self.acknowledges.set()

    async def write(self, records: Sequence[AuditRecord]) -> None:
        if self.is_away:
            raise ConnectionError("away")
        self.records.extend(records)
        await self.acknowledges.wait()

    @property
    def paths(self) -> list[str]:
        return [record.path for record in self.records]


def _record(path: str) -> AuditRecord:
    return AuditRecord(
        at=datetime.now(UTC),
        service="test-service",
        user_id=None,
        auth_method=None,
        method="GET",
        route=path,
        path=path,
        status=200,
        duration_seconds=0.001,
        client_address=None,
        correlation_id=None,
        trace_id=None,
    )


def _count(metrics: ServiceMetrics, result: str) -> float:
    return metrics.registry.get_sample_value("mysingle_audit_records_total", {"result": result}) or 0.0


@pytest.fixture
def metrics() -> ServiceMetrics:
    return ServiceMetrics("test-service", "1.0.0")


async def test_beyond_the_bound_records_are_dropped_and_counted(metrics: ServiceMetrics) -> None:
    """A full queue drops the newest records and counts them; nobody waits and nothing is raised."""
    log = AuditLog(Store(), metrics, max_records=3)
    for number in range(5):
        log.accept(_record(f"/{number}"))

    assert _count(metrics, "dropped") == 2


async def test_outage_loses_nothing(metrics: ServiceMetrics) -> None:
    """Records that come while the store is away are written in order when it is back."""
    store = Store()
    store.is_away = True
    log = AuditLog(store, metrics)
    await log.open()
    for number in range(1200):
        log.accept(_record(f"/{number}"))
    await asyncio.sleep(0.3)
    store.is_away = False
    await _eventually(lambda: len(store.records) == 1200)
    await log.close()

    assert store.paths == [f"/{number}" for number in range(1200)]
    assert (_count(metrics, "written"), _count(metrics, "dropped")) == (1200, 0)


async def test_close_writes_what_is_left(metrics: ServiceMetrics) -> None:
    """Closing writes everything that was accepted, also what the writer has not looked at yet."""
    store = Store()
    log = AuditLog(store, metrics)
    await log.open()
    for number in range(1200):
        log.accept(_record(f"/{number}"))
    await log.close()

    assert len(store.records) == 1200


async def test_close_writes_nothing_twice(metrics: ServiceMetrics) -> None:
    """Closing in the middle of a write does not store those records a second time."""
    store = Store()
    log = AuditLog(store, metrics)
    await log.open()
    log.accept(_record("/once"))
    store.acknowledges.clear()
    await _eventually(lambda: store.records)
    asyncio.get_running_loop().call_later(0.1, store.acknowledges.set)
    await log.close()

    assert store.paths == ["/once"]


async def test_close_is_bounded(metrics: ServiceMetrics) -> None:
    """With the store away, closing gives up within its bound and counts what is lost."""
    store = Store()
    store.is_away = True
    log = AuditLog(store, metrics)
    await log.open()
    log.accept(_record("/lost"))
    async with asyncio.timeout(6):
        await log.close()

    assert _count(metrics, "dropped") == 1


async def test_close_without_open(metrics: ServiceMetrics) -> None:
    """Closing a log that was never opened does nothing."""
    await AuditLog(Store(), metrics).close()


async def test_ping(metrics: ServiceMetrics) -> None:
    """The log is healthy while its writer runs."""
    log = AuditLog(Store(), metrics)
    with pytest.raises(RuntimeError, match="not running"):
        await log.ping()
    await log.open()
    await log.ping()
    await log.close()

    with pytest.raises(RuntimeError, match="not running"):
        await log.ping()


async def _eventually(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
