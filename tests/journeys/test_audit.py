"""The audit log of a real service in a real MongoDB."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pymongo
import pytest

from mysingle.embedded import EmbeddedMongo

SOURCE = """
    from mysingle.core import create_fastapi_app, create_service_config

    app = create_fastapi_app(create_service_config("audited"))

    @app.get("/items/{item_id}")
    async def read(item_id: str) -> str:
        return item_id
"""
ALICE = "a11ce0000000000000000001"

Start = Callable[..., Any]


def _records(server: EmbeddedMongo) -> list[dict[str, Any]]:
    with pymongo.MongoClient(server.url) as client:
        return list(client["audited_db"]["audit_logs"].find().sort("at"))


def test_one_record_a_request(start: Start, own_mongo: EmbeddedMongo) -> None:
    """With the audit on, each request is one record of who did what with which result, without query and headers."""
    service = start(SOURCE, MONGODB_URL=own_mongo.url, AUDIT_LOGGING_ENABLED="true").wait_ready()
    service.http.get("/items/7?token=hunter2", headers={"Correlation-Id": "order-42"})
    service.http.get("/nowhere")
    service.http.get("/health")
    service.wait_until(lambda: len(_records(own_mongo)) == 2)
    known, unknown = _records(own_mongo)

    expected = {
        "service": "audited",
        "user_id": ALICE,
        "auth_method": "gateway",
        "method": "GET",
        "route": "/items/{item_id}",
        "path": "/items/7",
        "status": 200,
        "client_address": "127.0.0.1",
        "correlation_id": "order-42",
    }
    assert {name: known[name] for name in expected} == expected
    assert (unknown["path"], unknown["status"]) == ("/nowhere", 404)
    assert "hunter2" not in str((known, unknown))


@pytest.mark.parametrize("setting", [{}, {"AUDIT_LOGGING_ENABLED": "false"}], ids=["unset", "false"])
def test_nothing_when_off(start: Start, absent_port: int, setting: dict[str, str]) -> None:
    """Without the opt-in there is no audit, and a service without documents needs no MongoDB."""
    service = start(SOURCE, MONGODB_URL=f"mongodb://127.0.0.1:{absent_port}", **setting).wait_ready()
    service.http.get("/items/7")

    assert "mysingle_audit_records_total{" not in service.http.get("/metrics").text


def test_outage_and_shutdown_lose_nothing(start: Start, own_mongo: EmbeddedMongo) -> None:
    """Requests during an outage, and just before the end, are each stored once: after the recovery, at shutdown."""
    service = start(
        SOURCE,
        MONGODB_URL=own_mongo.url,
        AUDIT_LOGGING_ENABLED="true",
        MONGODB_SERVER_SELECTION_TIMEOUT_MS=500,
        MONGODB_TIMEOUT_MS=2000,
    ).wait_ready()
    own_mongo.kill()
    for number in range(200):
        assert service.http.get(f"/items/{number}").status_code == 200
    service.wait_until(lambda: service.logged("audit.retry"))
    own_mongo.start()
    service.wait_until(lambda: len(_records(own_mongo)) >= 200)
    for number in range(200, 300):
        service.http.get(f"/items/{number}")
    service.signal()
    code = service.wait()

    assert code == 0
    assert [record["path"] for record in _records(own_mongo)] == [f"/items/{number}" for number in range(300)]
    assert "Traceback" not in service.said


def _streams(mongo: EmbeddedMongo) -> set[str]:
    return {str(record["_id"]).rpartition(":")[0] for record in _records(mongo)}


def test_killed_services_leave_a_log_that_verifies(start: Start, own_mongo: EmbeddedMongo) -> None:
    """Two services that write one log at once, and are killed in the middle of it, leave streams that are intact."""
    variables = {"MONGODB_URL": own_mongo.url, "AUDIT_LOGGING_ENABLED": "true", "AUDIT_SIGNING_KEYS": "k" * 32}
    services = [start(SOURCE, **variables).wait_ready() for _ in range(2)]
    for number in range(300):
        services[number % 2].http.get(f"/items/{number}")
        if number == 200:
            services[0].wait_until(lambda: len(_streams(own_mongo)) == 2)
            services[0].signal(signal.SIGKILL)
            services[0].wait()
            services[0] = start(SOURCE, **variables).wait_ready()
    services[0].wait_until(lambda: len(_streams(own_mongo)) == 3)
    for service in services:
        service.signal(signal.SIGKILL)
        service.wait()
    command = [sys.executable, "-m", "mysingle", "audit", "verify", "--database", "audited_db", "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **variables}
    )
    report = json.loads(done.stdout)

    assert (done.returncode, report["verdict"], len(report["streams"])) == (0, "intact", 3)
    assert all(stream["key_id"] for stream in report["streams"])
    assert report["records"] == len(_records(own_mongo))
