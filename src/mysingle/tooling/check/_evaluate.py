"""Says what an expression is, as far as the checked code tells: aliases, constants, f-strings, instances."""

import ast
import builtins
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from mysingle.tooling.check._libraries import (
    BARE,
    ENVIRONMENT_READERS,
    PASS_THROUGH,
    RETURNS,
    TEXT_METHODS,
    canonical,
    is_settings_base,
)
from mysingle.tooling.check._scopes import Binding, Class, Function, Module, Scope
from mysingle.tooling.check._texts import filled, joined, percent
from mysingle.tooling.check._values import Hole, Items, Made, Number, Object, Package, Ref, Text, Value

if TYPE_CHECKING:
    from mysingle.tooling.check._project import Project

__all__ = ["Evaluator", "argument", "keyword"]

_BUILTINS = frozenset(dir(builtins))
_DEEPEST = 60
_IN_PROGRESS = object()


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


class Evaluator:
    """Evaluates expressions of the modules of one project, each once."""

    def __init__(self, project: "Project") -> None:
        self._project = project
        self._depth = 0
        self._kinds: dict[type[ast.AST], Callable[[Any, Scope], Value | None]] = {
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Constant: self._constant,
            ast.JoinedStr: self._f_string,
            ast.Call: self._call,
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
        if isinstance(found, Text):
            return found
        if isinstance(found, Number):
            return Text((str(found.value),))
        origin = self._origin(node, scope)
        return Text((Hole(_spelled(node), origin="" if origin is node else _spelled(origin)),))

    def _origin(self, node: ast.expr, scope: Scope, depth: int = 0) -> ast.expr:
        """Follow assignments of plain names, `self.x = y` too, back to the first name."""
        found: list[tuple[Binding, Scope]] = []
        if isinstance(node, ast.Name):
            found = [(binding, scope) for binding in scope.names.get(node.id, ()) if binding.line < node.lineno]
        elif isinstance(node, ast.Attribute):
            owner = self.value(node.value, scope)
            found = owner.cls.attributes.get(node.attr, []) if isinstance(owner, Object) else []
        if not found or depth > _DEEPEST:
            return node
        binding, inner = found[-1]
        is_plain = binding.kind in ("value", "annotation") and isinstance(binding.node, ast.Name | ast.Attribute)
        return self._origin(binding.node, inner, depth + 1) if is_plain and binding.node is not node else node

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

    def bases(self, cls: Class) -> tuple[str, ...]:
        """Return the names of the library classes that a class derives from, through classes of the checked code."""
        if cls.bases is None:
            cls.bases = tuple(self._bases(cls, frozenset()))
        return cls.bases

    def _bases(self, cls: Class, seen: frozenset[Class]) -> Iterator[str]:
        for base in cls.node.bases:
            plain = base.value if isinstance(base, ast.Subscript) else base
            found = self.value(plain, cls.outer)
            if isinstance(found, Ref):
                yield found.name
            elif isinstance(found, Class) and found not in seen:
                yield from self._bases(found, seen | {cls})

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
        result: list[tuple[ast.expr, Scope]] = []
        for element in found.node.elts:
            is_many = isinstance(element, ast.Starred)
            result += self.elements(element.value, found.scope) if is_many else [(element, found.scope)]  # type: ignore[attr-defined]  # Starred
        return result

    def definition(self, node: ast.expr, scope: Scope, depth: int = 0) -> tuple[ast.expr, Scope]:
        """Return the expression behind a name, such as that of a type alias, through imports; else the node itself."""
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

    # names

    def _name(self, node: ast.Name, scope: Scope) -> Value | None:
        return self.lookup(node.id, scope, node.lineno)

    def lookup(self, name: str, scope: Scope, line: int) -> Value | None:
        """Return what a name is at a line of its scope, or inside a function that sees the scope."""
        current: Scope | None = scope
        while current is not None:
            visible = current is scope or current.kind != "class"
            bindings = current.names.get(name) if visible else None
            if bindings:
                return self._latest(bindings, current, line if current is scope else None)
            current = current.parent
        return self._starred(name, scope.module) or (
            Ref(f"builtins.{name}") if name in _BUILTINS else Ref(BARE.get(name, name))
        )

    def _starred(self, name: str, module: Module) -> Value | None:
        for binding in module.scope.names.get("*", ()):
            source = self._project.module(binding.node, module)
            if source is not None and name in source.scope.names:
                return self.exported(source, name)
            if source is None and name not in _BUILTINS and name not in BARE:
                return Ref(canonical(f"{binding.node}.{name}"))
        return None

    def exported(self, module: Module, name: str) -> Value | None:
        """Return what a name of another module is."""
        if self._depth > _DEEPEST:  # modules that import a name from each other
            return None
        self._depth += 1
        try:
            bindings = module.scope.names.get(name)
            return self._latest(bindings, module.scope, None) if bindings else self._starred(name, module)
        finally:
            self._depth -= 1

    def _latest(self, bindings: list[Binding], scope: Scope, line: int | None) -> Value | None:
        """Take the last binding before the line that says something; several are branches of an `if` or `try`."""
        if len(bindings) == 1:
            return self._bound(bindings[0], scope)
        before = [binding for binding in bindings if line is None or binding.line < line]
        for binding in [*reversed(before), *(binding for binding in bindings if binding not in before)]:
            found = self._bound(binding, scope)
            if found is not None:
                return found
        return None

    def _bound(self, binding: Binding, scope: Scope) -> Value | None:
        match binding.kind:
            case "function" | "class":
                return binding.extra  # type: ignore[no-any-return]  # a Function or a Class
            case "import":
                return self._imported(binding, scope.module)
            case "value":
                return self.value(binding.node, scope)
            case "annotation":
                found = self.value(binding.node, scope)
                return found if found is not None else self.annotated(binding.extra, scope)
            case "param":
                return self._parameter(binding, scope)
            case "unpack":
                return self._unpacked(binding, scope)
            case "element":
                elements = self.elements(binding.node, scope)
                return self.value(*elements[0]) if elements else None
            case _:
                return None

    def _imported(self, binding: Binding, module: Module) -> Value | None:
        source, name = binding.node, binding.extra
        if name is None:
            return self._project.module(source, module) or self._package(source, module)
        found = self._project.module(source, module) if source else None
        if found is not None and (name in found.scope.names or "*" in found.scope.names):
            return self.exported(found, name)
        full = f"{source}.{name}" if source else name
        return self._project.module(full, module) or self._package(full, module)

    def _package(self, name: str, module: Module) -> Value:
        return Package(name, module) if self._project.is_package(name, module) else Ref(canonical(name))

    def _parameter(self, binding: Binding, scope: Scope) -> Value | None:
        function = scope.owner
        argument_node: ast.arg = binding.node
        if isinstance(function, Function) and function.method_of is not None:
            first = [*function.node.args.posonlyargs, *function.node.args.args][:1]
            if first and first[0] is argument_node and argument_node.arg in ("self", "cls"):
                return Object(function.method_of) if argument_node.arg == "self" else function.method_of
        outer = function.outer if isinstance(function, Function) else scope
        if argument_node.annotation is not None:
            found = self.annotated(argument_node.annotation, outer)
            if found is not None:
                return found
        given = self.value(binding.extra, outer)
        return given if isinstance(given, Made | Object | Function | Ref) else None

    def annotated(self, node: ast.expr, scope: Scope) -> Value | None:
        """Return an instance of what an annotation names, through `X | None`, `Annotated` and quotes."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self._quoted(node.value, scope)
        if isinstance(node, ast.BinOp):
            return self.annotated(node.left, scope) or self.annotated(node.right, scope)
        if isinstance(node, ast.Subscript):
            outer = self.name(node.value, scope).rpartition(".")[2]
            inner = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
            if outer in ("Optional", "Annotated", "Final", "ClassVar", "Union"):
                return self.annotated(inner, scope)
            if outer in ("AsyncIterator", "Iterator", "AsyncGenerator", "Generator", "Awaitable", "Coroutine"):
                return self.annotated(inner, scope)
            return None
        found = self.value(node, scope)
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
        elements = self.elements(binding.node, scope)
        return self.value(*elements[binding.extra]) if binding.extra < len(elements) else None

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Value | None:
        return self.member(self.value(node.value, scope), node.attr)

    def member(self, owner: Value | None, name: str) -> Value | None:
        """Return the attribute of a value."""
        match owner:
            case Ref():
                return self._ref_member(owner, name)
            case Made():
                if is_settings_base(owner.name):
                    return Text((Hole(name, is_env=True),))
                full = canonical(f"{owner.name}.{name}")
                return Made(RETURNS[full]) if name == "parent" and full in RETURNS else Ref(full, owner)
            case Object():
                return self._object_member(owner, name)
            case Class():
                return self._class_member(owner, name, owner)
            case Module():
                return self._module_member(owner, name)
            case Package():
                full = f"{owner.name}.{name}"
                return self._project.module(full, owner.within) or self._package(full, owner.within)
            case _:
                return None

    def _ref_member(self, owner: Ref, name: str) -> Value:
        if owner.last == "settings" or owner.name in ("os.environ",):
            return Ref(f"{owner.name}.{name}") if name.startswith("REDIS_DB") or name.islower() else _env(name)
        return Ref(canonical(f"{owner.name}.{name}"), owner.receiver)

    def _module_member(self, owner: Module, name: str) -> Value | None:
        if name in owner.scope.names:
            return self.exported(owner, name)
        return self._project.module(f"{owner.name}.{name}", owner) if owner.is_package else None

    def _object_member(self, owner: Object, name: str) -> Value | None:
        if self.is_settings(owner.cls):
            is_field = name in owner.cls.scope.names or name.isupper()
            is_method = isinstance(self._class_member(owner.cls, name, owner), Function)
            if is_field and not is_method:
                return _redis_setting(name) or _env(name)
        for binding, scope in reversed(owner.cls.attributes.get(name, ())):
            found = self._bound(binding, scope)
            if found is not None:
                return found
        return self._class_member(owner.cls, name, owner)

    def _class_member(self, cls: Class, name: str, owner: Object | Class, depth: int = 0) -> Value | None:
        if name in cls.scope.names:
            return self._latest(cls.scope.names[name], cls.scope, None)
        for base in cls.node.bases if depth < _DEEPEST else ():
            found = self.value(base.value if isinstance(base, ast.Subscript) else base, cls.outer)
            if isinstance(found, Class) and found is not cls:
                inner = self._inherited(found, name, owner, depth)
            elif isinstance(found, Ref):
                inner = Ref(f"{found.name}.{name}", owner if isinstance(owner, Object) else None)
            else:
                inner = None
            if inner is not None:
                return inner
        return None

    def _inherited(self, cls: Class, name: str, owner: Object | Class, depth: int) -> Value | None:
        for binding, scope in reversed(cls.attributes.get(name, ()) if isinstance(owner, Object) else ()):
            found = self._bound(binding, scope)
            if found is not None:
                return found
        return self._class_member(cls, name, owner, depth + 1)

    # texts and numbers

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
            return percent(left, [self.text(part, scope) for part in given])
        if not isinstance(node.op, ast.Add):
            return None
        right = self.value(node.right, scope)
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
            return _env(self.literal(node.slice, scope) or "")
        if isinstance(owner, Items):
            return self._item(owner, node.slice, scope)
        return owner if isinstance(owner, Class | Ref) else None

    def _item(self, items: Items, key: ast.expr, scope: Scope) -> Value | None:
        """Return the element with a known key; of an unknown one, the first element stands for all."""
        if isinstance(items.node, ast.Dict):
            wanted = self.literal(key, scope)
            keys = [self.literal(part, items.scope) if part is not None else None for part in items.node.keys]
            index = keys.index(wanted) if wanted is not None and wanted in keys else 0
            values = items.node.values
        else:
            index, values = self.number(key, scope) or 0, items.node.elts
        return self.value(values[index], items.scope) if -len(values) <= index < len(values) else None

    # calls

    def _call(self, node: ast.Call, scope: Scope) -> Value | None:
        callee = self.value(node.func, scope)
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
            found = self.value(expression, function.scope)
            if found is not None:
                return found
        returns = None if isinstance(function.node, ast.Lambda) else function.node.returns
        return self.annotated(returns, function.outer) if returns is not None else None

    def _library_call(self, node: ast.Call, callee: Ref, scope: Scope) -> Value | None:
        name = callee.name
        if name in RETURNS:
            return Made(RETURNS[name], node, scope, self.place(node, scope))
        if name in PASS_THROUGH:
            first = node.args[0] if node.args else None
            return self.text(first, scope) if name == "builtins.str" else self.value(first, scope)
        if name in ENVIRONMENT_READERS:
            return _env(self.literal(argument(node, 0, "key"), scope) or "")
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
        return self.value(argument(node, 0, "default"), scope)

    def _call_typing_cast(self, node: ast.Call, scope: Scope) -> Value | None:
        return self.annotated(node.args[0], scope) or self.value(node.args[-1], scope) if node.args else None

    def _call_builtins_getattr(self, node: ast.Call, scope: Scope) -> Value | None:
        name = self.literal(argument(node, 1, "name"), scope)
        return self.member(self.value(node.args[0], scope), name) if name and node.args else None

    def _call_builtins___import__(self, node: ast.Call, scope: Scope) -> Value | None:
        name = self.literal(argument(node, 0, "name"), scope)
        return self._imported(Binding("import", 0, name, None), scope.module) if name else None

    _call_importlib_import_module = _call_builtins___import__

    def _call_urllib_parse_urljoin(self, node: ast.Call, scope: Scope) -> Value | None:
        return joined(self.text(part, scope) for part in node.args)

    def _call_os_path_join(self, node: ast.Call, scope: Scope) -> Value | None:
        return joined(self.text(part, scope) for part in node.args)

    def _text_call(self, node: ast.Call, scope: Scope) -> Value | None:
        if not isinstance(node.func, ast.Attribute):
            return None
        owner, method = self.value(node.func.value, scope), node.func.attr
        if isinstance(owner, Items):
            return self._item(owner, node.args[0], scope) if method == "get" and node.args else None
        if not isinstance(owner, Text):
            return None
        if method == "format":
            named = {given.arg: self.text(given.value, scope) for given in node.keywords if given.arg}
            return filled(owner, [self.text(part, scope) for part in node.args], named)
        if method == "join" and node.args:
            elements = [self.text(part, inner) for part, inner in self.elements(node.args[0], scope)]
            return joined(part for element in elements for part in (element, owner)) if elements else None
        return owner if method in TEXT_METHODS else None


def _env(name: str) -> Text:
    return Text((Hole(name, is_env=True),))


def _redis_setting(name: str) -> Ref | None:
    return Ref(f"mysingle.settings.{name}") if name.startswith("REDIS_DB") else None


def _spelled(node: ast.expr) -> str:
    """Return the name that a reader sees at an expression."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return node.attr
        case ast.Subscript(slice=ast.Constant(value=str() as key)):
            return key
        case ast.Subscript() | ast.Await() | ast.FormattedValue() | ast.Starred():
            return _spelled(node.value)
        case ast.Call(func=func, args=[first, *_]) if _spelled(func) in ("str", "quote", "repr", "get"):
            return str(first.value) if isinstance(first, ast.Constant) else _spelled(first)
        case ast.Call():
            return _spelled(node.func)
        case _:
            return ""
