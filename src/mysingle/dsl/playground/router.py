"""The routes of the playground: one page, and what it asks for."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread
from fastapi import APIRouter, FastAPI, Response

from mysingle._kernel.errors import NotFoundError, UnavailableError
from mysingle._kernel.settings import CommonSettings, get_settings
from mysingle.dsl.engine.budget import CancelToken
from mysingle.dsl.lsp import functions_document
from mysingle.dsl.playground import work
from mysingle.dsl.playground.gallery import gallery
from mysingle.dsl.playground.requests import CheckRequest, ExplainRequest, RunRequest, SweepRequest

__all__ = ["PAGE_PATH", "create_playground_router", "is_enabled"]

PAGE_PATH: Final = "/dsl/playground"
_AT_ONCE: Final = 4
_WAITING: Final = 32
_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
Asked = TypeVar("Asked")
Work = Callable[[Asked, work.Pool, CancelToken], dict[str, Any]]


def is_enabled(settings: CommonSettings) -> bool:
    """Tell whether there is a playground: in development and tests, elsewhere only when the settings ask for it."""
    return settings.is_relaxed or settings.DSL_PLAYGROUND_ENABLED


def create_playground_router(settings: CommonSettings | None = None) -> APIRouter:
    """
    Return the routes of the playground, below `/dsl`; none at all where it is not enabled.

    Strangers may use it: programs run with the gas of the free tier and a deadline, never on the event loop, and
    nothing is stored. List `/dsl/*` among the `public_paths` of the service when they shall not sign in.

    Args:
        settings: whose environment and `DSL_PLAYGROUND_ENABLED` decide; the service's own when not given.
    """
    chosen = settings or get_settings()
    if not is_enabled(chosen):
        return APIRouter()
    desk = _Desk(chosen.DSL_WORKERS)
    router = APIRouter(prefix="/dsl", tags=["playground"], lifespan=desk.lifespan)
    _add_work(router, desk)
    _add_page(router)
    return router


class _Desk:
    """Does the work of the routes in threads: a few at once, a few more waiting, each with a deadline."""

    def __init__(self, workers: int) -> None:
        self._pool = work.Pool(workers)
        self._limiter: anyio.CapacityLimiter | None = None
        self._inside = 0

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """End the workers with the service."""
        yield
        self._pool.close()

    async def do(self, job: Work[Asked], request: Asked) -> Response:
        """
        Do one piece of work.

        Raises:
            UnavailableError: too many visitors wait already.
        """
        if self._inside >= _AT_ONCE + _WAITING:
            raise UnavailableError("Too many people try strategies at the moment", reason="PLAYGROUND_BUSY",
                                   retry_after_seconds=5)  # fmt: skip
        self._limiter = self._limiter or anyio.CapacityLimiter(_AT_ONCE)  # of the loop that runs
        self._inside += 1
        try:
            async with self._limiter:
                content = await self._in_thread(job, request)
        finally:
            self._inside -= 1
        return Response(content, media_type="application/json")

    async def _in_thread(self, job: Work[Asked], request: Asked) -> bytes:
        cancel = CancelToken()
        timer = asyncio.get_running_loop().call_later(work.DEADLINE_SECONDS, cancel.cancel)

        def compute() -> bytes:
            found = work.with_findings(lambda: job(request, self._pool, cancel))
            return json.dumps(found, allow_nan=False, ensure_ascii=False).encode("utf-8", "replace")

        try:
            return await anyio.to_thread.run_sync(compute)
        finally:
            timer.cancel()


def _add_work(router: APIRouter, desk: _Desk) -> None:
    @router.post("/check", summary="Findings, meaning and completion of a strategy")
    async def check(request: CheckRequest) -> Response:
        return await desk.do(work.check, request)

    @router.post("/run", summary="Run a strategy and return its picture")
    async def run(request: RunRequest) -> Response:
        return await desk.do(work.run, request)

    @router.post("/sweep", summary="A metric for all combinations of one or two parameters")
    async def sweep(request: SweepRequest) -> Response:
        return await desk.do(work.sweep, request)

    @router.post("/explain", summary="Every variable of a strategy at one bar")
    async def explain(request: ExplainRequest) -> Response:
        return await desk.do(work.explain, request)

    @router.get("/functions", summary="Everything that a strategy can call or read")
    async def functions() -> Response:
        return Response(_functions(), media_type="application/json", headers={"Cache-Control": "no-cache"})


def _add_page(router: APIRouter) -> None:
    @router.get("/playground", summary="The page", include_in_schema=False)
    async def page() -> Response:
        return Response(_page_files()["index.html"], media_type="text/html", headers=_HEADERS)

    @router.get("/playground/gallery.json", summary="Strategies to begin with", include_in_schema=False)
    async def examples() -> Response:
        content = json.dumps(gallery(), ensure_ascii=False)
        return Response(content, media_type="application/json", headers=_HEADERS)

    @router.get("/playground/{name}", summary="A file of the page", include_in_schema=False)
    async def file(name: str) -> Response:
        content = _page_files().get(name)
        kind = _TYPES.get(name.rpartition(".")[2])
        if content is None or kind is None:
            raise NotFoundError("The page has no such file")
        return Response(content, headers={**_HEADERS, "Content-Type": kind})


@cache
def _functions() -> bytes:
    return json.dumps(functions_document(), ensure_ascii=False).encode()


@cache
def _page_files() -> dict[str, bytes]:
    """Read the files of the page; a name in a request is looked up among them and never becomes a path."""
    return {item.name: item.read_bytes() for item in files(__package__).joinpath("page").iterdir()}
