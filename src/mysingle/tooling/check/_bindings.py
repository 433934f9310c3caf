"""What a name is bound to: assignments, imports, parameters with annotations, definitions, in this file or another."""

import ast
import builtins

from mysingle.tooling.check._libraries import BARE, canonical
from mysingle.tooling.check._ports import Evaluation, Modules
from mysingle.tooling.check._scopes import Binding, Class, Function, Module, Scope
from mysingle.tooling.check._syntax import Placed
from mysingle.tooling.check._values import Made, Object, Package, Ref, Text, Value

__all__ = ["Bindings"]

_BUILTINS = frozenset(dir(builtins))
_DEEPEST = 60
_SAME = ("Optional", "Annotated", "Final", "ClassVar", "Union")
_GIVING = ("AsyncIterator", "Iterator", "AsyncGenerator", "Generator", "Awaitable", "Coroutine")


class Bindings:
    """Looks up names for an evaluator."""

    def __init__(self, evaluator: Evaluation, project: Modules) -> None:
        self._evaluator = evaluator
        self._project = project
        self._depth = 0

    def lookup(self, name: str, scope: Scope, line: int) -> Value | None:
        """Return what a name is at a line of its scope, or inside a function that sees the scope."""
        current: Scope | None = scope
        while current is not None:
            visible = current is scope or current.kind != "class"
            bindings = current.names.get(name) if visible else None
            if bindings:
                return self.latest(bindings, current, line if current is scope else None)
            current = current.parent
        return self._starred(name, scope.module) or (
            Ref(f"builtins.{name}") if name in _BUILTINS else Ref(BARE.get(name, name))
        )

    def _starred(self, name: str, module: Module) -> Value | None:
        for binding in module.scope.names.get("*", ()):
            source = self._project.module(binding.node, module)
            if source is not None:
                found = self.exported(source, name) if {name, "*"} & source.scope.names.keys() else None
            else:
                is_known = name in _BUILTINS or name in BARE
                found = None if is_known else Ref(canonical(f"{binding.node}.{name}"))
            if found is not None:
                return found
        return None

    def exported(self, module: Module, name: str) -> Value | None:
        """Return what a name of another module is."""
        if self._depth > _DEEPEST:  # modules that import a name from each other
            return None
        self._depth += 1
        try:
            bindings = module.scope.names.get(name)
            return self.latest(bindings, module.scope, None) if bindings else self._starred(name, module)
        finally:
            self._depth -= 1

    def latest(self, bindings: list[Binding], scope: Scope, line: int | None) -> Value | None:
        """Take the last binding before the line that says something; several are branches of an `if` or `try`."""
        if len(bindings) == 1:
            return self.bound(bindings[0], scope)
        before = [binding for binding in bindings if line is None or binding.line < line]
        behind = [binding for binding in bindings if line is not None and binding.line >= line]
        for binding in (*reversed(before), *behind):
            found = self.bound(binding, scope)
            if found is not None:
                return found
        return None

    def bound(self, binding: Binding, scope: Scope) -> Value | None:
        match binding.kind:
            case "function" | "class":
                return binding.extra  # type: ignore[no-any-return]  # a Function or a Class
            case "import":
                return self.imported(binding, scope.module)
            case "value":
                return self._evaluator.value(binding.node, scope)
            case "annotation":
                found = self._evaluator.value(binding.node, scope)
                return found if found is not None else self.annotated(binding.extra, scope)
            case "param":
                return self._parameter(binding, scope)
            case "unpack":
                return self._unpacked(binding, scope)
            case "element":
                return self._element(binding, scope)
            case _:
                return None

    def _element(self, binding: Binding, scope: Scope) -> Value | None:
        """Return what the first element of a list is, or what a comprehension makes each of."""
        elements = self._evaluator.elements(binding.node, scope)
        if elements:
            return self._evaluator.value(*elements[0])
        made, inner = self.definition(binding.node, scope)
        is_made = isinstance(made, ast.ListComp | ast.SetComp | ast.GeneratorExp)
        return self._evaluator.value(made.elt, inner) if is_made else None  # type: ignore[attr-defined]  # as asked

    def imported(self, binding: Binding, module: Module) -> Value | None:
        source, name = binding.node, binding.extra
        if name is None:
            return self._project.module(source, module) or self.package(source, module)
        found = self._project.module(source, module) if source else None
        if found is not None and (name in found.scope.names or "*" in found.scope.names):
            return self.exported(found, name)
        full = f"{source}.{name}" if source else name
        return self._project.module(full, module) or self.package(full, module)

    def package(self, name: str, module: Module) -> Value:
        return Package(name, module) if self._project.is_package(name, module) else Ref(canonical(name))

    def _parameter(self, binding: Binding, scope: Scope) -> Value | None:
        function = scope.owner
        argument_node: ast.arg = binding.node
        if isinstance(function, Function) and function.method_of is not None:
            first = [*function.node.args.posonlyargs, *function.node.args.args][:1]
            if first and first[0] is argument_node and argument_node.arg in ("self", "cls"):
                return Object(function.method_of) if argument_node.arg == "self" else function.method_of
        outer = function.outer if isinstance(function, Function) else scope
        given = self._evaluator.value(binding.extra, outer)
        if isinstance(given, Text) and "://" in given.shape:  # an address is one, whoever else may give another
            return given
        if argument_node.annotation is not None:
            found = self.annotated(argument_node.annotation, outer)
            if found is not None:
                return found
        return given if isinstance(given, Made | Object | Function | Ref) else None

    def annotated(self, node: ast.expr, scope: Scope) -> Value | None:
        """Return an instance of what an annotation names, through `X | None`, `Annotated` and quotes."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self._quoted(node.value, scope)
        if isinstance(node, ast.BinOp):
            return self.annotated(node.left, scope) or self.annotated(node.right, scope)
        if isinstance(node, ast.Subscript):
            outer = self._evaluator.name(node.value, scope).rpartition(".")[2]
            inner = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
            return self.annotated(inner, scope) if outer in (*_SAME, *_GIVING) else None
        found = self._evaluator.value(node, scope)
        if isinstance(found, Class):
            return Object(found)
        is_class = isinstance(found, Ref) and (found.last[:1].isupper() or found.name.startswith("builtins."))
        if isinstance(found, Ref) and is_class and "." in found.name:
            return Made(found.name)
        return None

    def _quoted(self, source: str, scope: Scope) -> Value | None:
        try:
            return self.annotated(ast.parse(source, mode="eval").body, scope)
        except (SyntaxError, ValueError):
            return None

    def _unpacked(self, binding: Binding, scope: Scope) -> Value | None:
        elements = self._evaluator.elements(binding.node, scope)
        return self._evaluator.value(*elements[binding.extra]) if binding.extra < len(elements) else None

    def definition(self, node: ast.expr, scope: Scope, depth: int = 0) -> tuple[ast.expr, Scope]:
        """Return the expression behind a name, such as that of a type alias, through imports; else the node itself."""
        if isinstance(node, Placed):
            return self.definition(node.node, node.scope, depth + 1)
        if depth > _DEEPEST or not isinstance(node, ast.Name):
            return node, scope
        current: Scope | None = scope
        while current is not None and node.id not in current.names:
            current = current.parent
        if current is None:
            return node, scope
        return self._defined(current.names[node.id][-1], current, depth) or (node, scope)

    def _defined(self, binding: Binding, scope: Scope, depth: int) -> tuple[ast.expr, Scope] | None:
        if binding.kind in ("value", "annotation") and isinstance(binding.node, ast.expr):
            return self.definition(binding.node, scope, depth + 1)
        if binding.kind == "import" and binding.extra is not None and binding.node:
            module = self._project.module(binding.node, scope.module)
            found = module.scope.names.get(binding.extra) if module is not None else None
            return self._defined(found[-1], module.scope, depth + 1) if found and module is not None else None
        return None

    def origin(self, node: ast.expr, scope: Scope, depth: int = 0) -> ast.expr:
        """Follow assignments of plain names, `self.x = y` too, back to the first name."""
        found: list[tuple[Binding, Scope]] = []
        if isinstance(node, ast.Name):
            found = [(binding, scope) for binding in scope.names.get(node.id, ()) if binding.line < node.lineno]
        elif isinstance(node, ast.Attribute):
            owner = self._evaluator.value(node.value, scope)
            found = owner.cls.attributes.get(node.attr, []) if isinstance(owner, Object) else []
        if not found or depth > _DEEPEST:
            return node
        binding, inner = found[-1]
        is_plain = binding.kind in ("value", "annotation") and isinstance(binding.node, ast.Name | ast.Attribute)
        return self.origin(binding.node, inner, depth + 1) if is_plain and binding.node is not node else node
