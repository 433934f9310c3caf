"""What a call is given in the end: the elements of `*args`, the entries of `**options`, what a `partial` holds."""

import ast
from typing import TypeVar

from mysingle.tooling.check._ports import Evaluation
from mysingle.tooling.check._scopes import Binding, Class, Module, Scope
from mysingle.tooling.check._syntax import Placed
from mysingle.tooling.check._values import Object, Value

__all__ = ["Expansion"]

_PARTIALS = ("functools.partial", "functools.partialmethod")
_DEEPEST = 8
_Node = TypeVar("_Node", bound=ast.expr)


class Expansion:
    """Spreads out calls for an evaluator; what stands elsewhere is placed where the call names it."""

    def __init__(self, evaluator: Evaluation) -> None:
        self._evaluator = evaluator

    def expanded(self, node: ast.Call, scope: Scope) -> ast.Call:
        """Return a call with all that it is given; the call itself when everything stands in it."""
        bound = self._bound(node.func, scope)
        if bound is None and not _is_open(node):
            return node
        known = scope.module.expansions
        if node not in known:
            known[node] = node  # a call that is given itself
            known[node] = self._spread(node, scope, bound)
        return known[node]

    def bound_call(self, node: ast.Call, scope: Scope) -> ast.Call | None:
        """Return the call that a `partial` prepares, with what it holds; None for other calls."""
        if not node.args or self._evaluator.name(node.func, scope) not in _PARTIALS:
            return None
        func, *args = node.args
        call = ast.Call(func=func, args=args, keywords=node.keywords)
        return self.expanded(_like(call, node, scope), scope)

    def _spread(self, node: ast.Call, scope: Scope, bound: tuple[ast.Call, Scope] | None) -> ast.Call:
        args, keywords = self._arguments(node, scope)
        if bound is not None:
            inner, inner_scope = bound
            more, named = self._arguments(inner, inner_scope)
            given = {part.arg for part in keywords}
            args = [*(self._held(part, inner_scope, node, scope) for part in more[1:]), *args]
            keywords += [
                ast.keyword(part.arg, self._held(part.value, inner_scope, node, scope))
                for part in named
                if part.arg is None or part.arg not in given
            ]
        return _like(ast.Call(func=node.func, args=args, keywords=keywords), node, scope)

    def _arguments(self, node: ast.Call, scope: Scope) -> tuple[list[ast.expr], list[ast.keyword]]:
        args: list[ast.expr] = []
        for part in node.args:
            elements = self._evaluator.elements(part.value, scope) if isinstance(part, ast.Starred) else []
            args += [_moved(element, inner, part, scope) for element, inner in elements] or [part]
        given = {part.arg for part in node.keywords}
        keywords: list[ast.keyword] = []
        for one in node.keywords:
            keywords.append(one)  # `**options` stays: what is put into it later is not known
            if one.arg is None:
                found = self._evaluator.entries(one.value, scope)
                keywords += [
                    ast.keyword(name, _moved(value, inner, one.value, scope))
                    for name, (value, inner) in found.items()
                    if name not in given
                ]
        return args, keywords

    def _held(self, value: ast.expr, inner: Scope, node: ast.Call, scope: Scope) -> ast.expr:
        """Note what a `partial` holds: it is judged where the `partial` stands."""
        moved = _moved(value, inner, node, scope)
        scope.module.held.add(moved)
        return moved

    def _bound(self, func: ast.expr, scope: Scope, depth: int = 0) -> tuple[ast.Call, Scope] | None:
        """Return the `partial` that a called name is, with its scope."""
        if depth > _DEEPEST:
            return None
        if isinstance(func, ast.Call):
            return (func, scope) if self._evaluator.name(func.func, scope) in _PARTIALS else None
        found = self._binding(func, scope)
        if found is None:
            return None
        binding, inner = found
        if binding.kind == "import":
            return self._imported(binding, inner, depth)
        is_value = binding.kind in ("value", "annotation")
        is_call = (
            is_value and isinstance(binding.node, ast.Call | ast.Name | ast.Attribute) and binding.node is not func
        )
        return self._bound(binding.node, inner, depth + 1) if is_call else None

    def _imported(self, binding: Binding, scope: Scope, depth: int) -> tuple[ast.Call, Scope] | None:
        module = self._evaluator.source(binding, scope.module)
        found = module.scope.names.get(binding.extra) if module is not None else None
        if module is None or not found or found[-1].kind not in ("value", "annotation"):
            return None
        node = found[-1].node
        return self._bound(node, module.scope, depth + 1) if isinstance(node, ast.Call) else None

    def _binding(self, func: ast.expr, scope: Scope) -> tuple[Binding, Scope] | None:
        if isinstance(func, ast.Name):
            current: Scope | None = scope
            while current is not None:
                found = current.names.get(func.id)
                if found:
                    return found[-1], current
                current = current.parent
            return None
        if not isinstance(func, ast.Attribute):
            return None
        return _attribute(self._evaluator.value(func.value, scope), func.attr)


def _attribute(owner: Value | None, name: str) -> tuple[Binding, Scope] | None:
    if isinstance(owner, Module):
        found = owner.scope.names.get(name)
        return (found[-1], owner.scope) if found else None
    cls = owner.cls if isinstance(owner, Object) else owner
    if not isinstance(cls, Class):
        return None
    if name in cls.attributes:
        return cls.attributes[name][-1]
    found = cls.scope.names.get(name)
    return (found[-1], cls.scope) if found else None


def _is_open(node: ast.Call) -> bool:
    for part in node.keywords:
        if part.arg is None:
            return True
    return any(part.__class__ is ast.Starred for part in node.args)


def _moved(value: ast.expr, inner: Scope, place: ast.expr, scope: Scope) -> ast.expr:
    """Return an expression as if it stood at a place of this file; its names still mean what they mean in its own."""
    moved: ast.expr = ast.Constant(value.value) if isinstance(value, ast.Constant) else Placed(value, inner)
    scope.module.moved.add(moved)
    return _like(moved, place, scope)


def _like(node: _Node, place: ast.expr, scope: Scope) -> _Node:
    """Give a made node the place and the parent of one that stands in the file."""
    parents = scope.module.parents
    if place in parents:
        parents[node] = parents[place]
    return ast.copy_location(node, place)
