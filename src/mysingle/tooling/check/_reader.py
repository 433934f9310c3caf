"""The one walk through a file: it binds names, and keeps the nodes that rules look at."""

import ast
from collections.abc import Callable
from typing import Any, Final

from mysingle.tooling.check._scopes import Binding, Class, Function, FunctionNode, Module, Scope

__all__ = ["read_tree"]

_IGNORED: Final = frozenset(
    {"ctx", "op", "ops", "type_comment", "kind", "simple", "level", "type_ignores", "conversion"}
)
_fields: dict[type[ast.AST], tuple[str, ...]] = {}


def read_tree(tree: ast.Module, module: Module) -> None:
    """Fill a module from its tree."""
    _Reader(module).read(tree)


class _Reader:
    def __init__(self, module: Module) -> None:
        self._module = module
        self._parents = module.parents
        self._scope = module.scope
        self._function: Function | None = None
        self._globals: set[tuple[Scope, str]] = set()
        self._handlers: dict[type[ast.AST], Callable[[Any], None]] = {
            ast.FunctionDef: self._on_function,
            ast.AsyncFunctionDef: self._on_function,
            ast.Lambda: self._on_lambda,
            ast.ClassDef: self._on_class,
            ast.Call: self._on_call,
            ast.Name: self._on_name,
            ast.Attribute: self._on_attribute,
            ast.Constant: self._on_constant,
            ast.JoinedStr: self._on_joined,
            ast.Expr: self._on_expression,
            ast.Assign: self._on_assign,
            ast.AnnAssign: self._on_annotated,
            ast.NamedExpr: self._on_walrus,
            ast.Import: self._on_import,
            ast.ImportFrom: self._on_import_from,
            ast.Await: self._on_await,
            ast.Subscript: self._on_subscript,
            ast.Compare: self._on_compare,
            ast.For: self._on_for,
            ast.AsyncFor: self._on_for,
            ast.comprehension: self._on_for,
            ast.withitem: self._on_with_item,
            ast.ExceptHandler: self._on_except,
            ast.Return: self._on_return,
            ast.Yield: self._on_return,
            ast.Global: self._on_global,
            ast.Nonlocal: self._on_nothing,
            ast.Pass: self._on_nothing,
        }

    def read(self, tree: ast.Module) -> None:
        self._visit_all(tree.body, tree)

    def _visit(self, node: ast.AST, parent: ast.AST) -> None:
        self._parents[node] = parent
        handler = self._handlers.get(type(node))
        if handler is not None:
            handler(node)
        else:
            self._visit_fields(node)

    def _visit_fields(self, node: ast.AST) -> None:
        kind = type(node)
        fields = _fields.get(kind)
        if fields is None:
            fields = _fields[kind] = tuple(name for name in kind._fields if name not in _IGNORED)
        for name in fields:
            value = getattr(node, name, None)
            if value.__class__ is list:
                for item in value:
                    if isinstance(item, ast.AST):
                        self._visit(item, node)
            elif isinstance(value, ast.AST):
                self._visit(value, node)

    def _visit_all(self, nodes: list[Any], parent: ast.AST) -> None:
        for node in nodes:
            if node is not None:
                self._visit(node, parent)

    # definitions

    def _on_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._visit_all(node.decorator_list, node)
        self._visit_signature(node)
        if node.returns is not None:
            self._visit(node.returns, node)
        function = self._enter_function(node)
        self._scope.bind(node.name, Binding("function", node.lineno, node, function))
        self._in_function(function, node.body)

    def _on_lambda(self, node: ast.Lambda) -> None:
        self._visit_signature(node)
        function = self._enter_function(node)
        function.returns.append(node.body)
        self._in_function(function, [node.body])

    def _visit_signature(self, node: FunctionNode) -> None:
        arguments = node.args
        self._parents[arguments] = node
        for argument in _parameters(arguments):
            self._parents[argument] = arguments
            if argument.annotation is not None:
                self._visit(argument.annotation, argument)
        self._visit_all([*arguments.defaults, *arguments.kw_defaults], arguments)

    def _enter_function(self, node: FunctionNode) -> Function:
        scope = Scope("function", self._module, self._scope)
        function = Function(node, scope, self._module, self._scope)
        scope.owner = function
        self._module.functions.append(function)
        if self._function is not None:
            self._function.inner.append(function)
        defaults = _defaults(node.args)
        for argument in _parameters(node.args):
            scope.bind(argument.arg, Binding("param", node.lineno, argument, defaults.get(argument.arg)))
        return function

    def _in_function(self, function: Function, body: list[Any]) -> None:
        scope, outer = self._scope, self._function
        self._scope, self._function = function.scope, function
        self._visit_all(body, function.node)
        self._scope, self._function = scope, outer

    def _on_class(self, node: ast.ClassDef) -> None:
        self._visit_all([*node.decorator_list, *node.bases, *node.keywords], node)
        scope = Scope("class", self._module, self._scope)
        cls = Class(node, scope, self._module, self._scope)
        scope.owner = cls
        self._module.classes.append(cls)
        self._scope.bind(node.name, Binding("class", node.lineno, node, cls))
        outer = self._scope
        self._scope = scope
        self._visit_all(node.body, node)
        self._scope = outer

    # expressions

    def _on_call(self, node: ast.Call) -> None:
        self._module.calls.append((node, self._scope))
        if self._function is not None:
            self._function.calls.append(node)
        self._visit_fields(node)

    def _on_name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._load(node)

    def _on_attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Load):
            self._load(node)
        base: ast.expr = node.value
        parent: ast.expr = node
        while isinstance(base, ast.Attribute):
            self._parents[base] = parent
            base, parent = base.value, base
        self._parents[base] = parent
        if not isinstance(base, ast.Name):
            self._visit(base, parent)

    def _load(self, node: ast.expr) -> None:
        self._module.loads.append((node, self._scope))
        if self._function is not None:
            self._function.loads.append(node)

    def _on_constant(self, node: ast.Constant) -> None:
        if node.value.__class__ is bytes:
            self._module.raw_bytes.append((node, self._scope))
        elif node.value.__class__ is str:
            self._module.texts.append((node, self._scope))
        elif node.value.__class__ is int:
            self._module.numbers.append((node, self._scope))

    def _on_joined(self, node: ast.JoinedStr) -> None:
        self._module.texts.append((node, self._scope))
        for part in node.values:
            self._parents[part] = node
            if isinstance(part, ast.FormattedValue):
                self._visit(part.value, part)

    def _on_expression(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring, or `...`
            self._visit(node.value, node)

    def _on_await(self, node: ast.Await) -> None:
        self._module.awaits.append((node, self._scope))
        self._visit(node.value, node)

    def _on_subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Load):
            self._module.subscripts.append((node, self._scope))
        self._visit_fields(node)

    def _on_compare(self, node: ast.Compare) -> None:
        self._module.compares.append((node, self._scope))
        self._visit_fields(node)

    # bindings

    def _on_assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._bind_target(target, node.value)
            self._visit(target, node)
        self._visit(node.value, node)

    def _on_annotated(self, node: ast.AnnAssign) -> None:
        self._bind_to(node.target, Binding("annotation", node.lineno, node.value, node.annotation))
        self._visit_fields(node)

    def _on_walrus(self, node: ast.NamedExpr) -> None:
        self._bind_target(node.target, node.value)
        self._visit(node.value, node)

    def _bind_target(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            for index, element in enumerate(target.elts):
                self._bind_to(element, Binding("unpack", target.lineno, value, index))
        else:
            self._bind_to(target, Binding("value", target.lineno, value))

    def _bind_to(self, target: ast.expr, binding: Binding) -> None:
        if isinstance(target, ast.Name):
            is_global = (self._scope, target.id) in self._globals
            (self._module.scope if is_global else self._scope).bind(target.id, binding)
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
            cls = self._scope.cls
            if cls is not None:
                cls.attributes.setdefault(target.attr, []).append((binding, self._scope))

    def _on_for(self, node: ast.For | ast.AsyncFor | ast.comprehension) -> None:
        line = node.target.lineno
        if isinstance(node.target, ast.Tuple | ast.List):
            for element in node.target.elts:
                self._bind_to(element, Binding("opaque", line))
        else:
            self._bind_to(node.target, Binding("element", line, node.iter))
        self._visit_fields(node)

    def _on_with_item(self, node: ast.withitem) -> None:
        if node.optional_vars is not None:
            self._bind_target(node.optional_vars, node.context_expr)
        self._visit(node.context_expr, node)

    def _on_except(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._scope.bind(node.name, Binding("opaque", node.lineno))
        self._visit_fields(node)

    def _on_return(self, node: ast.Return | ast.Yield) -> None:
        if node.value is not None:
            if self._function is not None:
                self._function.returns.append(node.value)
            self._visit(node.value, node)

    def _on_global(self, node: ast.Global) -> None:
        self._globals.update((self._scope, name) for name in node.names)

    def _on_nothing(self, _: ast.AST) -> None:
        return

    def _on_import(self, node: ast.Import) -> None:
        self._module.imports.append((node, self._scope))
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            target = alias.name if alias.asname else name
            self._scope.bind(name, Binding("import", node.lineno, target, None))

    def _on_import_from(self, node: ast.ImportFrom) -> None:
        self._module.imports.append((node, self._scope))
        source = _absolute(node, self._module)
        for alias in node.names:
            if alias.name == "*":
                self._scope.bind("*", Binding("star", node.lineno, source))
            else:
                self._scope.bind(alias.asname or alias.name, Binding("import", node.lineno, source, alias.name))


def _parameters(arguments: ast.arguments) -> list[ast.arg]:
    extra = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]


def _defaults(arguments: ast.arguments) -> dict[str, ast.expr | None]:
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = positional[len(positional) - len(arguments.defaults) :]
    found: dict[str, ast.expr | None] = {
        argument.arg: value for argument, value in zip(with_default, arguments.defaults, strict=True)
    }
    found.update(
        (argument.arg, value) for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    )
    return found


def _absolute(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    kept = parts[: len(parts) - node.level + module.is_package]
    return ".".join([*kept, *([node.module] if node.module else [])])
