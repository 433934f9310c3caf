"""What a client may send and withhold, over raw sockets, on one real service with small limits."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("limits")

SOURCE = """
    import asyncio
    from collections.abc import AsyncIterator
    from fastapi import Request
    from fastapi.responses import StreamingResponse
    from mysingle.core import create_fastapi_app, create_service_config

    app = create_fastapi_app(create_service_config("limits", public_paths=["/echo", "/ignore", "/slow",
        "/stream", "/brief", "/cancelled", "/large"]))
    cancelled = []

    @app.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @app.post("/ignore")
    async def ignore() -> str:
        return "ignored"

    @app.get("/slow")
    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    @app.get("/cancelled")
    async def count() -> int:
        return len(cancelled)

    @app.get("/large")
    async def large(pieces: int) -> StreamingResponse:
        async def zeros() -> AsyncIterator[bytes]:
            for _ in range(pieces):
                yield bytes(20_000_000 // pieces)
        return StreamingResponse(zeros(), headers={"Content-Length": "20000000"})

    @app.get("/brief")
    async def brief() -> None:
        await asyncio.sleep(0.3)

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(4):
                yield str(number).encode()
                await asyncio.sleep(0.6)
        return StreamingResponse(pieces())
"""
MAX_BODY = 1000
REQUEST_SECONDS = 1.5
MARGIN = 3.0


@pytest.fixture(scope="module")
def service(start_shared: Callable[..., Any]) -> Any:
    return start_shared(
        SOURCE,
        HTTP_MAX_BODY_BYTES=MAX_BODY,
        HTTP_MAX_HEADER_BYTES=2000,
        HTTP_BODY_TIMEOUT_SECONDS=0.5,
        HTTP_REQUEST_TIMEOUT_SECONDS=REQUEST_SECONDS,
    ).wait_ready()


@contextmanager
def _connected(service: Any) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        yield connection


def _request(line: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join((f"{line} HTTP/1.1", "Host: localhost", *headers, "", "")).encode() + body


def _answer(connection: socket.socket) -> tuple[int, Any, HTTPResponse]:
    response = HTTPResponse(connection)
    try:
        response.begin()
        body = response.read()
    finally:
        response.close()
    return response.status, json.loads(body) if body else None, response


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param(["X-Big: " + "x" * 1500], 200, id="one-within"),
        pytest.param(["X-Big: " + "x" * 2000], 431, id="one-too-large"),
        pytest.param([f"X-{number}: {'x' * 90}" for number in range(25)], 431, id="sum-too-large"),
        pytest.param([f"X-{number}: 1" for number in range(99)], 200, id="as-many-as-allowed"),
        pytest.param([f"X-{number}: 1" for number in range(100)], 431, id="too-many"),
        pytest.param(["X-Huge: " + "x" * 500_000], 431, id="huge"),
    ],
)
def test_headers(service: Any, headers: list[str], status: int) -> None:
    """Headers beyond their size, or more than a hundred, are refused with 431 before anything else happens."""
    with _connected(service) as connection:
        connection.sendall(_request("GET /cancelled", *headers))
        answered, body, _ = _answer(connection)

    assert answered == status
    assert status == 200 or body["code"] == "HEADERS_TOO_LARGE"


def test_body_within(service: Any) -> None:
    """A body of exactly the limit is taken, and the connection goes on."""
    with _connected(service) as connection:
        for _ in range(2):
            connection.sendall(_request("POST /echo", f"Content-Length: {MAX_BODY}", body=b"x" * MAX_BODY))

            assert _answer(connection)[:2] == (200, MAX_BODY)


def test_declared_body_too_large(service: Any) -> None:
    """A body that declares too much is refused with 413 before a byte of it comes, and the connection ends."""
    with _connected(service) as connection:
        connection.sendall(_request("POST /echo", f"Content-Length: {MAX_BODY + 1}"))
        status, body, response = _answer(connection)

        assert (status, body["code"]) == (413, "BODY_TOO_LARGE")
        assert response.headers["connection"] == "close"
        assert _is_closed(connection)


def test_chunked_body_too_large(service: Any) -> None:
    """A body that grows beyond the limit without having declared it is refused with 413 where it does."""
    with _connected(service) as connection:
        connection.sendall(_request("POST /echo", "Transfer-Encoding: chunked"))
        for _ in range(3):
            connection.sendall(b"190\r\n" + b"x" * 400 + b"\r\n")
        status, body, _ = _answer(connection)

        assert (status, body["code"]) == (413, "BODY_TOO_LARGE")
        assert _is_closed(connection)


@pytest.mark.parametrize(
    ("header", "begin"),
    [
        pytest.param("Content-Length: 100", b"x" * 10, id="declared"),
        pytest.param("Transfer-Encoding: chunked", b"a\r\n" + b"x" * 10 + b"\r\n", id="chunked"),
        pytest.param("Content-Length: 100", b"", id="nothing-at-all"),
    ],
)
def test_body_that_never_ends(service: Any, header: str, begin: bytes) -> None:
    """A client that stops sending gets 408 within the bound for a piece, and the connection ends."""
    began = time.monotonic()
    with _connected(service) as connection:
        connection.sendall(_request("POST /echo", header, body=begin))
        status, body, _ = _answer(connection)

        assert (status, body["code"]) == (408, "BODY_TIMEOUT")
        assert time.monotonic() - began < 0.5 + MARGIN
        assert _is_closed(connection)


def test_body_that_drips(service: Any) -> None:
    """A client that sends a byte now and then, each in time, gets 408 within the bound for a request."""
    began = time.monotonic()
    with _connected(service) as connection:
        connection.sendall(_request("POST /echo", "Content-Length: 900"))
        connection.settimeout(0.2)
        status = None
        while status is None and time.monotonic() - began < 10:
            connection.sendall(b"x")
            try:
                status, body, _ = _answer(connection)
            except TimeoutError:
                continue

        assert (status, body["code"]) == (408, "BODY_TIMEOUT")
        assert time.monotonic() - began < REQUEST_SECONDS + MARGIN


@pytest.mark.parametrize("head", [b"GET /cancelled HT", b"GET /cancelled HTTP/1.1\r\nX-Header: "])
def test_head_that_never_ends(service: Any, head: bytes) -> None:
    """A client that stops in the middle of the head does not keep its connection beyond the bound for a request."""
    with _connected(service) as connection:
        connection.sendall(head)
        connection.settimeout(REQUEST_SECONDS + MARGIN)

        assert _is_closed(connection)


def test_body_that_nobody_reads(service: Any) -> None:
    """A handler that does not look at the body answers without waiting for it."""
    with _connected(service) as connection:
        connection.sendall(_request("POST /ignore", "Content-Length: 100"))

        assert _answer(connection)[:2] == (200, "ignored")


def test_handler_too_slow(service: Any) -> None:
    """A handler that takes too long is cancelled, and its caller gets a 504 problem within the bound."""
    before = service.http.get("/cancelled").json()
    began = time.monotonic()
    answer = service.http.get("/slow")

    assert (answer.status_code, answer.json()["code"]) == (504, "REQUEST_TIMEOUT")
    assert time.monotonic() - began < REQUEST_SECONDS + MARGIN
    assert service.http.get("/cancelled").json() == before + 1


def test_streaming_answer_is_not_cut(service: Any) -> None:
    """An answer that has begun in time may take longer than the limit."""
    assert service.http.get("/stream").text == "0123"


def test_client_that_leaves(service: Any) -> None:
    """A client that goes away is counted once, leaves nothing in flight, and no traceback."""
    with _connected(service) as connection:
        connection.sendall(_request("GET /brief"))
        time.sleep(0.1)
    service.wait_until(lambda: _metric(service, "http_server_request_duration_seconds_count", '"/brief"') == 1)

    assert _metric(service, "http_server_active_requests", '"GET"') == 0
    assert "Traceback" not in service.said
    assert service.answers("/ready")


@pytest.mark.parametrize("header", ["Content-Length: 30", "Transfer-Encoding: chunked"], ids=["declared", "chunked"])
def test_client_that_leaves_in_its_body(service: Any, header: str) -> None:
    """A client that goes away before its body is whole is counted as gone: no failure of the service, no traceback."""
    before = _metric(service, "http_server_request_duration_seconds_count", '"499"')
    with _connected(service) as connection:
        connection.sendall(_request("POST /echo", header) + b"3\r\nabc\r\n")
        time.sleep(0.1)
    service.wait_until(lambda: _metric(service, "http_server_request_duration_seconds_count", '"499"') == before + 1)

    assert "ClientDisconnect" not in service.said
    assert service.answers("/ready")


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", id="tls"),
        pytest.param(b"NONSENSE\r\n\r\n", id="no-http"),
        pytest.param(b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", id="negative-length"),
        pytest.param(b"POST /echo HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", id="smuggling"),
    ],
)
def test_garbage_on_the_wire(service: Any, garbage: bytes) -> None:
    """Bytes that are no HTTP end the connection with 400 and leave the service as it was."""
    with _connected(service) as connection:
        connection.sendall(garbage)
        received = connection.recv(1000)

    assert received.startswith(b"HTTP/1.1 400 ")
    assert service.answers("/ready")


def _metric(service: Any, name: str, part: str) -> float:
    lines = service.http.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name) and part in line)


def _take(connection: socket.socket, pause: float) -> int:
    taken = 0
    try:
        while piece := connection.recv(2_000_000):
            taken += len(piece)
            time.sleep(pause)
    except ConnectionResetError:
        pass
    return taken


@pytest.mark.parametrize("pieces", [1, 1000], ids=["at-once", "streamed"])
@pytest.mark.parametrize("keep_alive", ["close", "keep-alive"])
def test_client_that_never_reads(service: Any, pieces: int, keep_alive: str) -> None:
    """A client that takes nothing of its answer loses its connection, and the server the bytes."""
    with _connected(service) as connection:
        connection.sendall(_request(f"GET /large?pieces={pieces}", f"Connection: {keep_alive}"))
        time.sleep(2.0)

        assert _take(connection, 0) < 20_000_000


def test_client_that_reads_slowly(service: Any) -> None:
    """A client that takes something from time to time gets everything."""
    with _connected(service) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 500_000)
        connection.sendall(_request("GET /large?pieces=1", "Connection: close"))

        assert _take(connection, 0.15) > 20_000_000
