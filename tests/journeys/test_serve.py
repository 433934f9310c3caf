"""The life of a served process: it starts in front of its listener, drains behind `/ready`, and always ends."""

import contextlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pymongo
import pytest

from mysingle.embedded import EmbeddedMongo

WORKER = """
    import asyncio
    from mysingle.core import create_fastapi_app, create_service_config

    app = create_fastapi_app(create_service_config("worker"))

    @app.get("/slow/{seconds}")
    async def slow(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"
"""
ALICE = "a11ce0000000000000000001"
MARGIN = 4.0  # for a noisy machine; the bound itself is drain + grace + 1 s

Start = Callable[..., Any]


def test_probes_answer_before_mongodb_does(start: Start, notes: Callable[..., str], own_mongo: EmbeddedMongo) -> None:
    """While MongoDB is absent probes answer and work is refused; when it appears the service becomes ready."""
    own_mongo.kill()
    service = start(notes(), MONGODB_URL=own_mongo.url)
    service.wait_until(lambda: service.answers("/health"))
    before = {path: service.http.get(path).status_code for path in ("/health", "/live", "/ready", "/startup")}
    metrics = service.http.get("/metrics").status_code
    refused = service.http.get("/notes")
    own_mongo.start()
    service.wait_ready()

    assert before == {"/health": 200, "/live": 200, "/ready": 503, "/startup": 503}
    assert metrics == 200
    assert (refused.status_code, refused.json()["code"]) == (503, "SERVICE_STARTING")
    assert service.http.get("/startup").status_code == 200
    assert service.http.get("/notes").json() == 0
    assert "Traceback" not in service.said


@pytest.mark.parametrize("shared", [False, True], ids=["own-socket", "shared-socket"])
def test_mongodb_never_appears(
    start: Start, notes: Callable[..., str], absent_port: int, listener: socket.socket, shared: bool
) -> None:
    """Without MongoDB the process ends with 1 within the time for start-up, with one clear line and no credentials."""
    service = start(
        notes(),
        **(_sharing(listener) if shared else {}),
        MONGODB_URL=f"mongodb://root:hunter2@127.0.0.1:{absent_port}",
        STARTUP_TIMEOUT_SECONDS=1,
        MONGODB_SERVER_SELECTION_TIMEOUT_MS=500,
    )
    code = service.wait(2 + MARGIN + 4)

    failures = service.logged("service.start_failed")
    assert code == 1
    assert len(failures) == 1
    assert f"MongoDB at 127.0.0.1:{absent_port} is not reachable within 1 s" in failures[0]["reason"]
    assert "Traceback" not in service.said
    assert "hunter2" not in service.said


@pytest.mark.parametrize("shared", [False, True], ids=["own-socket", "shared-socket"])
def test_unsafe_settings_end_the_process(start: Start, listener: socket.socket, shared: bool) -> None:
    """Unsafe settings end the process with 1 and one line, behind which it announces nothing; no value is shown."""
    sharing = _sharing(listener) if shared else {}
    service = start(WORKER, **sharing, ENVIRONMENT="production", REDIS_PASSWORD="changeme-now")
    code = service.wait()

    (failure,) = service.logged("service.start_failed")
    reason = failure["reason"]
    assert code == 1
    assert "service.listening" not in service.said.partition("service.start_failed")[2]
    assert "REDIS_PASSWORD" in reason
    assert "GATEWAY_TRUST" in reason
    assert "Traceback" not in service.said
    assert "changeme-now" not in service.said


def test_metrics_directory_that_is_not_there(start: Start, tmp_path: Path) -> None:
    """A directory for the metrics of several workers that does not exist is one line, not a traceback."""
    service = start(WORKER, PROMETHEUS_MULTIPROC_DIR=tmp_path / "absent")

    assert service.wait() == 2
    assert "PROMETHEUS_MULTIPROC_DIR: No such file or directory" in service.said
    assert "Traceback" not in service.said


GIVES_UP = """
    import sys
    from contextlib import asynccontextmanager
    from mysingle.core import create_fastapi_app, create_service_config

    @asynccontextmanager
    async def lifespan(app):
        sys.exit("no broker")
        yield

    app = create_fastapi_app(create_service_config("gives-up", lifespan=lifespan))
"""


