"""Servers that are really killed under a running service, and come back."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from mysingle.embedded import EmbeddedMongo, EmbeddedRedis

CACHED = """
    @app.get("/rate/{symbol}")
    async def rate(symbol: str) -> int:
        async def load() -> int:
            loads.append(symbol)
            return len(loads)

        return await cache.get_or_set(symbol, load, ttl=600)

    from mysingle.core.config import settings
    from mysingle.database import create_service_cache

    cache = create_service_cache("strategy", settings.REDIS_DB_STRATEGY)
    loads = []
"""
IMPATIENT = {
    "MONGODB_SERVER_SELECTION_TIMEOUT_MS": 500,
    "MONGODB_TIMEOUT_MS": 1000,
    "REDIS_TIMEOUT_SECONDS": 0.5,
    "REDIS_CONNECT_TIMEOUT_SECONDS": 0.5,
}
MARGIN = 3.0

Start = Callable[..., Any]
Notes = Callable[..., str]


def test_mongodb_lost_and_back(start: Start, notes: Notes, own_mongo: EmbeddedMongo) -> None:
    """While MongoDB is lost callers get a bounded 503 problem, `/ready` stays 200, and all is well when it is back."""
    service = start(notes(), MONGODB_URL=own_mongo.url, **IMPATIENT).wait_ready()
    service.http.post("/notes", json={"text": "before"})
    own_mongo.kill()
    began = time.monotonic()
    lost = [service.http.get("/notes") for _ in range(2)]
    took = time.monotonic() - began
    ready = service.http.get("/ready").status_code
    own_mongo.start()
    service.wait_until(lambda: service.answers("/notes"))

    assert [(answer.status_code, answer.json()["code"]) for answer in lost] == [(503, "MONGODB_UNAVAILABLE")] * 2
    assert [int(answer.headers["retry-after"]) for answer in lost] == [1] * 2
    assert took < 2 * 2 + MARGIN
    assert ready == 200
    assert service.http.get("/notes").json() == 1
    assert "Traceback" not in service.said


def test_frozen_mongodb(start: Start, notes: Notes, own_mongo: EmbeddedMongo) -> None:
    """A MongoDB that accepts connections and never answers costs a caller a bounded time, not for ever."""
    service = start(notes(), MONGODB_URL=own_mongo.url, **IMPATIENT).wait_ready()
    service.http.get("/notes")
    os.kill(own_mongo.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        answer = service.http.get("/notes")
        took = time.monotonic() - began
        probes = [service.http.get(path).status_code for path in ("/health", "/ready")]
    finally:
        os.kill(own_mongo.pid, signal.SIGCONT)
    service.wait_until(lambda: service.answers("/notes"))

    assert (answer.status_code, answer.json()["code"]) == (503, "MONGODB_UNAVAILABLE")
    assert took < 2 + MARGIN
    assert probes == [200, 200]


def test_redis_absent_at_start(start: Start, notes: Notes, own_mongo: EmbeddedMongo, own_redis: EmbeddedRedis) -> None:
    """Without Redis a service starts and is ready, its caches miss, and they work once Redis appears."""
    own_redis.kill()
    service = start(_with_cache(notes()), MONGODB_URL=own_mongo.url, **_address(own_redis), **IMPATIENT).wait_ready()
    absent = [service.http.get("/rate/EUR").json() for _ in range(2)]
    own_redis.start()
    service.wait_until(lambda: service.http.get("/rate/EUR").json() == service.http.get("/rate/EUR").json())

    assert absent == [1, 2]
    assert service.answers("/ready")
    assert "Traceback" not in service.said


def test_redis_lost_and_back(start: Start, notes: Notes, own_mongo: EmbeddedMongo, own_redis: EmbeddedRedis) -> None:
    """While Redis is lost its caches miss quickly and `/ready` stays 200; they hit again when it is back."""
    service = start(_with_cache(notes()), MONGODB_URL=own_mongo.url, **_address(own_redis), **IMPATIENT).wait_ready()
    hits = [service.http.get("/rate/EUR").json() for _ in range(2)]
    own_redis.kill()
    began = time.monotonic()
    lost = [service.http.get("/rate/EUR") for _ in range(10)]
    took = time.monotonic() - began
    ready = service.http.get("/ready").status_code
    own_redis.start()
    service.wait_until(lambda: service.http.get("/rate/USD").json() == service.http.get("/rate/USD").json())

    assert hits == [1, 1]
    assert {answer.status_code for answer in lost} == {200}
    assert took < 10 * 0.5 + MARGIN
    assert ready == 200
    assert "Traceback" not in service.said


def test_declared_critical(start: Start, notes: Notes, own_mongo: EmbeddedMongo, own_redis: EmbeddedRedis) -> None:
    """Servers that are declared critical take `/ready` down, by name, and up again; `/health` stays 200."""
    service = start(
        notes('critical_checks=["mongodb", "redis"]'), MONGODB_URL=own_mongo.url, **_address(own_redis), **IMPATIENT
    ).wait_ready()
    own_mongo.kill()
    own_redis.kill()
    service.wait_until(lambda: service.http.get("/ready").json().get("failing") == ["mongodb", "redis"])
    down = [service.http.get(path).status_code for path in ("/ready", "/health", "/live", "/startup")]
    details = service.http.get("/health/details")
    own_redis.start()
    service.wait_until(lambda: service.http.get("/ready").json().get("failing") == ["mongodb"])
    own_mongo.start()
    service.wait_ready()

    assert down == [503, 200, 200, 200]
    assert (details.status_code, details.json()["status"]) == (503, "fail")
    assert "Traceback" not in service.said


def test_critical_redis_absent_at_start(start: Start, own_redis: EmbeddedRedis) -> None:
    """A service that needs Redis is started but not ready until Redis appears."""
    own_redis.kill()
    source = """
        from mysingle.core import create_fastapi_app, create_service_config

        app = create_fastapi_app(create_service_config("needs-redis", critical_checks=["redis"]))
    """
    service = start(source, **_address(own_redis), **IMPATIENT)
    service.wait_until(lambda: service.answers("/startup"))
    before = service.http.get("/ready")
    own_redis.start()
    service.wait_ready()

    assert (before.status_code, before.json()["failing"]) == (503, ["redis"])


def _with_cache(source: str) -> str:
    return source + CACHED


def _address(server: EmbeddedRedis) -> dict[str, object]:
    return {"REDIS_HOST": server.host, "REDIS_PORT": server.port}
