"""Apps in this process: their settings, their life, their log. Nothing here needs a server."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from mysingle.core import create_fastapi_app, create_service_config
from mysingle.core.config import CommonSettings, reset_settings, set_settings
from mysingle.core.logging import flush_logs, setup_logging
from mysingle.database import reset_redis_manager

Log = Callable[[], list[dict[str, Any]]]
Live = Callable[[FastAPI], AbstractAsyncContextManager[httpx.AsyncClient]]

USER = {"X-User-Id": "a11ce0000000000000000001"}


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    return tmp_path / "service.log"


@pytest.fixture
def configure(log_file: Path) -> Iterator[Callable[..., CommonSettings]]:
    """Give a function that sets the process's settings: explicit testing rules, and a log file of the test's own."""

    def apply(**values: Any) -> CommonSettings:
        chosen = {"ENVIRONMENT": "testing", "LOG_FILE": log_file, "_env_file": None} | values
        settings = CommonSettings(**{name: value for name, value in chosen.items() if value is not ...})
        set_settings(settings)
        return settings

    yield apply
    reset_redis_manager()
    reset_settings()
    setup_logging("tests", "CRITICAL")


@pytest.fixture
def log(log_file: Path) -> Log:
    """Give a function that returns what the app has logged so far."""

    def read() -> list[dict[str, Any]]:
        flush_logs()
        return [json.loads(line) for line in log_file.read_text().splitlines()] if log_file.exists() else []

    return read


@pytest.fixture
def make_app(configure: Callable[..., CommonSettings]) -> Callable[..., FastAPI]:
    """Give a function that makes an app; `settings` are environment variables, the rest is the configuration."""

    def make(settings: dict[str, Any] | None = None, **config: Any) -> FastAPI:
        configure(**(settings or {}))
        return create_fastapi_app(create_service_config(**{"service_name": "test-service"} | config))

    return make


class _AsServer:
    """Calls an app as a server does: each request gets a copy of the lifespan's state."""

    def __init__(self, app: FastAPI, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app({**scope, "state": dict(self._state)}, receive, send)


def client_of(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=USER)


@pytest.fixture
def live() -> Live:
    """Give a function that runs an app's lifespan and yields a logged-in client."""

    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
        async with app.router.lifespan_context(app) as state, client_of(_AsServer(app, dict(state or {}))) as client:
            yield client

    return run


@pytest.fixture
def unborn() -> Callable[[FastAPI], httpx.AsyncClient]:
    """Give a function that returns a client of an app whose lifespan nobody runs."""
    return client_of


@pytest.fixture
def call() -> Callable[..., Any]:
    """Give a function that calls an app with one GET and returns the messages it sent, an escaped error as the last."""

    async def call(app: Any, path: str, **headers: str) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(dict(message))

        named = {"x-user-id": USER["X-User-Id"]} | {n.replace("_", "-"): v for n, v in headers.items()}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        try:
            await app(scope, receive, send)
        except Exception as error:  # what the server would see
            sent.append({"type": f"raised {type(error).__name__}"})
        return sent

    return call
