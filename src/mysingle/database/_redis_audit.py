"""Compares a live server with the allocation: whose keys are where, and how long they live."""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ResponseError

from mysingle._kernel.allocation import POLICIES, CachePolicy, RedisDB
from mysingle._kernel.settings import CommonSettings, get_settings
from mysingle.database._redis import RedisClientManager
from mysingle.database._redis_config import RedisConfig

__all__ = ["DatabaseReport", "PrefixReport", "RedisReport", "audit_redis"]

_BATCH = 500
_MEMORY_SAMPLES = 200
_MAX_PREFIXES = 200
_OTHERS = "(others)"


@dataclass(slots=True, kw_only=True)
class PrefixReport:
    """Keys of one database that begin alike. `memory_bytes` is estimated from a sample of the keys looked at."""

    prefix: str
    keys: int = 0
    memory_bytes: int = 0
    is_foreign: bool = False
    without_ttl: int = 0
    ttl_too_long: int = 0
    longest_ttl_seconds: int = 0
    measured: int = 0

    def take(self, ttl_milliseconds: int, limit: int | None) -> None:
        """Count one key; without a `limit` its time to live is nobody's to judge."""
        self.keys += 1
        self.longest_ttl_seconds = max(self.longest_ttl_seconds, -(-ttl_milliseconds // 1000))
        if limit is not None:
            self.without_ttl += ttl_milliseconds == -1
            self.ttl_too_long += ttl_milliseconds > limit * 1000

    @property
    def estimated_bytes(self) -> int:
        """The memory of all keys that were looked at."""
        return round(self.memory_bytes * self.keys / self.measured) if self.measured else 0


@dataclass(slots=True, kw_only=True)
class DatabaseReport:
    """One numbered database. When `keys_seen` is smaller than `keys`, the budget ended the look."""

    number: int
    purpose: str
    keys: int = 0
    keys_seen: int = 0
    prefixes: dict[str, PrefixReport] = field(default_factory=dict)

    def violations(self) -> list[str]:
        """Return what breaks the allocation, one sentence each."""
        found = []
        for row in self.prefixes.values():
            where = f"database {self.number} ({self.purpose}), {row.prefix!r}"
            if row.is_foreign:
                found.append(f"{where}: {row.keys} keys with a prefix that does not belong here")
            if row.without_ttl:
                found.append(f"{where}: {row.without_ttl} keys live for ever")
            if row.ttl_too_long:
                found.append(
                    f"{where}: {row.ttl_too_long} keys live longer than allowed, up to {row.longest_ttl_seconds} s"
                )
        return found


@dataclass(slots=True, kw_only=True)
class RedisReport:
    """What an audit found."""

    server: str
    databases: list[DatabaseReport]
    seconds: float

    def violations(self) -> list[str]:
        """Return what breaks the allocation, one sentence each."""
        return [line for database in self.databases for line in database.violations()]

    @property
    def is_complete(self) -> bool:
        """Whether every key was looked at."""
        return all(database.keys_seen >= database.keys for database in self.databases)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values, for JSON."""
        return {
            "server": self.server,
            "seconds": round(self.seconds, 3),
            "complete": self.is_complete,
            "violations": self.violations(),
            "databases": [_as_dict(database) for database in self.databases],
        }


async def audit_redis(
    settings: CommonSettings | None = None, *, max_keys: int = 100_000, max_seconds: float = 30.0
) -> RedisReport:
    """
    Look at the keys of every database, at most `max_keys` in each and `max_seconds` in all; change nothing.

    Keys are found with SCAN in small batches, so that the server goes on serving. A TTL counts down: one that is
    shorter than the guidance says nothing, only one that is missing or too long is a violation.

    Raises:
        UnavailableError: the server does not answer.
    """
    settings = settings or get_settings()
    manager = RedisClientManager(RedisConfig.from_settings(settings))
    started = time.monotonic()
    try:
        await manager.ping()
        look = _Look(manager, settings, max_keys, started + max_seconds)
        databases = [await look.at(number) for number in range(RedisDB.RESERVED + 1)]
    finally:
        await manager.close()
    return RedisReport(
        server=manager.config.address,
        databases=[database for database in databases if database is not None],
        seconds=time.monotonic() - started,
    )


class _Look:
    """One walk through the databases, within a budget."""

    def __init__(self, manager: RedisClientManager, settings: CommonSettings, max_keys: int, ends_at: float) -> None:
        self._manager = manager
        self._settings = settings
        self._max_keys = max_keys
        self._ends_at = ends_at

    async def at(self, number: int) -> DatabaseReport | None:
        """Return what is in a database; None when the server has no such number."""
        purpose = self._settings.redis_purpose(number)
        policy = POLICIES[RedisDB.RESERVED if purpose is None else purpose]
        report = DatabaseReport(number=number, purpose=policy.purpose)
        client = self._manager.lazy_client(number)
        try:
            report.keys = await _count(client)
            async for keys in self._batches(client, number):
                await self._take(client, report, policy, keys)
                if report.keys_seen >= self._max_keys or time.monotonic() > self._ends_at:
                    break
            else:
                report.keys = report.keys_seen  # all of them, whatever came and went meanwhile
        except ResponseError as error:
            if "DB index is out of range" in str(error):
                return None
            raise
        return report

    async def _batches(self, client: Any, number: int) -> AsyncIterator[list[str]]:
        space = self._manager.config.namespace(number).decode()
        target = client
        if space:
            await client.initialize()
            target = client.get_node_from_key(space)
        cursor: int | str = 0
        while True:
            options = ("MATCH", f"{space}*") if space else ()
            reply = await target.execute_command("SCAN", cursor, *options, "COUNT", _BATCH)
            cursor = int(reply[0])
            if reply[1]:
                yield list(reply[1])
            if not cursor:
                return

    async def _take(self, client: Any, report: DatabaseReport, policy: CachePolicy, keys: list[str]) -> None:
        space = len(self._manager.config.namespace(report.number))
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.pttl(key)
        rows = [self._row(report, policy, key[space:]) for key in keys]
        weighed = []
        for key, row in zip(keys, rows, strict=True):
            if row.measured < _MEMORY_SAMPLES:
                row.measured += 1
                weighed.append(row)
                pipeline.memory_usage(key)
        replies = await pipeline.execute()
        for key, row, ttl in zip(keys, rows, replies, strict=False):
            if ttl != -2:  # else it is gone
                row.take(ttl, _limit(policy, key[space:]))
                report.keys_seen += 1
        for row, size in zip(weighed, replies[len(keys) :], strict=True):
            row.memory_bytes += size or 0

    def _row(self, report: DatabaseReport, policy: CachePolicy, key: str) -> PrefixReport:
        is_foreign = not policy.is_managed and not policy.owns(key)
        prefix = _prefix(policy, key)
        if prefix not in report.prefixes and len(report.prefixes) >= _MAX_PREFIXES:
            prefix = _OTHERS
        row = report.prefixes.get(prefix)
        if row is None:
            row = report.prefixes[prefix] = PrefixReport(prefix=prefix, is_foreign=is_foreign)
        return row


async def _count(client: Any) -> int:
    # A cluster counts the keys of all databases together: only a whole walk tells them apart.
    return 0 if isinstance(client, RedisCluster) else int(await client.dbsize())


def _prefix(policy: CachePolicy, key: str) -> str:
    """Return what a key begins with; never more, because the rest may name a user."""
    known: Mapping[str, int] = policy.helper_ttls or {}
    for prefix in (*known, *policy.prefixes):
        if key.startswith(prefix):
            return prefix
    head, colon, _ = key.partition(":")
    return f"{head[:40]}{colon}" if colon else "(no prefix)"


def _limit(policy: CachePolicy, key: str) -> int | None:
    """Return the longest TTL that a key may have; None where another system manages expiry."""
    if policy.is_managed:
        return None
    helper = next((ttl for prefix, ttl in (policy.helper_ttls or {}).items() if key.startswith(prefix)), None)
    return helper or policy.max_ttl_seconds or 0


def _as_dict(database: DatabaseReport) -> dict[str, Any]:
    rows = []
    for row in database.prefixes.values():
        values = asdict(row)
        values["memory_bytes"] = row.estimated_bytes
        del values["measured"]
        rows.append(values)
    return {
        "number": database.number,
        "purpose": database.purpose,
        "keys": database.keys,
        "keys_seen": database.keys_seen,
        "prefixes": rows,
    }
