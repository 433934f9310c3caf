import json
import os
import subprocess
import sys
from typing import Any

import pytest

from mysingle._kernel.errors import UnavailableError
from mysingle._kernel.settings import CommonSettings, RedisSettings
from mysingle.database import RedisClientManager, audit_redis, create_service_cache
from mysingle.embedded import EmbeddedRedis

pytestmark = pytest.mark.usefixtures("manager")


def doctor(server: EmbeddedRedis, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(server.port)}
    command = [sys.executable, "-m", "mysingle", "doctor", "redis", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)


async def spoil(manager: RedisClientManager) -> None:
    """Break the allocation in each way there is."""
    foreign, forever, long, reserved = (manager.lazy_client(number) for number in (8, 5, 14, 15))
    await foreign.set("market:SPY", 1, ex=300)
    await forever.set("market:SPY", 1)
    await long.set("plan:gold", 1, ex=7200)
    await reserved.set("mine", 1, ex=60)


async def test_kept(manager: RedisClientManager) -> None:
    """A server that caches alone have filled keeps the allocation, locks, tags and Celery's keys included."""
    cache = create_service_cache("strategy", 8, lock_seconds=5, negative_ttl=10)
    await cache.set("a", "x" * 1000, tags=["t"])
    await cache.get_or_set("b", lambda: 1)
    await cache.get_or_set("c", lambda: None)
    await cache.invalidate_tag("t")
    await manager.lazy_client(10).set("_kombu.binding.celery", 1)
    await manager.lazy_client(3).set("revoked:1", 1, ex=86400)
    report = await audit_redis()
    (row,) = report.databases[8].prefixes.values()

    assert report.violations() == []
    assert report.is_complete
    assert (row.prefix, row.keys) == ("strategy:", 4)
    assert 1000 < row.estimated_bytes < 5000


async def test_violations(manager: RedisClientManager) -> None:
    """Each violation is one sentence with database, prefix and number."""
    await spoil(manager)
    lines = (await audit_redis()).violations()

    assert lines == [
        "database 5 (Market Data Cache), 'market:': 1 keys live for ever",
        "database 8 (Strategy Cache), 'market:': 1 keys with a prefix that does not belong here",
        "database 14 (Subscription Cache), 'plan:': 1 keys live longer than allowed, up to 7200 s",
        "database 15 (Reserved), '(no prefix)': 1 keys with a prefix that does not belong here",
        "database 15 (Reserved), '(no prefix)': 1 keys live longer than allowed, up to 60 s",
    ]


async def test_budget(manager: RedisClientManager) -> None:
    """A look ends with its budget, and says that it has not seen all."""
    client = manager.lazy_client(8)
    async with client.pipeline(transaction=False) as pipeline:
        for number in range(5000):
            pipeline.set(f"strategy:{number}", "x" * 100, ex=600)
        await pipeline.execute()
    limited, whole = await audit_redis(max_keys=1000), await audit_redis()

    assert 1000 <= limited.databases[8].keys_seen < 5000 == limited.databases[8].keys
    assert not limited.is_complete
    assert whole.is_complete
    row = whole.databases[8].prefixes["strategy:"]
    assert (row.keys, row.measured) == (5000, 200)
    assert 100 * 5000 < row.estimated_bytes < 400 * 5000


async def test_never_keys(manager: RedisClientManager) -> None:
    """The server is never asked for all keys at once."""
    await spoil(manager)
    client = manager.lazy_client(0)
    await client.config_resetstat()
    await audit_redis()
    commands = await client.info("commandstats")

    assert "cmdstat_scan" in commands
    assert "cmdstat_keys" not in commands


async def test_many_prefixes(manager: RedisClientManager) -> None:
    """A server full of foreign prefixes gives a report of bounded size."""
    client = manager.lazy_client(8)
    async with client.pipeline(transaction=False) as pipeline:
        for number in range(1000):
            pipeline.set(f"prefix-{number}:1", 1, ex=600)
        await pipeline.execute()
    prefixes = (await audit_redis()).databases[8].prefixes

    assert len(prefixes) == 201
    assert prefixes["(others)"].keys == 800


async def test_command_finds(manager: RedisClientManager, redis_server: EmbeddedRedis) -> None:
    """`mysingle doctor redis` prints a table and ends with 1 when there are findings; no key is shown whole."""
    await spoil(manager)
    await manager.lazy_client(8).set("secret-\x1b[31m:user-77", 1, ex=60)
    done = doctor(redis_server)

    assert done.returncode == 1, done.stderr
    assert "6 violations of the allocation" in done.stdout
    assert "user-77" not in done.stdout
    assert "\x1b" not in done.stdout


async def test_command_json(manager: RedisClientManager, redis_server: EmbeddedRedis) -> None:
    """`--json` prints one document; a server that keeps the allocation ends with 0."""
    await create_service_cache("strategy", 8).set("a", 1)
    done = doctor(redis_server, "--json")
    report: dict[str, Any] = json.loads(done.stdout)

    assert done.returncode == 0
    assert (report["violations"], report["complete"], len(report["databases"])) == ([], True, 16)


def test_command_without_server(redis_server: EmbeddedRedis) -> None:
    """A server that does not answer is one line and exit code 2."""
    environment = {**os.environ, "REDIS_HOST": "127.0.0.1", "REDIS_PORT": "1"}
    command = [sys.executable, "-m", "mysingle", "doctor", "redis"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "Redis at 127.0.0.1:1 does not answer: start it, or set REDIS_HOST" in done.stderr


async def test_absent_server(configure: Any) -> None:
    """From Python it is one error of our family."""
    settings: RedisSettings = configure(REDIS_HOST="127.0.0.1", REDIS_PORT=1)
    with pytest.raises(UnavailableError, match="not reachable"):
        await audit_redis(settings)  # type: ignore[arg-type]  # the fixture makes the whole settings


async def test_server_with_fewer_databases(configure: Any) -> None:
    """Numbers that a server does not have are left out."""
    with EmbeddedRedis(databases=4) as server:
        configure(REDIS_HOST="127.0.0.1", REDIS_PORT=server.port)
        report = await audit_redis()

    assert [database.number for database in report.databases] == [0, 1, 2, 3]


async def test_address_of_the_settings() -> None:
    """The server that is looked at is the one that the settings name, not the process's own."""
    nowhere = CommonSettings(REDIS_HOST="127.0.0.1", REDIS_PORT=1)
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1"):
        await audit_redis(nowhere)
