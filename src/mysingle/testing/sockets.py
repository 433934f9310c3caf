"""A WebSocket of an app in the process of its tests, without a network."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from mysingle._kernel.asgi import Message

__all__ = ["TestSocket", "WebSocketRefusedError", "websocket"]


class WebSocketRefusedError(Exception):
    """The app did not accept the WebSocket, or has closed it; `code` and `reason` say why."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"closed with {code} {reason}".rstrip())


class TestSocket:
    """The client's end of a WebSocket that the app has accepted; `subprotocol` is the one that it has chosen."""

    __test__ = False

    def __init__(self, to_app: asyncio.Queue[Message], from_app: asyncio.Queue[Message]) -> None:
        self._to_app = to_app
        self._from_app = from_app
        self.subprotocol: str | None = None

    async def send_text(self, text: str) -> None:
        """Send one message."""
        await self._to_app.put({"type": "websocket.receive", "text": text})

    async def send_json(self, value: Any) -> None:
        """Send one message, a JSON text."""
        await self.send_text(json.dumps(value))

    async def receive_text(self) -> str:
        """
        Return the next message.

        Raises:
            WebSocketRefusedError: the app has closed the WebSocket.
        """
        message = await self.next_message()
        return str(message["text"] if message.get("text") is not None else message["bytes"].decode())

    async def receive_json(self) -> Any:
        """Return what the next message holds, a JSON text; raises like `receive_text`."""
        return json.loads(await self.receive_text())

    async def next_message(self) -> Message:
        """Return the next ASGI message of the app; raises like `receive_text`."""
        message = await self._from_app.get()
        if message["type"] == "websocket.close":
            raise WebSocketRefusedError(message.get("code", 1000), message.get("reason") or "")
        return message


@asynccontextmanager
async def websocket(
    app: FastAPI,
    path: str,
    *,
    auth: httpx.Auth | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_seconds: float = 10.0,
) -> AsyncIterator[TestSocket]:
    """
    Open a WebSocket of an app whose lifespan runs already, for example in `running`.

    `async with websocket(app, "/prices", auth=as_user()) as socket: await socket.receive_json()`.

    Args:
        app: the app.
        path: with a query, if it needs one.
        auth: who is calling, from `as_user`.
        headers: further headers of the handshake.
        timeout_seconds: for the handshake, and for the app to end after the client has gone.

    Raises:
        WebSocketRefusedError: the app refuses the handshake.
    """
    to_app, from_app = asyncio.Queue[Message](), asyncio.Queue[Message]()
    scope = _scope(path, auth, headers)
    task = asyncio.create_task(_run(app, scope, to_app, from_app))
    try:
        await to_app.put({"type": "websocket.connect"})
        socket = TestSocket(to_app, from_app)
        async with asyncio.timeout(timeout_seconds):
            accepted = await socket.next_message()
        socket.subprotocol = accepted.get("subprotocol")
        yield socket
    finally:
        await to_app.put({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait([task], timeout=timeout_seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _scope(path: str, auth: httpx.Auth | None, headers: Mapping[str, str] | None) -> dict[str, Any]:
    request = httpx.Request("GET", httpx.URL("http://test").join(path), headers=headers)
    request = next(auth.auth_flow(request)) if auth is not None else request
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "ws",
        "server": ("test", 80),
        "client": ("127.0.0.1", 123),
        "root_path": "",
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "subprotocols": [],
        "state": {},
        "extensions": {},
    }


async def _run(
    app: FastAPI, scope: dict[str, Any], to_app: asyncio.Queue[Message], from_app: asyncio.Queue[Message]
) -> None:
    """Run the app; when it fails or ends, the client hears of it."""
    try:
        await app(scope, to_app.get, from_app.put)
    finally:
        await from_app.put({"type": "websocket.close", "code": 1006})
