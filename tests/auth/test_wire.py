"""What bytes on a real connection become: the same rules, whatever the server makes of them."""

import asyncio
import importlib.util
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

from mysingle.auth import AuthMiddleware

ID = b"507f1f77bcf86cd799439011"
KEY = "a-gateway-key-of-this-test-suite-only"
Talk = Callable[..., tuple[int, Any]]
SERVERS = ["h11", "httptools"]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with who is calling."""
    assert scope["type"] in ("http", "websocket")
    body = json.dumps({"id": scope["state"]["user"].id, "su": scope["state"]["user"].is_superuser}).encode()
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(params=SERVERS)
def talk(request: Any, make_settings: Any) -> Iterator[Talk]:
    """Give a function that sends raw header lines to a server of that kind, and returns status and body."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed; with it the same rows hold")
    settings = make_settings(ENVIRONMENT="production", GATEWAY_HMAC_KEYS=KEY)
    layer = AuthMiddleware(app, settings=settings, service_name="my-service")
    options = {"interface": "asgi3", "lifespan": "off", "log_level": "critical", "access_log": False}
    config = uvicorn.Config(layer, http=request.param, **options)
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)

    def send(*lines: bytes, separator: bytes = b"\r\n") -> tuple[int, Any]:
        head = separator.join([b"GET /orders HTTP/1.1", b"Host: a", *lines])
        with socket.create_connection(listener.getsockname(), timeout=10) as connection:
            connection.sendall(head + b"\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
        status, _, body = answer.split(b" ", 2)[1], *answer.partition(b"\r\n\r\n")[1:]
        return int(status), json.loads(body) if body.startswith(b"{") else body

    yield send
    server.should_exit = True
    thread.join(20)


def signed(gateway: Any, *, value: bytes = ID, seen: bytes | None = None, **identity: str) -> list[bytes]:
    """Sign one value for the id and send another one: what the server should make of it."""
    now = str(int(time.time()))
    headers = gateway.sign({"X-User-Id": seen or value, **identity}, timestamp=now)
    raw = [(name.encode(), text if isinstance(text, bytes) else text.encode()) for name, text in headers]
    return [b"%s: %s" % (name, value if name == b"X-User-Id" else text) for name, text in raw]


def test_good(talk: Talk, gateway: Any) -> None:
    """A signed request is believed."""
    assert talk(*signed(gateway)) == (200, {"id": ID.decode(), "su": False})


def test_spoofed(talk: Talk) -> None:
    """A01: an unsigned one is not."""
    status, problem = talk(b"X-User-Id: " + ID, b"X-User-Superuser: true")

    assert (status, problem["code"]) == (401, "GATEWAY_PROOF_MISSING")


def test_trailing_tab(talk: Talk, gateway: Any) -> None:
    """A12: a trailing tab never makes another user; a server that keeps it has to have got it from the gateway."""
    trimmed, _ = talk(*signed(gateway, value=ID + b"\t", seen=ID))
    kept, _ = talk(*signed(gateway, value=ID + b"\t", seen=ID + b"\t"))

    assert sorted((trimmed, kept)) == [200, 401]


@pytest.mark.parametrize("byte", [b"\r", b"\x00", b"\x0b"], ids=["CR", "NUL", "VT"])
def test_control_bytes(byte: bytes, talk: Talk, gateway: Any) -> None:
    """A14: the server refuses a control byte in a header, or the request is malformed; nobody gets in."""
    status, _ = talk(*signed(gateway, value=ID + byte + b"X-User-Superuser: true", seen=ID))

    assert status in (400, 401)


@pytest.mark.parametrize(
    "injected",
    [
        b"\nX-User-Superuser: true",
        b"\n X-User-Superuser: true",
        b"\r\n true",
        b"\r\n\ttrue",
        b"\nX-User-Id: " + b"f" * 24,
    ],
    ids=["line", "folded by LF", "folded", "folded with tab", "second id"],
)
def test_bare_line_feed(injected: bytes, talk: Talk, gateway: Any) -> None:
    """A14: a header that a bare line feed makes, or a folded one, is not covered by the signature."""
    status, problem = talk(*signed(gateway, value=ID + injected, seen=ID))

    assert status in (400, 401)
    if status == 401:
        assert problem["code"] == "GATEWAY_PROOF_INVALID"


@pytest.mark.parametrize("line", [b"X-User-Id : " + ID, b"X-User-Id\x00: " + ID, b" X-User-Id: " + ID])
def test_ill_formed_names(line: bytes, talk: Talk) -> None:
    """A header whose name is ill-formed is refused by the server, or is nobody's."""
    status, _ = talk(line)

    assert status in (400, 401)


@pytest.mark.parametrize("name", [b"X_User_Id", b"x_user-id", b"X-User_Superuser"])
def test_look_alikes(name: bytes, talk: Talk, gateway: Any) -> None:
    """A look-alike beside a valid signature is malformed, and without one it tells a stranger nothing."""
    with_proof = talk(*signed(gateway), name + b": true")
    without = talk(name + b": true")

    assert (with_proof[0], with_proof[1]["code"]) == (400, "GATEWAY_HEADER_MALFORMED")
    assert (without[0], without[1]["code"]) == (401, "GATEWAY_PROOF_INVALID")


def test_replay(talk: Talk, gateway: Any) -> None:
    """A06: the same bytes count once."""
    lines = signed(gateway)
    first, second = talk(*lines), talk(*lines)

    assert first[0] == 200
    assert (second[0], second[1]["code"]) == (401, "GATEWAY_PROOF_REPLAYED")


def test_websocket(talk: Talk, gateway: Any) -> None:
    """A25: an upgrade with spoofed headers is refused before it is accepted."""
    upgrade = (
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    status, _ = talk(*upgrade, b"X-User-Id: " + ID, b"X-User-Superuser: true")

    assert status in (401, 403)
