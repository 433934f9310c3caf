import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from mysingle._kernel.errors import UnavailableError
from mysingle._kernel.settings import CommonSettings, set_settings
from mysingle.core import create_fastapi_app, create_service_config
from mysingle.database import get_redis_client, get_redis_manager
from mysingle.embedded import EmbeddedRedis

ALICE, BOB = {"X-User-Id": "a11ce0000000000000000001"}, {"X-User-Id": "b0b000000000000000000002"}


@pytest.fixture(scope="module")
def redis_server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


class Orders:
    """A service that counts what it has run."""

    def __init__(self, port: int) -> None:
        set_settings(
            CommonSettings(
                _env_file=None,
                ENVIRONMENT="testing",
                REDIS_HOST="127.0.0.1",
                REDIS_PORT=port,
                REDIS_TIMEOUT_SECONDS=10,
                REDIS_CONNECT_TIMEOUT_SECONDS=10,  # fifty connections at once, on a machine that may be busy
            )
        )
        self.runs: Counter[str] = Counter()
        self.gate = asyncio.Event()
        self.app = create_fastapi_app(create_service_config("order-service", enable_idempotency=True))
        self.app.add_api_route("/orders/{kind}", self.order, methods=["POST", "GET"])
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://test", headers=ALICE)

    async def order(self, kind: str, request: Request) -> Any:
        self.runs[kind] += 1
        await asyncio.sleep(0.1 if kind == "slow" else 0)
        if kind == "busy":
            raise UnavailableError("later", retry_after_seconds=1)
        if kind == "broken":
            raise RuntimeError("half way")
        if kind == "refused":
            raise HTTPException(403, "no")
        if kind == "large":
            return Response(b"x" * 2_000_000)
        if kind in ("after", "fails-after"):
            return Response("done", 201, background=BackgroundTask(self.after, kind))
        if kind == "stream":
            return StreamingResponse((bytes([number]) * 3 for number in range(250, 256)), 200)
        if kind == "empty":
            return Response(status_code=204)
        body = (await request.body()).decode()
        return Response(f"{self.runs[kind]} {body}", 201, {"X-Order": "7"}, "text/plain")

    async def after(self, kind: str) -> None:
        """Run when the reply has gone out."""
        if kind == "fails-after":
            raise RuntimeError("the mail server is away")
        await self.gate.wait()

    async def send(self, kind: str, key: str | None = "k", body: str = "buy", **options: Any) -> httpx.Response:
        headers = {**options.pop("headers", {}), **({"Idempotency-Key": key} if key is not None else {})}
        return await self.client.post(f"/orders/{kind}", content=body, headers=headers, **options)


@pytest.fixture
async def orders(redis_server: EmbeddedRedis) -> AsyncIterator[Orders]:
    made = Orders(redis_server.port)
    await (await get_redis_client(2)).flushall()
    yield made
    await made.client.aclose()
    await get_redis_manager().close()


async def test_parallel_duplicates(orders: Orders) -> None:
    """Two hundred duplicates at once run the handler once, and all get the same reply."""
    answers = await asyncio.gather(*(orders.send("slow") for _ in range(200)))

    assert orders.runs["slow"] == 1
    assert {(answer.status_code, answer.text, answer.headers["X-Order"]) for answer in answers} == {(201, "1 buy", "7")}
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 199


async def test_later_duplicate(orders: Orders) -> None:
    """A duplicate that comes later gets the kept reply with ids of its own."""
    first, second = await orders.send("one", '"quoted"'), await orders.send("one", "quoted")

    assert (first.text, second.text, orders.runs["one"]) == ("1 buy", "1 buy", 1)
    assert first.headers["Correlation-Id"] != second.headers["Correlation-Id"]
    assert len(second.headers.get_list("Correlation-Id")) == 1


@pytest.mark.parametrize(
    "options", [{"body": "sell"}, {"params": {"a": "1"}}, {"kind": "two"}], ids=["body", "query", "path"]
)
async def test_other_request(orders: Orders, options: dict[str, Any]) -> None:
    """The same key with another request is refused."""
    await orders.send("one")
    answer = await orders.send(options.pop("kind", "one"), **options)

    assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert orders.runs.total() == 1


