"""The FastAPI subclass behind every service: the same app, without layers that our stack replaces."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import BaseRoute, Route

from mysingle._kernel.asgi import App, Receive, Scope, Send, route_path
from mysingle.core._pages import make_pages

__all__ = ["ServiceApp"]


class ServiceApp(FastAPI):
    """
    A FastAPI app whose outermost layers are ours.

    FastAPI's own error page, body limit, telemetry switch and exception layer stand around every request; our errors
    and limits layers do their work, and the switch is asked once at start-up instead of at each request.
    """

    operations: tuple[BaseRoute, ...] = ()
    pages: tuple[Route, ...] = ()
    """The documentation."""
    identity_header: str | None = None
    openapi_components: Mapping[str, Mapping[str, Any]] = {}
    _observes_natively = False

    def __init__(self, **options: Any) -> None:
        self.inner_lifespan: Callable[[Any], AbstractAsyncContextManager[Any]] = _handle_events
        super().__init__(**options)

    @property
    def routes(self) -> list[BaseRoute]:
        """
        The operations, the documentation, then the router's routes. To add a route, use the router.

        The first two are found by their exact path before any routing, so they are not in the router's own list:
        every request of the service would compare ten more patterns.
        """
        return [*self.operations, *self.pages, *self.router.routes]

    def include_router(self, router: APIRouter, *arguments: Any, **options: Any) -> None:
        """Include a router. Its lifespan goes into `inner_lifespan`, and so begins before the service is READY."""
        ours, handlers = self.router.lifespan_context, (self.router.on_startup, self.router.on_shutdown)
        self.router.lifespan_context = self.inner_lifespan
        self.router.on_startup, self.router.on_shutdown = [], []  # the router's own, which its lifespan calls too
        super().include_router(router, *arguments, **options)
        self.inner_lifespan = self.router.lifespan_context
        self.router.lifespan_context = ours
        self.router.on_startup, self.router.on_shutdown = handlers

    def setup(self) -> None:
        """Make the documentation with pages of our own, and keep it apart from the router's routes."""
        before = len(self.router.routes)
        super().setup()
        made = {route.path: route for route in self.router.routes[before:] if isinstance(route, Route)}
        del self.router.routes[before:]
        if self.openapi_url:
            made |= {page.path: page for page in make_pages(self)}
        self.pages = tuple(made.values())

    def openapi(self) -> dict[str, Any]:
        """Return the API document; with an identity header, so that the documentation page can call the routes."""
        is_new = self.openapi_schema is None
        document = super().openapi()
        if is_new:
            for kind, parts in self.openapi_components.items():
                document.setdefault("components", {}).setdefault(kind, {}).update(parts)
        if is_new and self.identity_header is not None:
            scheme = {"type": "apiKey", "in": "header", "name": self.identity_header}
            document.setdefault("components", {}).setdefault("securitySchemes", {})["user"] = scheme
            document.setdefault("security", [{"user": []}])
        return document

    def observe_natively_if_configured(self) -> None:
        """Let FastAPI make its OpenTelemetry spans when a provider has been configured by now."""
        telemetry = getattr(self, "_native_telemetry", None)
        self._observes_natively = telemetry is not None and telemetry.enabled()

    def build_middleware_stack(self) -> App:
        """Return our layers around the router; for HTTP our errors layer asks the handlers of exceptions itself."""
        handlers = {key: handler for key, handler in self.exception_handlers.items() if key not in (500, Exception)}
        routed = AsyncExitStackMiddleware(self.router)
        conversing = ExceptionMiddleware(routed, handlers=handlers, debug=self.debug)

        pages = {page.path: page for page in self.pages}

        def dispatch(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            if scope["type"] != "http":
                return conversing(scope, receive, send)
            page = pages.get(route_path(scope))
            return routed(scope, receive, send) if page is None else _show(page, scope, receive, send)

        app: App = dispatch
        for layer, arguments, options in reversed(self.user_middleware):
            app = layer(app, *arguments, **options)
        return app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go straight to our stack, unless native telemetry is on or the app itself starts or stops."""
        if self._observes_natively or scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        if self.root_path:
            scope["root_path"] = self.root_path
        scope["app"] = self
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        await self.middleware_stack(scope, receive, send)


@asynccontextmanager
async def _handle_events(app: FastAPI) -> AsyncIterator[None]:
    """Call the handlers of `on_event`, which FastAPI passes over in an app that has a lifespan."""
    await _call_all(app.router.on_startup)
    yield
    await _call_all(app.router.on_shutdown)


async def _call_all(handlers: Iterable[Callable[[], Any]]) -> None:
    for handler in handlers:
        result = handler()
        if isinstance(result, Awaitable):
            await result


def _show(page: Route, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    scope.update(route=page, endpoint=page.endpoint, path_params={})
    return page.handle(scope, receive, send)
