"""WebSocket handshakes for uvicorn where no WebSocket library is installed: the handshake, and nothing after it."""

import asyncio
import json
from base64 import b64encode
from hashlib import sha1
from typing import Any
from urllib.parse import unquote

from mysingle._kernel.asgi import Message

__all__ = ["HandshakeProtocol"]

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SHORT = 125


class HandshakeProtocol(asyncio.Protocol):
    """
    Answers the upgrade of one connection: 101 when the app accepts, 403 when it does not.

    A refusal carries the code and the reason of the app's close message as JSON, so that a test can see them. After
    an acceptance the app's first short message is passed on, and the client counts as gone.
    """

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None) -> None:
        self._app = config.loaded_app
        self._root_path = config.root_path
        self._tasks = server_state.tasks
        self._state = app_state
        self._is_accepted = False
        self._hears = [{"type": "websocket.connect"}]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Take over a connection."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Run the app for the head of the request, which uvicorn has read and written again; ignore what follows."""
        if not data.startswith(b"GET ") or self._is_accepted:
            return
        first, *lines = data.removesuffix(b"\r\n\r\n").split(b"\r\n")
        pairs = (line.split(b": ", 1) for line in lines)
        task = asyncio.get_running_loop().create_task(self._run(first.split(b" ")[1], [(n, v) for n, v in pairs]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        raw_path, _, query = target.partition(b"?")
        self._key = dict(headers).get(b"sec-websocket-key", b"")
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "scheme": "ws",
            "server": self._transport.get_extra_info("sockname")[:2],
            "client": self._transport.get_extra_info("peername")[:2],
            "root_path": self._root_path,
            "path": self._root_path + unquote(raw_path.decode("ascii")),
            "raw_path": self._root_path.encode() + raw_path,
            "query_string": query,
            "headers": headers,
            "subprotocols": [],
            "state": dict(self._state),
            "extensions": {},
        }
        try:
            await self._app(scope, self._receive, self._send)
        finally:
            self._transport.close()

    async def _receive(self) -> Message:
        return self._hears.pop() if self._hears else {"type": "websocket.disconnect", "code": 1006}

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "websocket.accept":
                self._is_accepted = True
                self._accept(message.get("headers") or ())
            case "websocket.send":
                text = (message.get("text") or "").encode()[:_SHORT]
                self._transport.write(bytes((0x81, len(text))) + text)
            case "websocket.close" if not self._is_accepted:
                self._refuse(message)

    def _accept(self, headers: Any) -> None:
        accept = b64encode(sha1(self._key + _MAGIC, usedforsecurity=False).digest())
        lines = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade"]
        lines += [b"Sec-WebSocket-Accept: " + accept, *(name + b": " + value for name, value in headers)]
        self._transport.write(b"\r\n".join(lines) + b"\r\n\r\n")

    def _refuse(self, message: Message) -> None:
        body = json.dumps({"close": message.get("code", 1000), "code": message.get("reason") or ""}).encode()
        head = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        self._transport.write(head + b"Connection: close\r\n\r\n" + body)
