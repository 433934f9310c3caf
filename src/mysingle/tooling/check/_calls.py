"""What a call returns: an instance, what a function of the checked code returns, a text that was formatted."""

import ast

from mysingle.tooling.check._bindings import Bindings
from mysingle.tooling.check._libraries import ENVIRONMENT_READERS, PASS_THROUGH, RETURNS, TEXT_METHODS
from mysingle.tooling.check._ports import Evaluation
from mysingle.tooling.check._scopes import Binding, Class, Function, Scope
from mysingle.tooling.check._syntax import argument
from mysingle.tooling.check._texts import filled, joined
from mysingle.tooling.check._values import Items, Made, Object, Ref, Text, Value, from_environment

__all__ = ["Calls"]


class Calls:
    """Evaluates calls for an evaluator."""

    def __init__(self, evaluator: Evaluation, bindings: Bindings) -> None:
        self._evaluator = evaluator
        self._bindings = bindings

    def value(self, node: ast.Call, scope: Scope) -> Value | None:
        callee = self._evaluator.value(node.func, scope)
        node = self._evaluator.expanded(node, scope)
        match callee:
            case Class():
                return Object(callee, node, scope)
            case Function():
                return self.returned(callee)
            case Ref():
                return self._library_call(node, callee, scope)
            case _:
                return self._text_call(node, scope)

    def returned(self, function: Function) -> Value | None:
        """Return what a call of a function of the checked code returns or yields."""
        for expression in reversed(function.returns):
            found = self._evaluator.value(expression, function.scope)
            if found is not None:
                return found
        returns = None if isinstance(function.node, ast.Lambda) else function.node.returns
        return self._bindings.annotated(returns, function.outer) if returns is not None else None

    def _library_call(self, node: ast.Call, callee: Ref, scope: Scope) -> Value | None:
        name = callee.name
        if name in RETURNS:
            return Made(RETURNS[name], node, scope, self.place(node, scope))
        if name in PASS_THROUGH:
            first = node.args[0] if node.args else None
            return self._evaluator.text(first, scope) if name == "builtins.str" else self._evaluator.value(first, scope)
        if name in ENVIRONMENT_READERS:
            return from_environment(self._evaluator.literal(argument(node, 0, "key"), scope) or "")
        special = getattr(self, f"_call_{name.replace('.', '_')}", None)
        if special is not None:
            return special(node, scope)  # type: ignore[no-any-return]  # one of the methods below
        if callee.last[:1].isupper() or callee.last == "APIRouter":
            return Made(name, node, scope, self.place(node, scope))
        return None

    @staticmethod
    def place(node: ast.expr, scope: Scope) -> tuple[str, int, int]:
        """Return where an expression stands."""
        return (str(scope.module.path), node.lineno, node.col_offset)

    def _call_pydantic_Field(self, node: ast.Call, scope: Scope) -> Value | None:  # noqa: N802  # the library's name
        return self._evaluator.value(argument(node, 0, "default"), scope)

    def _call_builtins_dict(self, node: ast.Call, scope: Scope) -> Value | None:
        if not node.keywords:
            return self._evaluator.value(node.args[0], scope) if node.args else None
        keys = [ast.Constant(part.arg) if part.arg is not None else None for part in node.keywords]
        values = [part.value for part in node.keywords]
        return Items(ast.Dict(keys=[*(None for _ in node.args), *keys], values=[*node.args, *values]), scope)

    def _call_typing_cast(self, node: ast.Call, scope: Scope) -> Value | None:
        return (
            self._bindings.annotated(node.args[0], scope) or self._evaluator.value(node.args[-1], scope)
            if node.args
            else None
        )

    def _call_builtins_getattr(self, node: ast.Call, scope: Scope) -> Value | None:
        name = self._evaluator.literal(argument(node, 1, "name"), scope)
        return self._evaluator.member(self._evaluator.value(node.args[0], scope), name) if name and node.args else None

    def _call_builtins___import__(self, node: ast.Call, scope: Scope) -> Value | None:
        name = self._evaluator.literal(argument(node, 0, "name"), scope)
        return self._bindings.imported(Binding("import", 0, name, None), scope.module) if name else None

    _call_importlib_import_module = _call_builtins___import__

    def _call_urllib_parse_urljoin(self, node: ast.Call, scope: Scope) -> Value | None:
        return joined(self._evaluator.text(part, scope) for part in node.args)

    def _call_os_path_join(self, node: ast.Call, scope: Scope) -> Value | None:
        return joined(self._evaluator.text(part, scope) for part in node.args)

    def _text_call(self, node: ast.Call, scope: Scope) -> Value | None:
        if not isinstance(node.func, ast.Attribute):
            return None
        owner, method = self._evaluator.value(node.func.value, scope), node.func.attr
        if isinstance(owner, Items):
            return self._evaluator.item(owner, node.args[0], scope) if method == "get" and node.args else None
        if not isinstance(owner, Text):
            return None
        if method == "format":
            named = {given.arg: self._evaluator.text(given.value, scope) for given in node.keywords if given.arg}
            return filled(owner, [self._evaluator.text(part, scope) for part in node.args], named)
        if method == "join" and node.args:
            elements = [
                self._evaluator.text(part, inner) for part, inner in self._evaluator.elements(node.args[0], scope)
            ]
            return joined(part for element in elements for part in (element, owner)) if elements else None
        return owner if method in TEXT_METHODS else None
