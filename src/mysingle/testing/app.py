"""A service in the process of its tests: its lifespan runs, and a client calls it without a network."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

__all__ = ["running"]


@asynccontextmanager
async def running(app: FastAPI, **client_options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """
    Run an app's lifespan and yield a client of it; errors come back as the answers that callers would see.

    `async with running(app, auth=as_user()) as client: await client.get("/items")`. The app opens what it needs when
    the block begins, in the event loop of the caller, and closes it when the block ends.
    """
    async with app.router.lifespan_context(app) as state:
        transport = httpx.ASGITransport(_AsServer(app, dict(state or {})), raise_app_exceptions=False)
        options = {"base_url": "http://test", **client_options}
        async with httpx.AsyncClient(transport=transport, **options) as client:
            yield client


class _AsServer:
    """Calls an app as a server does: each request gets a copy of the lifespan's state."""

    def __init__(self, app: FastAPI, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app({**scope, "state": dict(self._state)}, receive, send)
