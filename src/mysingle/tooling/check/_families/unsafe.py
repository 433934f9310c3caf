"""MS81: bytes and texts stay data; nothing turns them into code."""

import ast
import re
import sys
from collections.abc import Iterator

from mysingle.tooling.check._context import Call, Context
from mysingle.tooling.check._libraries import HARMLESS_LIBRARIES
from mysingle.tooling.check._places import named_place
from mysingle.tooling.check._scopes import Binding, Class, Module, Scope, Site
from mysingle.tooling.check._syntax import argument, keyword
from mysingle.tooling.check._values import Ref, Value

__all__ = ["HANDLERS", "suspicious_loads"]

_SERIALISER = re.compile(
    r"(pickle|dill|cloudpickle|jsonpickle)\.(loads?|dumps?|Unpickler|Pickler|decode|encode)$|marshal\.(loads?|dumps?)$"
    r"|shelve\.(open|DbfilenameShelf|Shelf)$|joblib\.(load|dump)$|pandas\.(read_pickle|to_pickle)$|pandas\.DataFrame\.to_pickle$"
    r"|torch\.(load|save)$|numpy\.(load)$|aiocache\.serializers\.PickleSerializer$|kombu\.serialization\.pickle\w*$"
    r"|cashews\.\w*Pickle\w*$"
)
_SOURCES = frozenset({"pickle", "marshal", "shelve", "builtins", "_pickle", "cPickle", "importlib"})
_IMPORTERS = frozenset({"__import__", "getattr", "import_module"})
_EVALUATION = ("builtins.eval", "builtins.exec")
_YAML = (
    "yaml.load",
    "yaml.load_all",
    "yaml.unsafe_load",
    "yaml.unsafe_load_all",
    "yaml.full_load",
    "yaml.full_load_all",
)
_SAFE_LOADERS = ("SafeLoader", "CSafeLoader", "BaseLoader", "CBaseLoader")


def suspicious_loads(module: Module) -> Iterator[Site]:
    """Return the names of a file that could lead to something unsafe; all the others need not be evaluated."""
    imported = {name for scope in _scopes(module) for name, found in scope.names.items() if _is_suspicious(name, found)}
    for node, scope in module.loads:
        base = node
        while isinstance(base, ast.Attribute):
            base = base.value
        if (
            (isinstance(base, ast.Name) and (base.id in imported or base.id in ("eval", "exec")))
            or (
                isinstance(base, ast.Call)
                and _IMPORTERS & {getattr(base.func, "id", ""), getattr(base.func, "attr", "")}
            )
            or ("*" in imported and isinstance(base, ast.Name))
        ):
            yield node, scope


def _scopes(module: Module) -> Iterator[Scope]:
    yield module.scope
    yield from (function.scope for function in module.functions)
    yield from (cls.scope for cls in module.classes)


def _is_suspicious(name: str, bindings: list[Binding]) -> bool:
    return any(
        binding.kind == "star" or (binding.kind == "import" and _may_lead_there(binding)) for binding in bindings
    )


def _may_lead_there(binding: Binding) -> bool:
    """Tell whether an import is a serialiser, or a module that may hand one on."""
    head = str(binding.node).partition(".")[0]
    return head in _SOURCES or (head not in sys.stdlib_module_names and head not in HARMLESS_LIBRARIES)


def _on_load(context: Context, node: ast.expr, scope: Scope, found: Value) -> None:
    if not isinstance(found, Ref) or found.receiver is not None:
        return
    if found.name in _EVALUATION:
        context.report("MS812", _call_around(context, node), f"{found.last}()")
    elif _SERIALISER.match(found.name) and not _is_harmless(context, node, found.name, scope):
        context.report("MS811", _call_around(context, node), found.name)


def _call_around(context: Context, node: ast.expr) -> ast.AST:
    parent = context.parent(node)
    return parent if isinstance(parent, ast.Call) and parent.func is node else node


def _is_harmless(context: Context, node: ast.expr, name: str, scope: Scope) -> bool:
    """Numpy and torch load code only when they are told to."""
    call = _call_around(context, node)
    if name == "numpy.load":
        given = keyword(call, "allow_pickle") if isinstance(call, ast.Call) else None
        return not (isinstance(given, ast.Constant) and given.value is True)
    if name == "torch.save":
        return True
    given = keyword(call, "weights_only") if name == "torch.load" and isinstance(call, ast.Call) else None
    return isinstance(given, ast.Constant) and given.value is True


def _on_call(context: Context, call: Call) -> None:
    if call.callee is not None and not call.is_partial:  # through names that no import binds
        _on_load(context, call.node.func, call.scope, call.callee)
    if call.name in _YAML and not _is_safe_yaml(context, call):
        context.report("MS811", call.node, call.name)
    elif call.name == "builtins.getattr":
        found = context.evaluator.value(call.node, call.scope)
        if isinstance(found, Ref):
            _on_load(context, call.node, call.scope, found)
    elif call.method in ("read_pickle", "to_pickle"):
        context.report("MS811", call.node, call.method)


def _is_safe_yaml(context: Context, call: Call) -> bool:
    if call.method not in ("load", "load_all"):
        return False
    loader = argument(call.node, 1, "Loader")
    return context.evaluator.name(loader, call.scope).endswith(_SAFE_LOADERS)


def _on_text(context: Context, node: ast.Constant | ast.JoinedStr, scope: Scope) -> None:
    """`task_serializer="pickle"`, `conf.accept_content = ["pickle"]`."""
    if isinstance(node, ast.Constant) and node.value in ("pickle", "application/x-python-serialize"):
        place = named_place(context, node, scope)
        if place.name.lower().endswith(("serializer", "serialiser", "accept_content")) and not place.is_harmless:
            context.report("MS811", node, "the serialiser pickle")


def _on_class(context: Context, cls: Class) -> None:
    for base in context.evaluator.bases(cls):
        if _SERIALISER.match(base):
            context.report("MS811", cls.node, cls.name)


HANDLERS = {"load": _on_load, "text": _on_text, "call": _on_call, "class": _on_class}
