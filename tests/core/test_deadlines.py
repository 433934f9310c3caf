import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

import anyio.to_thread
import httpx
import pytest
from fastapi import Depends, FastAPI

from mysingle.core import create_fastapi_app, create_service_config
from mysingle.core.config import CommonSettings, set_settings

USER = {"X-User-Id": "a11ce0000000000000000001"}
POOL = 4


def test_limit_works_in_every_event_loop() -> None:
    """An app that lives in a second event loop has its time limit there too."""
    set_settings(CommonSettings(_env_file=None, ENVIRONMENT="testing", HTTP_REQUEST_TIMEOUT_SECONDS=0.1))
    app = create_fastapi_app(create_service_config("my-service", public_paths=["/slow"]))

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(30)

    async def call() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return (await client.get("/slow")).status_code

    assert [asyncio.run(call()) for _ in range(2)] == [504, 504]


@pytest.fixture
def limited(make_app: Callable[..., FastAPI]) -> FastAPI:
    return make_app({"HTTP_REQUEST_TIMEOUT_SECONDS": 0.2})


class Stuck:
    """Sync work that goes on ten times as long as the limit, or until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.running = 0
        self.most = 0
        self._lock = threading.Lock()

    def work(self) -> None:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.let_go.wait(2)
        with self._lock:
            self.running -= 1


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    work = Stuck()
    yield work
    work.let_go.set()


def add_endpoint(app: FastAPI, stuck: Stuck) -> None:
    app.get("/stuck")(stuck.work)


def add_dependency(app: FastAPI, stuck: Stuck) -> None:
    @app.get("/stuck")
    async def endpoint(done: Annotated[None, Depends(stuck.work)]) -> None:
        return done


def add_generator(app: FastAPI, stuck: Stuck) -> None:
    def resource() -> Iterator[None]:
        stuck.work()
        yield

    @app.get("/stuck")
    async def endpoint(done: Annotated[None, Depends(resource)]) -> None:
        return done


@pytest.mark.parametrize("add", [add_endpoint, add_dependency, add_generator])
async def test_threads_stay_bounded(
    limited: FastAPI,
    live: Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]],
    stuck: Stuck,
    add: Callable[[FastAPI, Stuck], None],
) -> None:
    """Sync functions that never end cost their clients the time limit, and never more threads than the pool has."""
    add(limited, stuck)
    async with live(limited) as client:
        limiter = anyio.to_thread.current_default_thread_limiter()
        before, limiter.total_tokens = limiter.total_tokens, POOL
        try:
            answers = await asyncio.gather(*(client.get("/stuck", headers=USER) for _ in range(3 * POOL)))
            again = await client.get("/stuck", headers=USER)
        finally:
            stuck.let_go.set()
            limiter.total_tokens = before

    assert {answer.status_code for answer in (*answers, again)} == {504}
    assert stuck.most == POOL


async def test_handler_that_ignores_its_cancellation(
    limited: FastAPI, live: Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]], log: Callable[[], list[Any]]
) -> None:
    """The client is answered all the same, and what the handler sends later goes nowhere."""
    released = asyncio.Event()
    ended = asyncio.Event()

    @limited.get("/stubborn")
    async def stubborn() -> dict[str, str]:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue
        ended.set()
        return {"too": "late"}

    async with live(limited) as client:
        answering = asyncio.create_task(client.get("/stubborn", headers=USER))
        deadline = time.monotonic() + 10
        while not any(record["body"] == "request.abandoned" for record in log()) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        released.set()
        answer = await answering
        await asyncio.wait_for(ended.wait(), 5)
        next_answer = await client.get("/stubborn", headers=USER)

    assert answer.status_code == 504
    assert answer.json()["code"] == "REQUEST_TIMEOUT"
    assert next_answer.json() == {"too": "late"}
    assert [record["level"] for record in log() if record["body"] == "request.failed"] == []


async def test_streams_are_not_limited(
    limited: FastAPI, live: Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
) -> None:
    """An answer that has begun in time may take as long as it likes."""
    from fastapi.responses import StreamingResponse

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x"
            await asyncio.sleep(0.2)

    @limited.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(pieces())

    async with live(limited) as client:
        assert (await client.get("/stream", headers=USER)).content == b"xxxx"


async def test_deadline_ends_with_the_wait(
    limited: FastAPI, live: Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
) -> None:
    """A handler has a deadline; a background task, which may go on after it, has none."""
    from fastapi import BackgroundTasks

    from mysingle.core.context import current_context

    seen: list[float | None] = []

    @limited.get("/later")
    async def later(tasks: BackgroundTasks) -> None:
        seen.append(current_context().deadline)
        tasks.add_task(lambda: seen.append(current_context().deadline))

    async with live(limited) as client:
        await client.get("/later", headers=USER)

    assert [deadline is None for deadline in seen] == [False, True]
