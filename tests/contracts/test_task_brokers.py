"""Background tasks over every kind of Redis that can be a broker: inside TLS with a password, and behind Sentinel."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.conftest import Certificates, Guarded, Node, ask, inside_tls

from mysingle._kernel.call_identity import forget_service
from mysingle._kernel.settings import CommonSettings
from mysingle.tasks import create_celery_app
from mysingle.testing import running_worker

JOBS = Path(__file__).parents[1] / "tasks"
SECONDS = 30


async def _sum(monkeypatch: pytest.MonkeyPatch, **variables: Any) -> int:
    """Let a worker add two numbers, and return what it has found."""
    for name, value in {"ENVIRONMENT": "testing", **variables}.items():
        monkeypatch.setenv(name, str(value))
    app = create_celery_app("jobs-service", settings=CommonSettings(_env_file=None))

    def add() -> int:
        with running_worker("background_jobs:celery", cwd=JOBS):
            result: int = app.send_task("background_jobs.add", (1, 2)).get(timeout=SECONDS)
        return result

    try:
        return await asyncio.to_thread(add)
    finally:
        app.close()
        forget_service()


async def test_tls(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside of TLS, with a password of any signs."""
    with Node() as server:
        assert ask(server.port, "CONFIG", "SET", "requirepass", "p@ss/w:rd").startswith("+OK")
        async with inside_tls(server.port, certificates) as port:
            found = await _sum(
                monkeypatch,
                REDIS_HOST="localhost",
                REDIS_PORT=port,
                REDIS_PASSWORD="p@ss/w:rd",
                REDIS_TLS="true",
                REDIS_TLS_CA=certificates.authority,
            )

    assert found == 3


async def test_sentinel(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind Sentinel, where tasks and results go to the master."""
    nodes = f"127.0.0.1:{guarded.sentinel.port}"

    assert await _sum(monkeypatch, REDIS_MODE="sentinel", REDIS_NODES=nodes) == 3
