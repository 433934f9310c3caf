"""The pages that show the API document. Their scripts come from this service, and a browser loads nothing else."""

import base64
import hashlib
import html
import re
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html, get_swagger_ui_oauth2_redirect_html
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from mysingle._kernel.extras import MissingExtraError, require

__all__ = ["DOCUMENTATION_PATHS", "make_pages"]

_DOCUMENT, _SWAGGER, _LOGGED_IN, _REDOC = "/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"
_FILES = {
    "/docs/swagger-ui.js": "swagger-ui-bundle.js",
    "/docs/swagger-ui.css": "swagger-ui.css",
    "/redoc/redoc.js": "redoc.standalone.js",
}
DOCUMENTATION_PATHS = (_DOCUMENT, _SWAGGER, _LOGGED_IN, _REDOC, *_FILES)
"""All paths of the documentation. Nobody has to be logged in for them."""

_EXTRA = "api-docs"
_PLAIN = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_NO_ICON = "data:,"
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_POLICY = (
    "default-src 'none'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)

Page = Callable[[Request], Awaitable[Response]]


def make_pages(app: FastAPI) -> tuple[Route, ...]:
    """Return the routes of the pages and of what they load; the document itself is a route of FastAPI."""
    pages: dict[str, Page] = {
        _SWAGGER: _page(lambda root: _swagger(app, root)),
        _LOGGED_IN: _page(lambda root: get_swagger_ui_oauth2_redirect_html()),
        _REDOC: _page(lambda root: _redoc(app, root)),
        **{path: _file(name) for path, name in _FILES.items()},
    }
    return tuple(Route(path, page, include_in_schema=False) for path, page in pages.items())


def _swagger(app: FastAPI, root: str) -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url=root + _DOCUMENT,
        title=app.title,
        swagger_js_url=f"{root}/docs/swagger-ui.js",
        swagger_css_url=f"{root}/docs/swagger-ui.css",
        swagger_favicon_url=_NO_ICON,
        oauth2_redirect_url=root + _LOGGED_IN,
        init_oauth=app.swagger_ui_init_oauth,
        swagger_ui_parameters=app.swagger_ui_parameters,
    )


def _redoc(app: FastAPI, root: str) -> HTMLResponse:
    return get_redoc_html(
        openapi_url=root + _DOCUMENT,
        title=app.title,
        redoc_js_url=f"{root}/redoc/redoc.js",
        redoc_favicon_url=_NO_ICON,
        with_google_fonts=False,
    )


def _page(show: Callable[[str], HTMLResponse]) -> Page:
    async def page(request: Request) -> Response:
        root = request.scope.get("root_path", "").rstrip("/")
        try:
            require(_EXTRA, "This page")
        except MissingExtraError as error:
            return _guarded(HTMLResponse(_without_scripts(str(error), root + _DOCUMENT)))
        return _guarded(show(root))

    return page


def _without_scripts(message: str, document: str) -> str:
    document = html.escape(document)
    return (
        '<!DOCTYPE html>\n<html lang="en"><title>API document</title>\n'
        f'<p>{html.escape(message)}\n<p>The document itself: <a href="{document}">{document}</a>\n</html>\n'
    )


def _guarded(page: HTMLResponse) -> HTMLResponse:
    """Let a page run its own scripts only, and nobody put it into a frame."""
    scripts = _INLINE.findall(bytes(page.body).decode())
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    page.headers["Content-Security-Policy"] = _POLICY.format(hashes="".join(f" 'sha256-{value}'" for value in hashes))
    page.headers.update(_PLAIN)
    return page


def _file(name: str) -> Page:
    async def file(request: Request) -> Response:
        return FileResponse(_folder() / name, headers={"Cache-Control": "max-age=3600", **_PLAIN})

    return file


def _folder() -> Path:
    """Return where the scripts lie. The package that brings them is not imported."""
    require(_EXTRA, "This file")
    found = find_spec("fastapi_offline")
    assert found is not None
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0], "static")
