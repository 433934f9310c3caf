import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import StreamingResponse

from mysingle.auth import get_current_user_optional
from mysingle.core import get_logger
from mysingle.core.context import carry_context, current_context
from mysingle.core.logging import flush_logs

MakeApp = Callable[..., FastAPI]
Live = Callable[..., Any]

UUID7 = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
HEADERS = {"Correlation-Id": "order-42", "X-User-Id": "a11ce0000000000000000007"}
SEEN = ["order-42", "a11ce0000000000000000007"]


def _seen() -> list[str | None]:
    context = current_context()
    return [context.correlation_id, context.user_id]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"Correlation-Id": "a"}, "a", id="spec"),
        pytest.param({"X-Correlation-Id": "b"}, "b", id="x"),
        pytest.param({"X-Request-Id": "c"}, "c", id="request"),
        pytest.param({"Kong-Request-Id": "d#7"}, "d#7", id="kong"),
        pytest.param({"Kong-Request-Id": "d", "X-Request-Id": "c", "Correlation-Id": "a"}, "a", id="order"),
        pytest.param({"Correlation-Id": "not good", "X-Correlation-Id": "b"}, "b", id="first-valid"),
    ],
)
async def test_correlation_id_in_and_out(make_app: MakeApp, live: Live, headers: dict[str, str], expected: str) -> None:
    """The first valid correlation header counts, and the answer says it under both names."""
    async with live(make_app()) as client:
        answer = await client.get("/nowhere", headers=headers)

    assert answer.headers.get_list("correlation-id") == [expected]
    assert answer.headers.get_list("x-correlation-id") == [expected]


@pytest.mark.parametrize(
    "garbage",
    [b"", b" ", b"a b", b"x" * 129, b"a\tb", b'{"severity_text":"ERROR"}', b"\xff\xfe", b"<script>", b"%0d%0aevil"],
)
async def test_garbage_is_replaced(
    make_app: MakeApp, live: Live, log: Callable[[], Any], log_file: Any, garbage: bytes
) -> None:
    """An ill-formed correlation id is replaced by a UUIDv7, and never reaches the log."""
    async with live(make_app()) as client:
        answer = await client.get("/nowhere", headers={b"Correlation-Id": garbage})
    log()

    assert _is_uuid7(answer.headers["correlation-id"])
    assert not garbage.strip() or garbage not in log_file.read_bytes()


def _is_uuid7(text: str) -> bool:
    return re.fullmatch(UUID7, text) is not None


async def test_new_ids_differ(make_app: MakeApp, live: Live) -> None:
    """Each request without an id gets one of its own."""
    async with live(make_app()) as client:
        ids = {(await client.get("/nowhere")).headers["correlation-id"] for _ in range(50)}

    assert len(ids) == 50


async def test_async_and_sync_handlers(make_app: MakeApp, live: Live) -> None:
    """Handlers see the context of their request, on the loop, after an await, in a worker thread and beyond."""

    async def on_loop() -> list[Any]:
        before = _seen()
        await asyncio.sleep(0)
        return [before, _seen(), await asyncio.to_thread(_seen), await asyncio.create_task(_later())]

    def in_thread() -> list[Any]:
        with ThreadPoolExecutor(1) as pool:
            return [_seen(), pool.submit(carry_context(_seen)).result()]

    app = make_app()
    app.get("/async")(on_loop)
    app.get("/sync")(in_thread)
    async with live(app) as client:
        answers = [(await client.get(path, headers=HEADERS)).json() for path in ("/async", "/sync")]

    assert answers == [[SEEN] * 4, [SEEN] * 2]


async def _later() -> list[str | None]:
    await asyncio.sleep(0)
    return _seen()


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_background_tasks(make_app: MakeApp, live: Live, kind: str) -> None:
    """Work that goes on behind the answer belongs to the request."""
    seen: list[list[str | None]] = []

    async def on_loop() -> None:
        seen.append(_seen())

    def in_thread() -> None:
        seen.append(_seen())

    def handler(tasks: BackgroundTasks) -> None:
        tasks.add_task(on_loop if kind == "async" else in_thread)

    app = make_app()
    app.get("/later")(handler)
    async with live(app) as client:
        await client.get("/later", headers=HEADERS)

    assert seen == [SEEN]


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_streaming_answers(make_app: MakeApp, live: Live, kind: str) -> None:
    """Each piece of a streaming answer is made inside the context of its request."""

    async def on_loop() -> AsyncIterator[str]:
        for _ in range(3):
            await asyncio.sleep(0)
            yield f"{_seen()}\n"

    def in_thread() -> Any:
        for _ in range(3):
            yield f"{_seen()}\n"

    app = make_app()
    app.get("/stream")(lambda: StreamingResponse(on_loop() if kind == "async" else in_thread()))
    async with live(app) as client:
        answer = await client.get("/stream", headers=HEADERS)

    assert answer.text == f"{SEEN}\n" * 3


