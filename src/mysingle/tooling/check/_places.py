"""Where a literal stands: the name under which it is given or kept, and whether it is harmless there."""

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mysingle.tooling.check._context import Context
from mysingle.tooling.check._libraries import ENVIRONMENT_READERS, PASS_THROUGH
from mysingle.tooling.check._scopes import Class, Scope

__all__ = ["NamedPlace", "named_place", "whole_text"]

_EXPLAINING = frozenset(
    [
        "description",
        "title",
        "summary",
        "help",
        "examples",
        "example",
        "json_schema_extra",
        "openapi_examples",
        "doc",
        "epilog",
        "docs_url",
        "redoc_url",
        "openapi_url",
        "terms_of_service",
        "contact",
        "license_info",
        "pattern",
        "regex",
        "deprecated",
        "usage",
        "match",
    ]
)
_ORIGINS = re.compile(
    r"(^|_)(origins?|cors)(_|$)|allowed_hosts|trusted_hosts|trusted_proxies|forwarded_allow_ips|namespace|xmlns",
    re.IGNORECASE,
)
_BINDING_CALLS = re.compile(
    r"(^|\.)(run|Config|start_server|create_server|bind|serve|start_http_server|listen|run_app|TCPSite)$"
)
_LOGGING = frozenset(
    ["debug", "info", "warning", "error", "exception", "critical", "log", "print", "echo", "fail", "secho", "warn"]
)
_COMPARING = frozenset(
    ["startswith", "endswith", "fullmatch", "match", "search", "sub", "count", "index", "find", "compile"]
)
_HARMLESS = (ast.Compare, ast.Raise, ast.Assert, ast.Subscript, ast.match_case, ast.MatchValue)


class NamedPlace(NamedTuple):
    """
    `name` is the keyword, target, key or parameter that the literal is for.

    `is_harmless` where it is explained, compared or logged; `is_setting` where it is the default of a setting;
    `is_binding` where a server listens there; `is_parameter` for the default of a parameter; `is_assigned` for a
    constant; `is_listed` inside a list, tuple or set; `is_given` where it is an argument without a name; `is_default`
    where it counts only when something that is looked up is missing.
    """

    name: str
    is_harmless: bool = False
    is_setting: bool = False
    is_listed: bool = False
    is_given: bool = False
    is_binding: bool = False
    is_parameter: bool = False
    is_assigned: bool = False
    is_default: bool = False


def named_place(context: Context, node: ast.AST, scope: Scope) -> NamedPlace:
    """Walk outwards from a literal until something names it, once for all rules."""
    known: NamedPlace | None = context.places.get(node)
    if known is None:
        known = context.places[node] = _Walk(context, scope).outwards(node)
    return known


def whole_text(context: Context, node: ast.Constant | ast.JoinedStr) -> ast.expr:
    """Return the sum of which a text is the beginning: `"http://" + host + path`."""
    whole: ast.expr = node
    parent = context.parent(node)
    while isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Add) and parent.left is whole:
        whole, parent = parent, context.parent(parent)
    return whole