async def test_keys_belong_to_a_user(orders: Orders) -> None:
    """Two users may choose the same key."""
    assert [(await orders.send("one", headers=who)).text for who in (ALICE, BOB)] == ["1 buy", "2 buy"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\x7f", '"'])
async def test_bad_key(orders: Orders, key: str) -> None:
    """A key that is none is refused before anything runs."""
    answer = await orders.send("one", key)

    assert (answer.status_code, answer.json()["code"]) == (400, "IDEMPOTENCY_KEY_INVALID")
    assert not orders.runs


async def test_without_key(orders: Orders) -> None:
    """Requests without a key, and those that only read, run every time."""
    await orders.send("one", None)
    await orders.send("one", None)
    for _ in range(2):
        await orders.client.get("/orders/one", headers={"Idempotency-Key": "k"})

    assert orders.runs["one"] == 4


@pytest.mark.parametrize(("kind", "status", "runs"), [("busy", 503, 2), ("broken", 500, 1), ("refused", 403, 1)])
async def test_errors(orders: Orders, kind: str, status: int, runs: int) -> None:
    """An error is kept like any reply, unless it asks to come back."""
    answers = [await orders.send(kind) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [status, status]
    assert answers[0].json()["code"] == answers[1].json()["code"]
    assert orders.runs[kind] == runs


async def test_duplicate_during_a_background_task(orders: Orders) -> None:
    """A reply is kept when it is complete; duplicates do not wait for what the service does afterwards."""
    first = asyncio.create_task(orders.send("after"))
    while not orders.runs["after"]:
        await asyncio.sleep(0.01)
    second = await asyncio.wait_for(orders.send("after"), 10)
    assert not first.done()
    orders.gate.set()

    assert [(answer.status_code, answer.text) for answer in (await first, second)] == [(201, "done")] * 2
    assert orders.runs["after"] == 1


async def test_background_task_that_fails(orders: Orders) -> None:
    """What fails after a reply does not change it: the first caller and its duplicates have the same one."""
    first, second = await orders.send("fails-after"), await orders.send("fails-after")

    assert [(answer.status_code, answer.text) for answer in (first, second)] == [(201, "done")] * 2
    assert orders.runs["fails-after"] == 1


@pytest.mark.parametrize("kind", ["stream", "empty"])
async def test_kinds_of_replies(orders: Orders, kind: str) -> None:
    """Streams of bytes and replies without a body come again as they were."""
    first, second = await orders.send(kind), await orders.send(kind)

    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert (second.headers["idempotency-replayed"], orders.runs[kind]) == ("true", 1)


async def test_large_reply(orders: Orders) -> None:
    """A reply that is too large to keep goes out, and its duplicates hear that it ran."""
    first, second = await orders.send("large"), await orders.send("large")

    assert (len(first.content), orders.runs["large"]) == (2_000_000, 1)
    assert (second.status_code, second.json()["code"]) == (409, "IDEMPOTENCY_REPLY_NOT_KEPT")


@pytest.mark.parametrize(
    "reply", [b"", b"\x80\x04N.", b"{}", b'{"v": 2}', b'{"v":1,"status":"x","headers":[],"body":""}']
)
async def test_damaged_record(orders: Orders, reply: bytes) -> None:
    """A kept reply that cannot be read never makes a request run again."""
    await orders.send("one")
    client = await get_redis_client(2)
    (key,) = await client.keys("idem:*")
    await client.hset(key, "reply", reply)
    answer = await orders.send("one")

    assert (answer.status_code, answer.json()["code"]) == (409, "IDEMPOTENCY_REPLY_NOT_KEPT")
    assert orders.runs["one"] == 1


async def test_without_redis(own_redis: EmbeddedRedis) -> None:
    """While Redis is away a request with a key is not run, and one without a key is."""
    orders = Orders(own_redis.port)
    own_redis.kill()
    refused = await orders.send("one")

    assert (refused.status_code, refused.json()["code"]) == (503, "IDEMPOTENCY_UNAVAILABLE")
    assert (await orders.send("one", None)).status_code == 201
    await orders.client.aclose()
    await get_redis_manager().close()


WORKER = """
import asyncio
from mysingle.core import create_fastapi_app, create_service_config
from mysingle.database import get_redis_client

app = create_fastapi_app(create_service_config("order-service", enable_idempotency=True))

@app.post("/orders/{kind}", status_code=201)
async def order(kind: str) -> str:
    client = await get_redis_client(8)
    runs = await client.incr(f"strategy:{kind}")
    if kind == "hanging":
        await asyncio.sleep(60)
    return f"run {runs}"
"""


def serve(folder: Path, redis_port: int) -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "worker.py").write_text(WORKER)
    environment = {**os.environ, "ENVIRONMENT": "testing", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis_port)}
    command = [sys.executable, "-m", "mysingle", "run", "worker:app", "--port", str(port)]
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL), f"http://127.0.0.1:{port}"


async def until_ready(url: str) -> None:
    async with asyncio.timeout(30), httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(f"{url}/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


async def test_worker_crash(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    """The record survives a worker that is killed: what was done is replayed, what was cut off never runs again."""
    headers = {**ALICE, "Idempotency-Key": "crash"}
    first, url = serve(tmp_path, redis_server.port)
    try:
        await until_ready(url)
        async with httpx.AsyncClient(timeout=60, headers=headers) as client:
            assert (await client.post(f"{url}/orders/done")).json() == "run 1"
            hanging = asyncio.create_task(client.post(f"{url}/orders/hanging", headers={"Idempotency-Key": "cut"}))
            await asyncio.sleep(1)
            first.send_signal(signal.SIGKILL)
            with pytest.raises(httpx.TransportError):
                await hanging
    finally:
        first.kill()
        first.wait()
    second, url = serve(tmp_path, redis_server.port)
    try:
        await until_ready(url)
        async with httpx.AsyncClient(timeout=60, headers=headers) as client:
            again = await client.post(f"{url}/orders/done")
            cut = await client.post(f"{url}/orders/hanging", headers={"Idempotency-Key": "cut"})
    finally:
        second.terminate()
        second.wait()

    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (201, "run 1", "true")
    assert (cut.status_code, cut.json()["code"]) == (409, "IDEMPOTENCY_OUTCOME_UNKNOWN")
