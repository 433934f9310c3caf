import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from mysingle._kernel.context import current_context
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.settings import CommonSettings
from mysingle.auth import AuthMiddleware

Headers = Iterable[tuple[str, str | bytes]]


class MakeSettings(Protocol):
    def __call__(self, **values: Any) -> CommonSettings: ...


@dataclass
class Answer:
    """What came back, and what the app inside saw; `scope` is None when the app was not reached."""

    messages: list[dict[str, Any]]
    scope: dict[str, Any] | None
    context_user: AuthenticatedUser | None
    refused: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def problem(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(b"".join(message.get("body", b"") for message in self.messages[1:]))
        return loaded

    @property
    def code(self) -> str:
        return "" if self.status < 400 else str(self.problem["code"])

    @property
    def user(self) -> AuthenticatedUser | None:
        assert self.scope is not None
        found: AuthenticatedUser | None = self.scope["state"]["user"]
        return found

    @property
    def seen_headers(self) -> dict[bytes, bytes]:
        assert self.scope is not None
        return dict(self.scope["headers"])


class Service:
    """A plain ASGI app behind the middleware, as in an app that `core` did not assemble."""

    def __init__(self, settings: CommonSettings, **options: Any) -> None:
        self.refused: list[str] = []
        self._reached: list[tuple[dict[str, Any], AuthenticatedUser | None]] = []
        self.middleware = AuthMiddleware(self._app, settings=settings, on_refused=self.refused.append, **options)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self._reached.append((scope, current_context().user))
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.accept"})

    async def call(self, headers: Headers = (), path: str = "/orders", kind: str = "http", **more: Any) -> Answer:
        raw = [
            (name.lower().encode(), value if isinstance(value, bytes) else value.encode("latin-1"))
            for name, value in headers
        ]
        scope = {"type": kind, "path": path, "headers": raw, **({"method": "GET"} if kind == "http" else {}), **more}
        messages: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            messages.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request"}

        self._reached.clear()
        self.refused.clear()
        await asyncio.create_task(self._run(scope, receive, send))
        reached, user = self._reached[0] if self._reached else (None, None)
        return Answer(messages, reached, user, list(self.refused))

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:
        await self.middleware(scope, receive, send)


class MakeService(Protocol):
    def __call__(self, *, options: dict[str, Any] | None = None, **values: Any) -> Service: ...


@pytest.fixture
def make_service(make_settings: MakeSettings) -> MakeService:
    """Give a function that builds a service from settings; `options` are the middleware's."""

    def make(*, options: dict[str, Any] | None = None, **values: Any) -> Service:
        return Service(make_settings(**values), service_name="my-service", **(options or {}))

    return make