class _Walk:
    """One walk; each step returns whether the walk ends there."""

    def __init__(self, context: Context, scope: Scope) -> None:
        self._context = context
        self._scope = scope
        self._place = NamedPlace("")

    def outwards(self, node: ast.AST) -> NamedPlace:
        child, parent = node, self._context.parent(node)
        while parent is not None and not isinstance(parent, ast.Module):
            step = _STEPS.get(type(parent))
            if step is not None and step(self, parent, child):
                break
            if step is None and isinstance(parent, ast.stmt | ast.arg):
                break
            child, parent = parent, self._context.parent(parent)
        return self._place

    def _note(self, name: str = "", **facts: bool) -> bool:
        """Keep the first name; what is true of an outer part is true of the literal."""
        self._place = self._place._replace(name=self._place.name or name, **facts)
        return False

    def _end(self, name: str = "", **facts: bool) -> bool:
        self._note(name, **facts)
        return True

    def harmless(self, *_: ast.AST) -> bool:
        return self._end(is_harmless=True)

    def listed(self, node: ast.List | ast.Tuple | ast.Set, child: ast.AST) -> bool:
        """`HOST, PORT = "user-service", 8000` names each of its parts."""
        parent = self._context.parent(node)
        if isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Tuple) and parent.value is node:
            targets = dict(zip(map(id, node.elts), parent.targets[0].elts, strict=False))
            return self._end(_target_name(targets.get(id(child))), is_assigned=True)
        return self._note(is_listed=True)

    def keyword(self, node: ast.keyword, _: ast.AST) -> bool:
        return self._end(is_harmless=True) if _explains(node.arg or "") else self._note(node.arg or "")

    def mapping(self, node: ast.Dict, child: ast.AST) -> bool:
        key = _key_of(node, child)
        return self._end(is_harmless=True) if key is None or key == "servers" or _explains(key) else self._note(key)

    def call(self, node: ast.Call, child: ast.AST) -> bool:
        name = self._context.evaluator.name(node.func, self._scope)
        method = _spelled(node.func).rpartition(".")[2]
        if child is node.func:
            return method in _COMPARING and self._end(is_harmless=True)
        if name in ENVIRONMENT_READERS or method in _LOGGING or method in _COMPARING or name.startswith("re."):
            return self._end(is_harmless=True)
        if method in ("get", "pop", "setdefault", "getattr") and node.args[1:] and node.args[-1] is child:
            self._note(is_default=True)
        hands_on = name in PASS_THROUGH or name == "pydantic.Field" or isinstance(child, ast.keyword)
        is_binding = self._place.is_binding or _BINDING_CALLS.search(_spelled(node.func)) is not None
        return self._note(is_binding=is_binding, is_given=self._place.is_given or not hands_on)

    def alternatives(self, node: ast.BoolOp, child: ast.AST) -> bool:
        """`os.getenv("X") or "a default"`."""
        text = self._context.evaluator.text(node.values[0], self._scope) if node.values[0] is not child else None
        variables = [hole.name for hole in text.holes if hole.is_env] if text is not None else []
        return self._note(variables[0], is_setting=True) if variables else False

    def choice(self, node: ast.IfExp, child: ast.AST) -> bool:
        """`int(sys.argv[1]) if len(sys.argv) > 1 else 8000`."""
        if child is node.test:
            return self._end(is_harmless=True)
        given = any(
            self._context.evaluator.name(part, self._scope).startswith(("sys.argv", "os.environ"))
            for part in ast.walk(node)
            if isinstance(part, ast.Attribute)
        )
        return self._note(is_setting=given or self._place.is_setting)

    def parameter(self, node: ast.arguments, child: ast.AST) -> bool:
        name = _parameter_name(node, child)
        return self._end(name, is_harmless=_explains(name), is_parameter=True)

    def assignment(self, node: ast.Assign | ast.AnnAssign, child: ast.AST) -> bool:
        if child is not node.value:
            return self._end(is_harmless=True)
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        name = _target_name(target)
        owner = self._scope.owner
        is_field = isinstance(owner, Class) and self._context.evaluator.is_settings(owner)
        is_setting = is_field or self._place.is_setting
        is_harmless = _explains(name) or name.startswith("__")
        return self._end(name, is_setting=is_setting, is_harmless=is_harmless, is_assigned=not self._place.name)


_STEPS: Mapping[type[ast.AST], Callable[[_Walk, Any, ast.AST], bool]] = {
    **dict.fromkeys(_HARMLESS, _Walk.harmless),
    **dict.fromkeys((ast.List, ast.Tuple, ast.Set), _Walk.listed),
    ast.keyword: _Walk.keyword,
    ast.Dict: _Walk.mapping,
    ast.Call: _Walk.call,
    ast.BoolOp: _Walk.alternatives,
    ast.IfExp: _Walk.choice,
    ast.arguments: _Walk.parameter,
    ast.Assign: _Walk.assignment,
    ast.AnnAssign: _Walk.assignment,
}


def _explains(name: str) -> bool:
    return name in _EXPLAINING or _ORIGINS.search(name) is not None


def _key_of(node: ast.Dict, child: ast.AST) -> str | None:
    """Return the key of a value; None when the child is itself a key."""
    for key, value in zip(node.keys, node.values, strict=True):
        if value is child:
            return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""
    return None


def _target_name(target: ast.expr | None) -> str:
    """Return the name of `x`, `self.x` and `settings["x"]`."""
    if isinstance(target, ast.Subscript):
        key = target.slice
        return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""
    return _spelled(target).rpartition(".")[2] if target is not None else ""


def _parameter_name(node: ast.arguments, child: ast.AST) -> str:
    positional = [*node.posonlyargs, *node.args]
    pairs = [*zip(positional[len(positional) - len(node.defaults) :], node.defaults, strict=True)]
    pairs += [(part, value) for part, value in zip(node.kwonlyargs, node.kw_defaults, strict=True) if value is not None]
    return next((part.arg for part, value in pairs if value is child), "")


def _spelled(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_spelled(node.value)}.{node.attr}"
    return ""
