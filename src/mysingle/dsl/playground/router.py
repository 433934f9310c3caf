"""The routes of the playground: one page, and what it asks for."""

import json
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response

from mysingle._kernel.errors import NotFoundError
from mysingle._kernel.settings import CommonSettings, get_settings
from mysingle.dsl.lsp import functions_document
from mysingle.dsl.playground import work
from mysingle.dsl.playground.desk import Desk
from mysingle.dsl.playground.gallery import gallery
from mysingle.dsl.playground.requests import CheckRequest, ExplainRequest, RunRequest, SweepRequest

__all__ = ["PAGE_PATH", "create_playground_router", "is_enabled"]

PAGE_PATH: Final = "/dsl/playground"
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
    desk = Desk(chosen.DSL_WORKERS)
    router = APIRouter(prefix="/dsl", tags=["playground"], lifespan=desk.lifespan)
    _add_work(router, desk)
    _add_page(router)
    return router


def _add_work(router: APIRouter, desk: Desk) -> None:
    @router.post("/check", summary="Findings, meaning and completion of a strategy")
    async def check(request: CheckRequest) -> Response:
        return _json(await desk.do(work.check, request))

    @router.post("/run", summary="Run a strategy and return its picture")
    async def run(request: RunRequest) -> Response:
        return _json(await desk.do(work.run, request))

    @router.post("/sweep", summary="A metric for all combinations of one or two parameters")
    async def sweep(request: SweepRequest) -> Response:
        return _json(await desk.do(work.sweep, request))

    @router.post("/explain", summary="Every variable of a strategy at one bar")
    async def explain(request: ExplainRequest) -> Response:
        return _json(await desk.do(work.explain, request))

    @router.get("/functions", summary="Everything that a strategy can call or read")
    async def functions() -> Response:
        return Response(_functions(), media_type="application/json", headers={"Cache-Control": "no-cache"})


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json", headers={"Cache-Control": "no-store"})


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
    return {item.name: item.read_bytes() for item in Path(__file__).with_name("page").iterdir()}
