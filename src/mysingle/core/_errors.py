"""FastAPI's own failures in the one shape: unknown routes, wrong methods, invalid input."""

import inspect
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from mysingle._kernel.asgi import Receive, Scope
from mysingle._kernel.context import current_context
from mysingle._kernel.errors import FieldViolation
from mysingle._kernel.problems import MEDIA_TYPE, Problem

__all__ = ["answer_of_handler", "install_error_handlers"]

_MAX_VIOLATIONS = 50
_CLIENT_CLOSED_REQUEST = 499


def install_error_handlers(app: FastAPI, service_name: str) -> None:
    """Answer `HTTPException` and validation errors with problem documents; who went away is no failure of ours."""

    async def on_http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _respond(request, _from_http_exception(error), service_name)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _respond(request, _from_validation(error), service_name)

    async def on_gone(request: Request, error: Exception) -> Response:
        return Response(status_code=_CLIENT_CLOSED_REQUEST)  # for the access line; nobody takes it

    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(ClientDisconnect, on_gone)


async def answer_of_handler(
    scope: Scope, receive: Receive, error: Exception, *, as_last_resort: bool
) -> Response | None:
    """
    Return what the app's handler for an error answers; None when it has none.

    Handlers are looked up as in Starlette: by the status of an `HTTPException`, then by the most specific class.
    `as_last_resort` asks for the handler of `Exception` or 500, which is for errors that nobody else knows.
    """
    handlers = scope["app"].exception_handlers
    if as_last_resort:
        handler = handlers.get(Exception) or handlers.get(500)
    else:
        handler = handlers.get(getattr(error, "status_code", None)) or _by_class(handlers, error)
    if handler is None:
        return None
    request = Request(scope, receive)
    if inspect.iscoroutinefunction(handler):
        return cast("Response", await handler(request, error))
    return cast("Response", await run_in_threadpool(handler, request, error))


def _by_class(handlers: Mapping[Any, Any], error: Exception) -> Any:
    classes = (cls for cls in type(error).__mro__ if cls is not Exception)
    return next((handlers[cls] for cls in classes if cls in handlers), None)


def _respond(request: Request, problem: Problem, service_name: str) -> Response:
    body = problem.body(instance=request.url.path, correlation_id=current_context().correlation_id, domain=service_name)
    if problem.status in (204, 304):
        return Response(status_code=problem.status, headers=dict(problem.headers))
    return Response(body, problem.status, dict(problem.headers), MEDIA_TYPE)


def _from_http_exception(error: HTTPException) -> Problem:
    if not 200 <= error.status_code <= 599:
        raise ValueError(f"an HTTPException with the status {error.status_code}") from error
    detail, code = error.detail, _code(error.status_code)
    if isinstance(detail, Mapping):
        code = str(detail.get("code", code))
        detail = str(detail.get("message") or detail.get("detail") or code)
    return Problem(status=error.status_code, code=code, detail=str(detail), headers=dict(error.headers or {}))


def _code(status: int) -> str:
    try:
        return HTTPStatus(status).name
    except ValueError:
        return f"HTTP_{status}"


def _from_validation(error: RequestValidationError) -> Problem:
    items = error.errors()[:_MAX_VIOLATIONS]
    return Problem(
        status=422,
        code="VALIDATION_FAILED",
        detail="The request does not have the form that this route expects.",
        headers={},
        violations=tuple(_violation(item) for item in items),
    )


def _violation(item: Mapping[str, Any]) -> FieldViolation:
    """Name the field and the rule; never the value, which may be a secret."""
    return FieldViolation(field=".".join(str(part) for part in item["loc"]), message=item["msg"], code=item["type"])
