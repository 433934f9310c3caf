"""What an app offers to others: its endpoints, with who may call them, and its API document."""

import asyncio
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from mysingle._kernel.errors import InvalidArgumentError
from mysingle._kernel.public_paths import PublicPaths
from mysingle.auth import AuthMiddleware
from mysingle.core._service_app import ServiceApp

__all__ = ["Endpoint", "api_document", "list_endpoints"]

_TRIGGER = re.compile(r".*\{[^/]+\}/[^/{}]+/?")
_WORDS = ("internal", "external")
_PEOPLE = "admin"


class Endpoint(NamedTuple):
    """
    One way in.

    `method` is of HTTP, `WEBSOCKET`, `MOUNT`, or for gRPC the kind of the call; `auth` is `required` or `public`;
    `audience` is `external`, `internal` or `operations`.
    """

    protocol: str
    method: str
    path: str
    auth: str
    audience: str
    tags: tuple[str, ...]
    name: str


@runtime_checkable
class _RpcSurface(Protocol):
    """A gRPC server that can say what it offers; ours does."""

    async def describe(self) -> Iterable[tuple[str, str, bool]]: ...


def list_endpoints(app: Any) -> tuple[Endpoint, ...]:
    """
    Return every endpoint of an app, sorted by protocol, path and method. Nothing is opened.

    A tag or a path segment `internal` or `external` says for whom an endpoint is. Without one, a trigger below an
    item (`POST /items/{id}/start`) that is neither public nor tagged `admin`, which is for people, is for other
    services, and everything else is for everybody.

    Raises:
        InvalidArgumentError: it is no FastAPI app.
    """
    checked = _checked(app)
    found = [*_http(checked), *_rpc(checked)]
    return tuple(sorted(found, key=lambda item: (item.protocol, item.path, item.method)))


def api_document(app: Any) -> dict[str, Any]:
    """
    Return the OpenAPI document of an app, the same in every environment.

    Raises:
        InvalidArgumentError: it is no FastAPI app.
    """
    checked = _checked(app)
    if isinstance(checked, ServiceApp):
        checked.identity_header = None  # a convenience of development
    checked.openapi_schema = None
    document = checked.openapi()
    checked.openapi_schema = None
    return document


def _checked(app: Any) -> FastAPI:
    if not isinstance(app, FastAPI):
        raise InvalidArgumentError(f"{type(app).__name__} is no FastAPI app", reason="APP_NOT_OURS")
    return app


def _http(app: FastAPI) -> Iterator[Endpoint]:
    public = _public_paths(app)
    apart = (*getattr(app, "operations", ()), *getattr(app, "pages", ()))
    operations = {getattr(route, "path", "") for route in apart} | _documentation(app)
    for context in iter_route_contexts(app.routes):
        path = context.path or ""
        tags = tuple(str(getattr(tag, "value", tag)) for tag in getattr(context, "tags", None) or ())
        is_operation = path in operations
        auth = "public" if is_operation or public is None or path in public else "required"
        for method in _methods(context):
            audience = "operations" if is_operation else _audience(method, path, tags, is_public=auth == "public")
            yield Endpoint("http", method, path, auth, audience, tags, context.name or "")


def _documentation(app: FastAPI) -> set[str]:
    paths = (app.docs_url, app.redoc_url, app.openapi_url, app.swagger_ui_oauth2_redirect_url)
    return {path for path in paths if path}


def _methods(context: Any) -> list[str]:
    if isinstance(context.route, Mount):
        return ["MOUNT"]
    methods = context.methods
    return ["WEBSOCKET"] if methods is None else sorted(methods - {"HEAD"} if "GET" in methods else methods)


def _public_paths(app: FastAPI) -> PublicPaths | None:
    """Return the paths without authentication; None when nothing authenticates."""
    for layer in app.user_middleware:
        made_by: Any = layer.cls
        if made_by is AuthMiddleware:
            options: Any = layer.kwargs
            return PublicPaths(
                (
                    *options["public_paths"],
                    *options["service_config"].public_paths,
                    *options["settings"].AUTH_PUBLIC_PATHS,
                )
            )
    return None


def _audience(method: str, path: str, tags: tuple[str, ...], *, is_public: bool) -> str:
    tagged = [tag.lower() for tag in tags]
    said = [word for word in (*tagged, *path.lower().split("/")) if word in _WORDS]
    if said:
        return said[0]
    is_trigger = method == "POST" and _TRIGGER.fullmatch(path) is not None
    return "internal" if is_trigger and not is_public and _PEOPLE not in tagged else "external"


def _rpc(app: FastAPI) -> Iterator[Endpoint]:
    server = getattr(getattr(app.state, "service_config", None), "grpc_server", None)
    if isinstance(server, _RpcSurface):
        for path, kind, is_public in asyncio.run(_described(server)):
            service = path.rpartition("/")[0].lstrip("/")
            auth = "public" if is_public else "required"
            yield Endpoint("grpc", kind.upper(), path, auth, "internal", (service,), path.rpartition("/")[2])


async def _described(server: _RpcSurface) -> Iterable[tuple[str, str, bool]]:
    return await server.describe()
