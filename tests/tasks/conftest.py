"""A real broker, the tasks of a service, and a real worker."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mysingle._kernel.call_identity import forget_service
from mysingle._kernel.settings import reset_settings
from mysingle.embedded import EmbeddedRedis
from mysingle.testing import running_worker

HERE = Path(__file__).parent
KEY = "a-key-that-only-this-service-has-0123456789"


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file that the worker writes its log to."""
    file = tmp_path_factory.mktemp("worker") / "log"
    file.touch()
    return file


@pytest.fixture(scope="module")
def variables(broker: EmbeddedRedis, log_file: Path) -> dict[str, str]:
    """Give the environment of the service: a broker, and a key that signs tasks."""
    return {
        "ENVIRONMENT": "testing",
        "REDIS_HOST": broker.host,
        "REDIS_PORT": str(broker.port),
        "GRPC_SERVICE_KEYS": KEY,
        "LOG_FILE": str(log_file),
    }


@pytest.fixture(scope="module")
def jobs(variables: dict[str, str]) -> Iterator[Any]:
    """Import the tasks as a web process would."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.syspath_prepend(str(HERE))
        reset_settings()
        module = importlib.import_module("background_jobs")
        yield module
        module.celery.close()
    del sys.modules["background_jobs"]
    forget_service()
    reset_settings()


@pytest.fixture(scope="module")
def worker(jobs: Any) -> Iterator[int]:
    """Run a worker of them, and give its process id."""
    with running_worker("background_jobs:celery", cwd=HERE, concurrency=2) as pid:
        yield pid
