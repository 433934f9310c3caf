"""MS205: every route asks who is calling, or is declared public."""

import ast

from mysingle.tooling.check._callers import asks_for_caller, function_asks
from mysingle.tooling.check._context import Call, Context
from mysingle.tooling.check._scopes import Function, Scope
from mysingle.tooling.check._services import Mount
from mysingle.tooling.check._syntax import argument, keyword
from mysingle.tooling.check._values import Made, Ref, Value

__all__ = ["HANDLERS"]

_VERBS = frozenset(
    [
        "get",
        "post",
        "put",
        "patch",
        "delete",
        "head",
        "options",
        "websocket",
        "api_route",
        "route",
        "websocket_route",
        "trace",
    ]
)
_OPERATIONS = (
    "/health",
    "/ready",
    "/metrics",
    "/live",
    "/startup",
    "/healthz",
    "/readyz",
    "/livez",
    "/docs",
    "/openapi.json",
    "/favicon.ico",
    "/redoc",
)
_ROUTERS = ("fastapi.APIRouter", "fastapi.FastAPI")
_ROUTER_NAMES = ("router", "app", "api", "application")
_DEEPEST = 5


def _on_function(context: Context, function: Function) -> None:
    if context.service.opens_unknown:
        return
    for decorator in function.decorators:
        if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute):
            continue
        if decorator.func.attr not in _VERBS or not _is_router(context, decorator.func.value, function.outer):
            continue
        _check_route(context, function, decorator, decorator.func.value)


def _on_call(context: Context, call: Call) -> None:
    """`router.add_api_route("/items", handler)`."""
    node, scope = call.node, call.scope
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in ("add_api_route", "add_api_websocket_route"):
        return
    handler = argument(node, 1, "endpoint")
    found = context.evaluator.value(handler, scope)
    if isinstance(handler, ast.Lambda):
        found = next((function for function in context.module.functions if function.node is handler), None)
    if isinstance(found, Function) and not context.service.opens_unknown:
        _check_route(context, found, node, node.func.value, scope)


def _is_router(context: Context, node: ast.expr, scope: Scope) -> bool:
    found = context.evaluator.value(node, scope)
    if isinstance(found, Made):
        return found.name in _ROUTERS
    name = found.last if isinstance(found, Ref) else node.id if isinstance(node, ast.Name) else ""
    is_known = isinstance(found, Ref) and found.name.partition(".")[0] in ("mysingle", "httpx", "requests", "builtins")
    return not is_known and (name in _ROUTER_NAMES or name.endswith("_router"))


def _check_route(
    context: Context, function: Function, route: ast.Call, router: ast.expr, scope: Scope | None = None
) -> None:
    scope = scope or function.outer
    value = context.evaluator.value(router, scope)
    path = context.evaluator.text(argument(route, 0, "path"), scope)
    own = path.shape if path is not None else ""
    dependencies = keyword(route, "dependencies")
    if dependencies is not None and asks_for_caller(dependencies, scope, context.evaluator):
        return
    paths = _paths(context, value, own)
    if paths is None or any(found in _OPERATIONS or context.service.is_public(found) for found in paths):
        return
    if not function_asks(function, context.evaluator):
        shown = f"`{paths[0].replace(chr(0), '{}')}`" if paths and paths[0] else f"`{function.name}`"
        context.report("MS205", function.node, shown)


def _paths(context: Context, router: Value | None, own: str) -> list[str] | None:
    """Return the whole paths of a route; None when a router or mount on the way asks for the caller."""
    if not isinstance(router, Made) or router.call is None or router.scope is None:
        return [own]
    dependencies = keyword(router.call, "dependencies")
    if dependencies is not None and asks_for_caller(dependencies, router.scope, context.evaluator):
        return None
    prefix = context.evaluator.text(keyword(router.call, "prefix"), router.scope)
    inner = (prefix.shape if prefix is not None else "") + own
    mounts = context.service.mounts.get(router.place, []) if router.place is not None else []
    found = [path for mount in mounts for path in _mounted(context, mount, inner, 0)]
    if mounts and not found:
        return None
    return found or [inner]


def _mounted(context: Context, mount: Mount, inner: str, depth: int) -> list[str]:
    if mount.is_guarded or depth > _DEEPEST:
        return []
    path = mount.prefix + inner
    above = context.service.mounts.get(mount.within, []) if mount.within is not None else []
    if not above:
        return [path]
    return [whole for outer in above for whole in _mounted(context, outer, path, depth + 1)]


HANDLERS = {"function": _on_function, "call": _on_call}
