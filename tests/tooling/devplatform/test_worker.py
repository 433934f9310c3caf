"""A service with background tasks: its worker runs beside it, follows its edits, and ends with it."""

from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from tests.tooling.devplatform.conftest import STARTED, free_port, processes_of, running, wait_until

from mysingle.tooling.devplatform import read_stack
from mysingle.tooling.devplatform.errors import PlatformError

TASKS = """
from mysingle.tasks import create_celery_app

celery = create_celery_app("only")


@celery.task
def double(number: int) -> int:
    return 2 * number
"""
MAIN = """
import asyncio

from app.tasks import double
from mysingle.core import create_fastapi_app, create_service_config

app = create_fastapi_app(create_service_config("only", enable_database=False, public_paths=["/double/*"]))


@app.get("/double/{number}")
async def doubled(number: int) -> int:
    sent = await asyncio.to_thread(double.delay, number)
    return await asyncio.to_thread(sent.get, timeout=20)
"""
STACK = '[services.only]\nport = {port}\nworker = "app.tasks:celery"\n'
NO_MONGO = "mongodb://127.0.0.1:9"
"""A server that nobody needs: none is started, which makes a test quicker."""


def _ask(url: str) -> object:
    """Return what a task gives; nothing while the service is being replaced."""
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/double/3", timeout=30).json()
    return None


def test_worker(tmp_path: Path) -> None:
    """Tasks are run at once; after an edit they are run as they are written now; nothing is left at the end."""
    app = tmp_path / "only" / "app"
    app.mkdir(parents=True)
    for name, text in (("__init__", ""), ("tasks", TASKS), ("main", MAIN)):
        (app / f"{name}.py").write_text(text)
    (tmp_path / "mysingle.toml").write_text(STACK.format(port=free_port()))
    with running(tmp_path, MONGODB_URL=NO_MONGO) as platform:
        platform.wait_for(STARTED)
        url = platform.address("only")
        before = _ask(url)
        (app / "tasks.py").write_text(TASKS.replace("2 * number", "4 * number"))
        changed = wait_until(lambda: _ask(url) == 12)
        line = platform.wait_for("task.succeeded")
        code = platform.end()

    assert (before, changed, code) == (6, True, 0)
    assert line.startswith("only-worker")
    assert processes_of(tmp_path) == []


def test_wrong_worker(tmp_path: Path) -> None:
    """What is no Celery app is refused, with its place in the file."""
    (tmp_path / "only").mkdir()
    (tmp_path / "mysingle.toml").write_text('[services.only]\nworker = "tasks"\n')

    with pytest.raises(PlatformError, match=r"worker.*is no Celery app"):
        read_stack(tmp_path / "mysingle.toml")
