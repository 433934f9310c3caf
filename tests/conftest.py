"""What every test starts with: settings that nobody has read, no variables of the developer, a quiet log."""

import logging
import os
import sys
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
import structlog
from hypothesis import settings

from mysingle._kernel import context, lifecycle
from mysingle._kernel.settings import CommonSettings, reset_settings

settings.register_profile("mysingle", deadline=None, max_examples=50)  # a busy machine is no failure
settings.load_profile("mysingle")

FOREIGN = ("PROMETHEUS_MULTIPROC_DIR", "FORWARDED_ALLOW_IPS", "WEB_CONCURRENCY")
LIBRARIES = ("uvicorn", "uvicorn.error", "uvicorn.access", "pymongo", "asyncio", "httpcore", "httpx")


class MakeSettings(Protocol):
    """Makes settings from arguments and the environment; no `.env` file is read."""

    def __call__(self, **values: Any) -> CommonSettings: ...


def _belongs_to_settings(variable: str) -> bool:
    name = variable.upper().removesuffix("_FILE")
    return name in CommonSettings.model_fields or name.startswith("REDIS_DB_") or name in FOREIGN


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the variables of the machine that the settings would read."""
    for variable in list(os.environ):
        if _belongs_to_settings(variable):
            monkeypatch.delenv(variable)


@pytest.fixture(autouse=True)
def _clean_process(_clean_environment: None) -> Iterator[None]:
    """Put back what a process has once: settings, context, shared resources."""
    reset_settings()
    shared = dict(lifecycle._shared)
    token = context.enter(context.RequestContext())
    yield
    context.leave(token)
    redis = sys.modules.get("mysingle.database._redis")
    if redis is not None:
        redis.reset_redis_manager()
    lifecycle._shared.clear()
    lifecycle._shared.update(shared)
    reset_settings()


@pytest.fixture(autouse=True)
def _clean_logging() -> Iterator[None]:
    """Put back the loggers that `setup_logging` changes."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    loggers = [(logging.getLogger(name), logging.getLogger(name).__dict__.copy()) for name in LIBRARIES]
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for logger, state in loggers:
        logger.__dict__.update(state)
        logger.setLevel(state["level"])  # drops what the logger remembers about levels


@pytest.fixture
def make_settings() -> MakeSettings:
    """Give a function that makes settings without an `.env` file."""

    def make(**values: Any) -> CommonSettings:
        return CommonSettings(**{"_env_file": None, **values})

    return make
