"""Tells whether a route asks who is calling: by a dependency, a guard, a helper, or `request.state.user`."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mysingle.tooling.check._evaluate import Evaluator
from mysingle.tooling.check._scopes import Class, Function, Scope
from mysingle.tooling.check._syntax import keyword
from mysingle.tooling.check._values import Made, Object, Ref, Value

__all__ = ["asks_for_caller", "function_asks"]

_OURS = re.compile(
    r"mysingle\.(get_current_\w+|authenticated|admin_only|verified_only|require_\w+|resource_owner_required|get_user_id"
    r"|get_kong_user_id|is_kong_authenticated|Guard|Permissions|AuthenticatedUser)$"
)
_LOOKS = re.compile(
    r"auth(?!or)|security|current_?user|current_?active|verified|require_|superuser|admin|identity|permission|guard"
    r"|login|principal|caller|owner|verify_|signed|protect|token|api_?key",
    re.IGNORECASE,
)
_TYPE_LOOKS = re.compile(
    r"(Current|Auth|Verified|Active|Admin|Super|Signed|Logged)\w*|\w*(User|Caller|Principal|Identity)(Dep\w*)?$"
)
_DEPENDS = ("fastapi.Depends", "fastapi.Security")
_DEEPEST = 40


@dataclass(frozen=True, slots=True)
class _Trail:
    """How far a search has come: how deep, and in which functions it was, each of which it enters once."""

    seen: set[Function] = field(default_factory=set)
    depth: int = 0

    @property
    def deeper(self) -> "_Trail":
        return _Trail(self.seen, self.depth + 1)

    @property
    def ends(self) -> bool:
        return self.depth > _DEEPEST


def asks_for_caller(node: ast.expr, scope: Scope, evaluator: Evaluator, trail: _Trail | None = None) -> bool:
    """Tell whether a dependency, or one of a list of them, needs a caller."""
    trail = trail or _Trail()
    if trail.ends:
        return False
    elements = evaluator.elements(node, scope)
    if elements:
        return any(asks_for_caller(element, inner, evaluator, trail.deeper) for element, inner in elements)
    if isinstance(node, ast.Call):
        return _call_asks(node, scope, evaluator, trail.deeper)
    if isinstance(node, ast.Lambda):
        return asks_for_caller(node.body, scope, evaluator, trail.deeper)
    return _value_asks(evaluator.value(node, scope), evaluator, trail.deeper)


def function_asks(function: Function, evaluator: Evaluator, trail: _Trail | None = None) -> bool:
    """Tell whether a function, or one that it calls or depends on, needs a caller."""
    trail = trail or _Trail()
    if trail.ends or function in trail.seen:
        return False
    trail.seen.add(function)
    return any(
        (
            any(_parameter_asks(*part, evaluator, trail) for part in _parameters(function)),
            any(
                asks_for_caller(part, function.outer, evaluator, trail.deeper) for part in _guards(function, evaluator)
            ),
            any(
                asks_for_caller(part, function.outer, evaluator, trail.deeper)
                for part in _typed_dependencies(function, evaluator)
            ),
            _body_asks(function, evaluator, trail),
        )
    )


def _call_asks(node: ast.Call, scope: Scope, evaluator: Evaluator, trail: _Trail) -> bool:
    if evaluator.name(node.func, scope) in _DEPENDS:
        target = node.args[0] if node.args else keyword(node, "dependency")
        return target is not None and asks_for_caller(target, scope, evaluator, trail)
    made = evaluator.value(node, scope)
    if isinstance(made, Object | Made) and _value_asks(made, evaluator, trail):
        return True
    return _value_asks(evaluator.value(node.func, scope), evaluator, trail)


def _value_asks(value: Value | None, evaluator: Evaluator, trail: _Trail) -> bool:
    if trail.ends:
        return False
    match value:
        case Ref():
            return _name_asks(value.name)
        case Made(name=name, call=ast.Call() as call, scope=Scope() as scope) if name in _DEPENDS:
            return _call_asks(call, scope, evaluator, trail)
        case Made():
            return _name_asks(value.name)
        case Function():
            return function_asks(value, evaluator, trail)
        case Class() | Object():
            cls = value if isinstance(value, Class) else value.cls
            return any(function_asks(method, evaluator, trail) for method in _methods(cls, evaluator))
        case _:
            return False


def _name_asks(name: str) -> bool:
    """Know our functions for certain, and a function that the check cannot see by its looks."""
    if name.startswith("mysingle."):
        return _OURS.match(name) is not None
    return not name.startswith("builtins.") and _LOOKS.search(name) is not None


def _methods(cls: Class, evaluator: Evaluator) -> Iterator[Function]:
    for name in ("__init__", "__call__"):
        found = evaluator.member(Object(cls), name)
        if isinstance(found, Function):
            yield found


def _guards(function: Function, evaluator: Evaluator) -> Iterator[ast.expr]:
    """Return the decorators that are none of a route, and the dependencies of those that are."""
    for decorator in function.decorators:
        dependencies = keyword(decorator, "dependencies") if isinstance(decorator, ast.Call) else None
        if dependencies is not None:
            yield dependencies
        elif not (isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute)):
            yield decorator
        elif not isinstance(evaluator.value(decorator.func.value, function.outer), Made):
            yield decorator.func


def _parameters(function: Function) -> Iterator[tuple[ast.expr, Scope]]:
    arguments = function.node.args
    for part in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if part.annotation is not None:
            yield part.annotation, function.outer
    for default in (*arguments.defaults, *arguments.kw_defaults):
        if default is not None:
            yield default, function.outer


def _typed_dependencies(function: Function, evaluator: Evaluator) -> Iterator[ast.expr]:
    """Return the annotations that a bare `Depends()` makes a dependency: `caller: Caller = Depends()`."""
    arguments = function.node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    for part, default in pairs:
        annotation = part.annotation
        if annotation is not None and _is_bare(default, function, evaluator):
            yield annotation
    for part in (*positional, *arguments.kwonlyargs):
        match part.annotation:
            case ast.Subscript(slice=ast.Tuple(elts=[annotation, *more])) if any(
                _is_bare(one, function, evaluator) for one in more
            ):
                yield annotation


def _is_bare(node: ast.expr | None, function: Function, evaluator: Evaluator) -> bool:
    is_empty = isinstance(node, ast.Call) and not node.args and not node.keywords
    return is_empty and evaluator.name(node.func, function.outer) in _DEPENDS  # type: ignore[union-attr]  # a Call


def _parameter_asks(node: ast.expr, scope: Scope, evaluator: Evaluator, trail: _Trail) -> bool:
    expression, inner = evaluator.definition(node, scope)
    if isinstance(expression, ast.Subscript) and isinstance(expression.slice, ast.Tuple):
        return any(_parameter_asks(part, inner, evaluator, trail) for part in expression.slice.elts[1:])
    if isinstance(expression, ast.Call):
        return _call_asks(expression, inner, evaluator, trail.deeper)
    if isinstance(expression, ast.Name | ast.Attribute):
        found = evaluator.value(expression, inner)
        return isinstance(found, Ref) and _type_asks(found)
    return False


def _type_asks(found: Ref) -> bool:
    """Judge an alias that the check cannot see by its name; a class of the package tells nothing."""
    if found.name.startswith(("mysingle.", "builtins.", "fastapi.", "pydantic.", "typing.", "datetime.")):
        return False
    return _TYPE_LOOKS.fullmatch(found.last) is not None


def _body_asks(function: Function, evaluator: Evaluator, trail: _Trail) -> bool:
    for node in function.loads:
        if isinstance(node, ast.Attribute) and _is_state_user(node):
            return True
        found = evaluator.value(node, function.scope)
        if isinstance(found, Function) and found is not function and function_asks(found, evaluator, trail.deeper):
            return True
        if isinstance(found, Ref) and _is_called_by_name(found, node, function):
            return True
    return any(function_asks(inner, evaluator, trail.deeper) for inner in function.inner)


def _is_state_user(node: ast.Attribute) -> bool:
    return "state.user" in ast.unparse(node)


def _is_called_by_name(found: Ref, node: ast.expr, function: Function) -> bool:
    if found.name.startswith("mysingle."):
        return _OURS.match(found.name) is not None
    calls = [call for call in function.calls if call.func is node]
    takes_request = any(
        isinstance(given, ast.Name) and given.id in ("request", "websocket", "ws", "req")
        for call in calls
        for given in (*call.args, *(part.value for part in call.keywords))
    )
    return takes_request and "." in found.name and _LOOKS.search(found.name) is not None
