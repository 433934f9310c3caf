"""A broker that goes away, and processes that are killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mysingle._kernel.errors import UnavailableError
from mysingle.embedded import EmbeddedRedis
from mysingle.testing import running_worker

HERE = Path(__file__).parent
SECONDS = 30

pytestmark = pytest.mark.xdist_group("tasks")


def _wait_for(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + SECONDS
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def _noted(jobs: Any, event: str) -> list[int]:
    with jobs.notes() as connection:
        lines = [line.split() for line in connection.lrange("notes", 0, -1)]
    return [int(pid) for name, pid in lines if name == event]


def test_resources_are_closed(jobs: Any, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is ended closes what its tasks have opened, after the task that runs."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with running_worker("background_jobs:celery", cwd=HERE):
        sent = jobs.wait.delay(0.5)
        _wait_for(lambda: _noted(jobs, "waiting"))

    assert sent.get(timeout=SECONDS) == "waited"
    assert _noted(jobs, "close") == _noted(jobs, "open")


def test_resource_is_away(jobs: Any, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A task whose resource is away when its process begins waits in the queue, and is run when it is there."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with jobs.notes() as connection:
        connection.set("away", 1)
        with running_worker("background_jobs:celery", cwd=HERE):
            sent = jobs.wait.delay(0)
            assert _wait_for(lambda: len(_noted(jobs, "away")) > 1)
            connection.delete("away")
            found = sent.get(timeout=SECONDS)

    assert found == "waited"


def test_periodic_tasks(jobs: Any, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A task of the schedule is sent by the process that does that, signed, and run by a worker; both end cleanly."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "mysingle", "worker", "background_jobs:celery", "--beat"]
    beat = subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        with running_worker("background_jobs:celery", cwd=HERE):
            runs = _wait_for(lambda: _noted(jobs, "periodic"))
    finally:
        beat.terminate()
        output, errors = beat.communicate(timeout=SECONDS)

    assert runs
    assert (beat.returncode, output) == (0, b""), errors  # its log is a file here, and there is no banner
    assert list(HERE.glob("celerybeat*")) == []


def test_process_is_killed(jobs: Any, worker: int) -> None:
    """A task whose process is killed fails, and the worker goes on with a new one."""
    before = _noted(jobs, "waiting")
    sent = jobs.wait.delay(60)
    pids = _wait_for(lambda: _noted(jobs, "waiting")[len(before) :])
    os.kill(pids[0], signal.SIGKILL)

    with pytest.raises(Exception, match="signal 9"):
        sent.get(timeout=SECONDS)
    assert worker not in pids
    assert jobs.add.delay(1, 2).get(timeout=SECONDS) == 3


async def test_broker_is_away(jobs: Any, broker: EmbeddedRedis, worker: int) -> None:
    """While the broker is away nothing can be sent, which is one clear error; afterwards the same worker goes on."""
    assert jobs.add.delay(1, 2).get(timeout=SECONDS) == 3
    broker.kill()
    for _ in range(3):
        with pytest.raises(UnavailableError, match="its broker does not answer"):
            await jobs.add.enqueue(1, 2)
    time.sleep(1)
    broker.start()
    task_id = await jobs.add.enqueue(3, 4)

    assert jobs.celery.AsyncResult(task_id).get(timeout=SECONDS) == 7
    os.kill(worker, 0)


async def test_broker_hangs(jobs: Any, broker: EmbeddedRedis, worker: int) -> None:
    """A broker that takes connections and says nothing holds nobody for ever."""
    assert jobs.add.delay(1, 2).get(timeout=SECONDS) == 3
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        with pytest.raises(UnavailableError, match="its broker does not answer"):
            await jobs.add.enqueue(1, 2)
    finally:
        os.kill(broker.pid, signal.SIGCONT)

    assert jobs.add.delay(3, 4).get(timeout=SECONDS) == 7
    os.kill(worker, 0)
