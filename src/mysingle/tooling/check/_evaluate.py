"""Says what an expression is, as far as the checked code tells: aliases, constants, f-strings, instances."""

import ast
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from mysingle.tooling.check._bindings import Bindings
from mysingle.tooling.check._calls import Calls
from mysingle.tooling.check._expansion import Expansion
from mysingle.tooling.check._libraries import is_settings_base
from mysingle.tooling.check._members import Members
from mysingle.tooling.check._ports import Modules
from mysingle.tooling.check._scopes import Binding, Class, Function, Module, Scope
from mysingle.tooling.check._syntax import Placed, spelled
from mysingle.tooling.check._texts import joined, percent
from mysingle.tooling.check._values import Hole, Items, Made, Number, Object, Ref, Text, Value, from_environment

__all__ = ["Evaluator"]

_DEEPEST = 60
_PROPERTIES = ("builtins.property", "functools.cached_property")
_MOST_ELEMENTS = 10_000
_IN_PROGRESS = object()
_ARITHMETIC: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: int.__add__,
    ast.Sub: int.__sub__,
    ast.Mult: int.__mul__,
}
_GENERIC = frozenset({"url", "uri", "base_url", "host", "hostname", "address", "endpoint", "target"})


class Evaluator:
    """Evaluates expressions of the modules of one project, each once."""

    def __init__(self, modules: Modules) -> None:
        self._bindings = Bindings(self, modules)
        self._members = Members(self, self._bindings, modules)
        self._expansion = Expansion(self)
        self._calls = Calls(self, self._bindings)
        self._modules = modules
        self._depth = 0
        self._kinds: dict[type[ast.AST], Callable[[Any, Scope], Value | None]] = {
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Constant: self._constant,
            ast.JoinedStr: self._f_string,
            ast.Call: self._calls.value,
            ast.Await: lambda node, scope: self.value(node.value, scope),
            ast.Starred: lambda node, scope: self.value(node.value, scope),
            ast.NamedExpr: lambda node, scope: self.value(node.value, scope),
            ast.BinOp: self._operation,
            ast.BoolOp: self._boolean,
            ast.IfExp: lambda node, scope: self.value(node.body, scope) or self.value(node.orelse, scope),
            ast.Subscript: self._subscript,
            ast.Dict: Items,
            ast.List: Items,
            ast.Tuple: Items,
            ast.Set: Items,
            Placed: lambda node, _: self.value(node.node, node.scope),
        }

    def value(self, node: ast.expr | None, scope: Scope) -> Value | None:
        """Return what an expression is; None when the code does not tell."""
        kind = self._kinds.get(type(node)) if node is not None else None
        if node is None or kind is None:
            return None
        memo = scope.module.memo
        found = memo.get(node)
        if found is _IN_PROGRESS or self._depth > _DEEPEST:
            return None
        if found is not None or node in memo:
            return found
        memo[node] = _IN_PROGRESS
        self._depth += 1
        try:
            result = kind(node, scope)
        finally:
            self._depth -= 1
        memo[node] = result
        return result

    def text(self, node: ast.expr | None, scope: Scope) -> Text | None:
        """Return an expression as a text; what is not known becomes a hole with the name that it has in the code."""
        if node is None:
            return None
        found = self.value(node, scope)
        if isinstance(found, Function) and isinstance(node, ast.Attribute) and self.is_property(found):
            found = self.returned(found)
        if isinstance(found, Text):
            return found
        if isinstance(found, Number):
            return Text((str(found.value),))
        if isinstance(node, ast.Attribute) and node.attr.lower() in _GENERIC:  # `notification_service.url`
            return Text((Hole(node.attr, origin=spelled(node.value)),))
        origin = self._bindings.origin(node, scope)
        return Text((Hole(spelled(node), origin="" if origin is node else spelled(origin)),))

    def name(self, node: ast.expr | None, scope: Scope) -> str:
        """Return the full name of the thing of a library that an expression is; empty when it is none."""
        found = self.value(node, scope)
        return found.name if isinstance(found, Ref) else ""

    def kind(self, node: ast.expr | None, scope: Scope) -> str:
        """Return the class of an instance; empty when it is not known."""
        found = self.value(node, scope)
        if isinstance(found, Made):
            return found.name
        if isinstance(found, Object):
            return next(iter(self.bases(found.cls)), "")
        return ""

    def literal(self, node: ast.expr | None, scope: Scope) -> str | None:
        """Return the text that an expression is, when all of it stands in the code."""
        found = self.value(node, scope)
        return found.literal if isinstance(found, Text) else None

    def number(self, node: ast.expr | None, scope: Scope) -> int | None:
        """Return the number that an expression is, when it stands in the code."""
        found = self.value(node, scope)
        return found.value if isinstance(found, Number) else None

    def default_number(self, node: ast.expr, scope: Scope) -> int | None:
        """Return the number that a parameter is when nobody gives it."""
        bindings = scope.names.get(node.id, ()) if isinstance(node, ast.Name) else ()
        return next((self.number(found.extra, scope) for found in bindings if found.kind == "param"), None)

    def bases(self, cls: Class) -> tuple[str, ...]:
        """Return the names of the library classes that a class derives from, through classes of the checked code."""
        if cls.bases is None:
            cls.bases = tuple(self._bases(cls, {cls}))
        return cls.bases

    def _bases(self, cls: Class, seen: set[Class]) -> Iterator[str]:
        for base in cls.node.bases:
            plain = base.value if isinstance(base, ast.Subscript) else base
            found = self.value(plain, cls.outer)
            if isinstance(found, Ref):
                yield found.name
            elif isinstance(found, Class) and found not in seen:
                seen.add(found)
                yield from self._bases(found, seen)

    def derives(self, cls: Class, name: str) -> bool:
        """Tell whether a class derives from a library class."""
        return name in self.bases(cls)

    def is_settings(self, cls: Class) -> bool:
        """Tell whether the values of a class come from the environment."""
        return any(is_settings_base(name) for name in self.bases(cls))

    def elements(self, node: ast.expr | None, scope: Scope) -> list[tuple[ast.expr, Scope]]:
        """Return the elements of a list, tuple or set, through names, `[*a, b]` and `a + b`."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return [*self.elements(node.left, scope), *self.elements(node.right, scope)]
        found = self.value(node, scope)
        if not isinstance(found, Items) or isinstance(found.node, ast.Dict):
            return []
        known = found.scope.module.elements
        if found.node not in known:
            known[found.node] = []  # a list that holds itself: `args = [*args, x]`
            known[found.node] = list(islice(self._spread(found), _MOST_ELEMENTS))
        return known[found.node]

    def _spread(self, items: Items) -> Iterator[tuple[ast.expr, Scope]]:
        for element in items.node.elts if not isinstance(items.node, ast.Dict) else ():
            if isinstance(element, ast.Starred):
                yield from self.elements(element.value, items.scope)
            else:
                yield element, items.scope

    def entries(self, node: ast.expr | None, scope: Scope) -> dict[str, tuple[ast.expr, Scope]]:
        """Return the entries of a dict whose keys stand in the code, through names and `{**a, **b}`."""
        found = self.value(node, scope)
        if not isinstance(found, Items) or not isinstance(found.node, ast.Dict):
            return {}
        known = found.scope.module.entries
        if found.node not in known:
            known[found.node] = {}  # a dict that holds itself
            result: dict[str, tuple[ast.expr, Scope]] = {}
            for key, value in zip(found.node.keys, found.node.values, strict=True):
                if key is None:
                    result |= self.entries(value, found.scope)
                elif (name := self.literal(key, found.scope)) is not None:
                    result[name] = (value, found.scope)
            known[found.node] = result
        return known[found.node]

    def source(self, binding: Binding, within: Module) -> Module | None:
        """Return the module of the checked code from which a name is imported."""
        return self._modules.module(binding.node, within) if binding.extra is not None and binding.node else None

    def expanded(self, node: ast.Call, scope: Scope) -> ast.Call:
        """Return a call with what `*args`, `**options` and a `partial` give it, as far as the code tells."""
        return self._expansion.expanded(node, scope)

    def bound_call(self, node: ast.Call, scope: Scope) -> ast.Call | None:
        """Return the call that a `partial` prepares; None for other calls."""
        return self._expansion.bound_call(node, scope)

    def is_property(self, function: Function) -> bool:
        """Tell whether a function is read like an attribute."""
        return any(self.name(part, function.outer) in _PROPERTIES for part in function.decorators)

    def returned(self, function: Function) -> Value | None:
        """Return what a call of a function of the checked code returns or yields."""
        return self._calls.returned(function)

    def definition(self, node: ast.expr, scope: Scope) -> tuple[ast.expr, Scope]:
        """Return the expression behind a name, such as that of a type alias, through imports; else the node itself."""
        return self._bindings.definition(node, scope)

    def lookup(self, name: str, scope: Scope, line: int) -> Value | None:
        """Return what a name is at a line of its scope, or inside a function that sees the scope."""
        return self._bindings.lookup(name, scope, line)

    def exported(self, module: Module, name: str) -> Value | None:
        """Return what a name of another module is."""
        return self._bindings.exported(module, name)

    def member(self, owner: Value | None, name: str) -> Value | None:
        """Return the attribute of a value."""
        return self._members.member(owner, name)

    def _name(self, node: ast.Name, scope: Scope) -> Value | None:
        return self._bindings.lookup(node.id, scope, node.lineno)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Value | None:
        return self._members.member(self.value(node.value, scope), node.attr)

    def _constant(self, node: ast.Constant, _: Scope) -> Value | None:
        if isinstance(node.value, str):
            return Text((node.value,))
        if isinstance(node.value, bytes):
            return Text((node.value.decode("latin-1"),))
        return Number(node.value) if type(node.value) is int else None

    def _f_string(self, node: ast.JoinedStr, scope: Scope) -> Value:
        parts = [self.text(part.value if isinstance(part, ast.FormattedValue) else part, scope) for part in node.values]
        return joined(part for part in parts if part is not None)

    def _operation(self, node: ast.BinOp, scope: Scope) -> Value | None:
        left = self.value(node.left, scope)
        if isinstance(node.op, ast.Div):
            if isinstance(left, Made) and left.name == "pathlib.Path":
                return left
            return joined([left, Text(("/",)), self.text(node.right, scope)]) if isinstance(left, Text) else None
        if isinstance(node.op, ast.Mod) and isinstance(left, Text):
            given = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
            named = {name: self.text(*entry) for name, entry in self.entries(node.right, scope).items()}
            return percent(left, [self.text(part, scope) for part in given], named)
        right = self.value(node.right, scope)
        if (isinstance(left, Number) or isinstance(right, Number)) and not isinstance(left, Text):
            return _computed(node.op, left, right)
        if isinstance(node.op, ast.BitOr) and isinstance(left, Items) and isinstance(right, Items):
            return Items(ast.Dict(keys=[None, None], values=[node.left, node.right]), scope)
        if not isinstance(node.op, ast.Add):
            return None
        if isinstance(left, Text) or isinstance(right, Text):
            return joined([self.text(node.left, scope), self.text(node.right, scope)])
        return left if isinstance(left, Items) else right

    def _boolean(self, node: ast.BoolOp, scope: Scope) -> Value | None:
        for part in node.values:
            found = self.value(part, scope)
            if found is not None:
                return found
        return None

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Value | None:
        owner = self.value(node.value, scope)
        if isinstance(owner, Ref) and owner.name == "os.environ":
            return from_environment(self.literal(node.slice, scope) or "")
        if isinstance(owner, Items):
            return self.item(owner, node.slice, scope)
        if isinstance(owner, Made):
            return owner if owner.name == "pymongo.MongoClient" else None
        return owner if isinstance(owner, Class | Ref) else None

    def item(self, items: Items, key: ast.expr, scope: Scope) -> Value | None:
        """Return the element with a known key; of an unknown one, the first element stands for all."""
        if isinstance(items.node, ast.Dict):
            wanted = self.literal(key, scope)
            entries = self.entries(items.node, items.scope)
            if wanted in entries:
                return self.value(*entries[wanted])
            index, values = 0, items.node.values
        else:
            index, values = self.number(key, scope) or 0, items.node.elts
        return self.value(values[index], items.scope) if -len(values) <= index < len(values) else None


def _computed(operator: ast.operator, left: Value | None, right: Value | None) -> Value | None:
    """Return a sum, difference or product of two numbers that stand in the code; a number and more is not known."""
    if not (isinstance(left, Number) and isinstance(right, Number)):
        return None
    compute = _ARITHMETIC.get(type(operator))
    return Number(compute(left.value, right.value)) if compute else None