@pytest.mark.parametrize("server", ["own-socket", "shared-socket", "uvicorn"])
def test_lifespan_that_exits(start: Start, listener: socket.socket, server: str) -> None:
    """A lifespan that calls `sys.exit` ends the process with a failure, and its words are in the log."""
    uvicorn = (sys.executable, "-m", "uvicorn", "main:app", "--port", "{port}")
    ways = {"own-socket": {}, "shared-socket": _sharing(listener), "uvicorn": {"command": uvicorn}}
    service = start(GIVES_UP, **ways[server])

    assert service.wait() not in (0, -signal.SIGTERM)
    assert "SystemExit: no broker" in service.said


PIPELINED = """
    from fastapi import Request
    from mysingle.core import create_fastapi_app, create_service_config, current_context

    class Outer:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            if scope["type"] == "http":
                scope["state"]["outside"] = current_context().correlation_id
            await self.app(scope, receive, send)

    app = create_fastapi_app(create_service_config("pipelined", public_paths=["/outside"]))
    app.add_middleware(Outer)

    @app.get("/outside")
    async def outside(request: Request):
        return {"outside": request.state.outside}
"""


def test_pipelined_requests_start_afresh(start: Start) -> None:
    """Requests that come at once on one connection share nothing, not even outside of the context layer."""
    service = start(PIPELINED).wait_ready()
    request = b"GET /outside HTTP/1.1\r\nHost: localhost\r\nCorrelation-Id: first\r\n%s\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(request % b"" + request % b"Connection: close\r\n")
        with connection.makefile("rb") as answers:
            received = answers.read()

    assert received.count(b'{"outside":null}') == 2


ECHO = """
    from fastapi import WebSocket
    from mysingle.core import create_fastapi_app, create_service_config

    app = create_fastapi_app(create_service_config("echo"))

    @app.websocket("/echo")
    async def echo(socket: WebSocket):
        await socket.accept()
        await socket.send_text(socket.state.user.id)
"""


