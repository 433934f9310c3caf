"""Small questions about nodes, which need no knowledge of names."""

import ast
from typing import Any

__all__ = ["Placed", "argument", "keyword", "spelled"]


class Placed(ast.expr):
    """An expression of another place, with the scope in which its names mean something."""

    def __init__(self, node: ast.expr, scope: Any) -> None:
        super().__init__()
        self.node = node
        self.scope = scope


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """Return what a call gives for a keyword."""
    for given in call.keywords:
        if given.arg == name:
            return given.value
    return None


def argument(call: ast.Call, index: int, name: str) -> ast.expr | None:
    """Return what a call gives for a parameter, by position or by keyword."""
    if index < len(call.args):
        given = call.args[: index + 1]
        return None if any(isinstance(part, ast.Starred) for part in given) else given[index]
    return keyword(call, name)


def spelled(node: ast.expr) -> str:
    """Return the name that a reader sees at an expression."""
    match node:
        case Placed():
            return spelled(node.node)
        case ast.Name():
            return node.id
        case ast.Attribute():
            return node.attr
        case ast.Subscript(slice=ast.Constant(value=str() as key)):
            return key
        case ast.Subscript() | ast.Await() | ast.FormattedValue() | ast.Starred():
            return spelled(node.value)
        case ast.Call(func=func, args=[first, *_]) if spelled(func) in ("str", "quote", "repr", "get"):
            return str(first.value) if isinstance(first, ast.Constant) else spelled(first)
        case ast.Call():
            return spelled(node.func)
        case _:
            return ""