async def test_nothing_is_left_behind(make_app: MakeApp, live: Live) -> None:
    """After a request, and in a thread that nobody gave a context, there is none."""
    seen: list[list[str | None]] = []

    def handler() -> None:
        thread = threading.Thread(target=lambda: seen.append(_seen()))
        thread.start()
        thread.join()

    app = make_app()
    app.get("/work")(handler)
    async with live(app) as client:
        await client.get("/work", headers=HEADERS)
        seen.append(_seen())

    assert seen == [[None, None]] * 2


async def test_log_lines_carry_the_context(make_app: MakeApp, live: Live, log: Callable[[], Any]) -> None:
    """A line that a handler writes has the request's ids and user, and so has the access line."""
    app = make_app()
    app.get("/work")(lambda: get_logger("test").info("work.done"))
    async with live(app) as client:
        await client.get("/work", headers=HEADERS)

    lines = {record["body"]: record for record in log()}
    assert [[lines[body]["correlation_id"], lines[body]["user_id"]] for body in ("work.done", "http.request")] == [
        SEEN,
        SEEN,
    ]


async def test_log_lines_name_a_value_once(make_app: MakeApp, live: Live, log_file: Path) -> None:
    """No record has a key twice, which parsers of logs resolve in different ways."""
    app = make_app()
    app.get("/work")(lambda: get_logger("test").info("work.done"))
    async with live(app) as client:
        await client.get("/work", headers=HEADERS)
    flush_logs()

    records = [json.loads(line, object_pairs_hook=list) for line in log_file.read_text().splitlines()]
    keys = [[key for key, _ in record] for record in records]
    assert [key for names in keys for key in names if names.count(key) > 1] == []


async def test_deadline(make_app: MakeApp, live: Live) -> None:
    """A handler can ask how much time its request has left."""
    app = make_app({"HTTP_REQUEST_TIMEOUT_SECONDS": 30})
    app.get("/left")(lambda: current_context().seconds_left())
    async with live(app) as client:
        left = (await client.get("/left")).json()

    assert 25 < left <= 30


async def test_no_cross_talk(make_app: MakeApp, live: Live, call: Callable[..., Any], log: Callable[[], Any]) -> None:
    """10,000 requests of 200 concurrent users each see their own user and correlation id, everywhere, always."""
    app = make_app()
    logger = get_logger("test")

    async def on_loop(request: Request) -> list[Any]:
        user = get_current_user_optional(request)
        before = _seen()
        await asyncio.sleep(0)
        logger.info("work.done", marker=before[0])
        return [[before[0], user.id if user else None], before, _seen()]

    def in_thread(request: Request) -> list[Any]:
        user = get_current_user_optional(request)
        context = _seen()
        logger.info("work.done", marker=context[0])
        return [[context[0], user.id if user else None], context]

    app.get("/async")(on_loop)
    app.get("/sync")(in_thread)
    wrong: list[Any] = []

    async def one_user(number: int) -> None:
        user = f"{number:024x}"
        for turn in range(50):
            correlation_id = f"{number}.{turn}"
            path = "/sync" if (number + turn) % 10 == 0 else "/async"
            start, body = await call(app, path, x_user_id=user, correlation_id=correlation_id)
            answered = dict(start["headers"])[b"correlation-id"].decode()
            seen = json.loads(body["body"])
            if answered != correlation_id or any(ids != [correlation_id, user] for ids in seen):
                wrong.append((user, correlation_id, seen))

    async with live(app):
        await asyncio.gather(*(one_user(number) for number in range(1, 201)))

    lines = [record for record in log() if record["body"] in ("work.done", "http.request")]
    assert not wrong
    assert len(lines) == 20_000
    assert not [line for line in lines if int(line["correlation_id"].split(".")[0]) != int(line["user_id"], 16)]
    assert not [line for line in lines if line.get("marker", line["correlation_id"]) != line["correlation_id"]]
