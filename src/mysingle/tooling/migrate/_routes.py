"""Routes of version 1 that get the caller as a parameter, which tests may give to them by hand."""

import ast
from collections.abc import Iterable, Iterator, Mapping

from mysingle._kernel.old_names import RENAMED

__all__ = ["FAMILY", "ROUTES", "caller_parameters"]

_TODAY = (
    "get_current_active_superuser",
    "get_current_active_user",
    "get_current_active_verified_user",
    "get_current_user",
    "get_current_user_optional",
    "get_kong_correlation_id",
    "get_kong_request_id",
    "get_kong_user_id",
    "get_user_id",
    "is_kong_authenticated",
)
FAMILY = {name: name for name in _TODAY} | {
    old: new.rpartition(".")[2] for old, new in RENAMED.items() if new.startswith("mysingle.auth.")
}
"""Functions that give the caller, of both versions → how they are called now."""

ROUTES = ("get", "post", "put", "patch", "delete", "head", "options", "api_route")


def caller_parameters(texts: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Return the parameters that hold the caller, by the name of the route; a text that is no Python has none."""
    found: dict[str, frozenset[str]] = {}
    for text in texts:
        try:
            tree = ast.parse(text) if "Depends(" in text else ast.Module([], [])
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(map(_is_route, node.decorator_list)):
                found[node.name] = found.get(node.name, frozenset()) | set(_callers(node.args))
    return {name: names for name, names in found.items() if names}


def _is_route(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ROUTES


def _callers(arguments: ast.arguments) -> Iterator[str]:
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [*zip(plain[::-1], arguments.defaults[::-1], strict=False)]
    defaults += [
        (name, value) for name, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value
    ]
    for name, value in defaults:
        if isinstance(value, ast.Call) and value.args and ast.unparse(value.args[0]).rpartition(".")[2] in FAMILY:
            yield name.arg