@pytest.mark.parametrize(
    ("identity", "status", "message"),
    [(f"X-User-Id: {ALICE}\r\n", b"101", ALICE.encode()), ("", b"403", b"")],
    ids=["alice", "nobody"],
)
def test_websocket(start: Start, identity: str, status: bytes, message: bytes) -> None:
    """What the extra `web` installs speaks WebSocket too, behind the same authentication."""
    service = start(ECHO).wait_ready()
    handshake = (
        f"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{identity}"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(handshake.encode())
        with connection.makefile("rb") as answer:
            head = [answer.readline()]
            while head[-1] not in (b"\r\n", b""):
                head.append(answer.readline())
            received = answer.read(2 + len(message))[2:] if message else b""

    assert head[0].split()[1] == status
    assert received == message


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_drain(start: Start, number: int) -> None:
    """A signal turns `/ready` to 503 while work goes on for the drain delay; work in flight ends; the code is 0."""
    service = start(WORKER, DRAIN_DELAY_SECONDS=1.5, SHUTDOWN_GRACE_SECONDS=5).wait_ready()
    in_flight = _in_background(lambda: httpx.get(f"{service.url}/slow/3", headers=service.http.headers, timeout=20))
    service.wait_until(
        lambda: (
            'http_server_active_requests{http_request_method="GET",url_scheme="http"} 1.0'
            in service.http.get("/metrics").text
        )
    )
    began = time.monotonic()
    service.signal(number)
    service.wait_until(lambda: service.answers("/ready", 503))
    noticed_after = time.monotonic() - began
    while_draining = [service.http.get("/slow/0") for _ in range(5)]
    alive = [service.http.get(path).status_code for path in ("/health", "/live", "/startup")]
    code = service.wait(1.5 + 5 + 1 + MARGIN)
    took = time.monotonic() - began

    assert noticed_after < 1
    assert [answer.status_code for answer in while_draining] == [200] * 5
    assert {answer.headers["connection"] for answer in while_draining} == {"close"}
    assert alive == [200] * 3
    assert in_flight().status_code == 200
    assert code == 0
    assert took >= 1.5
    assert service.logged("service.stopped")


def test_grace_is_bounded(start: Start) -> None:
    """Work that does not end within the grace is given up, and the process still ends in order."""
    service = start(WORKER, DRAIN_DELAY_SECONDS=0, SHUTDOWN_GRACE_SECONDS=1).wait_ready()
    _in_background(lambda: httpx.get(f"{service.url}/slow/60", headers=service.http.headers, timeout=20))
    service.wait_until(lambda: 'url_scheme="http"} 1.0' in service.http.get("/metrics").text)
    service.signal()

    assert service.wait(1 + 1 + MARGIN) == 0
    assert service.logged("service.stopped")


def test_second_signal_ends_the_delay(start: Start) -> None:
    """A second signal ends the drain delay; it does not kill."""
    service = start(WORKER, DRAIN_DELAY_SECONDS=60).wait_ready()
    service.signal()
    service.wait_until(lambda: service.answers("/ready", 503))
    service.signal()

    assert service.wait(1 + MARGIN) == 0
    assert service.logged("service.stopped")


def test_third_signal_ends_the_waiting(start: Start) -> None:
    """A third signal ends the wait for work in flight."""
    service = start(WORKER, DRAIN_DELAY_SECONDS=60, SHUTDOWN_GRACE_SECONDS=60).wait_ready()
    _in_background(lambda: httpx.get(f"{service.url}/slow/60", headers=service.http.headers, timeout=20))
    service.wait_until(lambda: 'url_scheme="http"} 1.0' in service.http.get("/metrics").text)
    for _ in range(3):
        service.signal()
        time.sleep(0.3)

    assert service.wait(1 + MARGIN) == 0


@pytest.mark.parametrize("shared", [False, True], ids=["own-socket", "shared-socket"])
def test_signal_during_start_up(
    start: Start, notes: Callable[..., str], absent_port: int, listener: socket.socket, shared: bool
) -> None:
    """A signal that comes while the service still waits for MongoDB ends it at once, without a traceback."""
    service = start(notes(), **(_sharing(listener) if shared else {}), MONGODB_URL=f"mongodb://127.0.0.1:{absent_port}")
    service.wait_until(lambda: service.logged("service.starting"))
    time.sleep(0.3)
    service.signal()

    assert service.wait(1 + MARGIN) == 0
    assert "Traceback" not in service.said


@pytest.mark.parametrize(
    ("line", "expected"),
    [("", "203.0.113.9"), ("FORWARDED_ALLOW_IPS=192.0.2.1", "127.0.0.1")],
    ids=["loopback", "another-proxy"],
)
def test_client_address(start: Start, tmp_path: Path, line: str, expected: str) -> None:
    """The address of a client is the proxy's word where FORWARDED_ALLOW_IPS names the proxy, in `.env` too."""
    (tmp_path / ".env").write_text(f"{line}\n")
    service = start(WORKER).wait_ready()
    service.http.get("/slow/0", headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9"})
    service.wait_until(lambda: any(item.get("url.path") == "/slow/0" for item in service.logged("http.request")))

    asked = [item for item in service.logged("http.request") if item["url.path"] == "/slow/0"]
    assert [expected] == [item["client.address"] for item in asked]


def test_plain_uvicorn(start: Start) -> None:
    """`uvicorn main:app` serves the same app: ready after start-up, closed in order on SIGTERM, without a drain."""
    service = start(WORKER, command=(sys.executable, "-m", "uvicorn", "main:app", "--port", "{port}")).wait_ready()
    answer = service.http.get("/slow/0")
    service.signal()
    service.wait()

    assert answer.json() == "done"
    assert service.logged("service.stopped")
    assert "Traceback" not in service.said


def test_free_port(start: Start) -> None:
    """Port 0 takes a free port and the log says which."""
    service = start(WORKER, command=(*RUN, "--port", "0"))
    service.wait_until(lambda: service.logged("service.listening"))
    url = service.logged("service.listening")[0]["url"]

    assert httpx.get(f"{url}/health").status_code == 200


def test_service_without_documents_creates_nothing(start: Start, mongo: EmbeddedMongo) -> None:
    """A NON_IAM service creates the collections of its documents and no others: no users, no accounts, no audit."""
    source = """
        from beanie import Document
        from mysingle.core import create_fastapi_app, create_service_config

        class Only(Document):
            text: str

        app = create_fastapi_app(create_service_config("tidy"), [Only])
    """
    start(source, MONGODB_URL=mongo.url).wait_ready()
    with pymongo.MongoClient(mongo.url) as client:
        found = client["tidy_db"].list_collection_names()

    assert set(found) <= {"Only"}


RUN = (sys.executable, "-c", "from mysingle.cli import main; main()", "run", "main:app")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def _sharing(listener: socket.socket) -> dict[str, Any]:
    return {"command": (*RUN, "--fd", str(listener.fileno())), "fds": (listener.fileno(),)}


def _in_background(call: Callable[[], httpx.Response]) -> Callable[[], httpx.Response]:
    """Begin a call in a thread; the function returned waits for its answer."""
    answers: list[httpx.Response] = []

    def run() -> None:
        with contextlib.suppress(httpx.TransportError):
            answers.append(call())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result() -> httpx.Response:
        thread.join(20)
        return answers[0]

    return result
