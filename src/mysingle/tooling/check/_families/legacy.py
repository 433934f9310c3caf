"""MS9: what version 1 had and version 2 has not."""

import ast
from collections.abc import Mapping

from mysingle.tooling.check._context import Call, Context
from mysingle.tooling.check._scopes import Class, Scope
from mysingle.tooling.check._syntax import keyword
from mysingle.tooling.check._values import Ref
from mysingle.tooling.check.findings import Edit, Span

__all__ = ["HANDLERS", "MOVED"]

MOVED: Mapping[str, str] = {
    "mysingle.base.models": "mysingle.core.base",
    "mysingle.base.schemas": "mysingle.core.base",
    "mysingle.base.documents": "mysingle.core.base",
    "mysingle.base": "mysingle.core.base",
    "mysingle.logging.structured_logging": "mysingle.core.logging",
    "mysingle.logging": "mysingle.core.logging",
    "mysingle.metrics": "mysingle.core.metrics",
    "mysingle.health": "mysingle.core.health",
    "mysingle.audit": "mysingle.core.audit",
    "mysingle.email": "mysingle.core.email",
    "mysingle.core.middleware": "mysingle.core.logging",
    "mysingle_protos": "mysingle.protos",
    "protos": "mysingle.protos",
}
"""Old module → new module; what stands below moves along."""
_REMOVED_MODULES = (
    "mysingle.core.http_client",
    "mysingle.clients.http_client",
    "mysingle.examples",
    "mysingle.base.enums",
)
_REMOVED = frozenset(
    [
        "BaseServiceClient",
        "ServiceHttpClient",
        "ServiceHttpClientManager",
        "create_service_http_client",
        "get_service_http_client",
        "make_service_request",
        "http_client_lifespan",
        "HttpClientConfig",
    ]
)
_RENAMED: Mapping[str, str] = {
    "setup_logging_legacy": "use `setup_logging`",
    "configure_logging_for_service": "use `setup_logging`",
    "HEADER_KONG_CONSUMER_ID": "there is no consumer any more; use `HEADER_USER_ID`",
    "HEADER_KONG_USER_ID": "use `HEADER_USER_ID`",
    "HybridUserCache": "use `create_user_cache`",
    "RedisUserCache": "use `create_user_cache`",
    "GrpcCache": "use `create_grpc_cache`",
}
_CACHES = ("mysingle.GrpcCache", "mysingle.RedisUserCache", "mysingle.HybridUserCache")
_GONE_ENUMS = frozenset({"SeverityLevel", "TaskStatus", "LogLevel"})
_OLD_ROOT = "mysingle_quant"


def _on_import(context: Context, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
    if isinstance(node, ast.Import):
        for alias in node.names:
            _check_module(context, alias, alias.name, has_alias=alias.asname is not None)
    elif node.module and not node.level:
        _check_from(context, node, node.module)


def _check_module(context: Context, alias: ast.alias, name: str, *, has_alias: bool) -> None:
    target = _new_place(context, name, ())
    if target is None:
        return
    edits = (Edit(_head(context, alias, name), target),) if has_alias and target else ()
    _report(context, alias, name, target, edits)


def _check_from(context: Context, node: ast.ImportFrom, module: str) -> None:
    for alias in node.names:
        full = f"{module}.{alias.name}"
        if _is_ours(module) and alias.name in _REMOVED:
            context.report("MS902", alias, full)
        elif _is_ours(module) and alias.name in _RENAMED and alias.name != "GrpcCache":
            context.report("MS903", alias, f"{alias.name}: {_RENAMED[alias.name]}")
    if _is_submodule_import(context, node, module):
        return
    target = _new_place(context, module, tuple(alias.name for alias in node.names))
    if target is None:
        return
    gone = [
        alias.name for alias in node.names if alias.name in _REMOVED | _GONE_ENUMS or _is_module(module, alias.name)
    ]
    edits = (Edit(_module_span(context, node, module), target),) if target and not gone else ()
    _report(context, node, module, target, edits)


def _is_module(package: str, name: str) -> bool:
    """`from mysingle.base import models`: a module that the new package does not have."""
    full = f"{package}.{name}"
    return full in MOVED or full in _REMOVED_MODULES


def _is_submodule_import(context: Context, node: ast.ImportFrom, module: str) -> bool:
    """`from mysingle import base`."""
    if module not in ("mysingle", "mysingle.core"):
        return False
    for alias in node.names:
        full = f"{module}.{alias.name}"
        if full in MOVED or full in _REMOVED_MODULES:
            _report(context, alias, full, _new_place(context, full, ()), ())
    return True


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in ("mysingle", _OLD_ROOT)


def _new_place(context: Context, module: str, names: tuple[str, ...]) -> str | None:
    """Return the module of version 2; empty when there is none, None when the module is right."""
    is_old = module.partition(".")[0] == _OLD_ROOT
    current = module.replace(_OLD_ROOT, "mysingle", 1) if is_old else module
    if any(current == gone or current.startswith(f"{gone}.") for gone in _REMOVED_MODULES):
        return ""
    if module.partition(".")[0] == "protos" and not _is_generated_elsewhere(context, module):
        return None
    for old, new in MOVED.items():
        if current == old:
            return new
        if current.startswith(f"{old}."):
            return new if old.startswith("mysingle.") else new + current[len(old) :]
    return current if is_old else None


def _is_generated_elsewhere(context: Context, module: str) -> bool:
    """`protos` was a repository of its own; a folder `protos` of the service is something else."""
    is_local = any((root / "protos").is_dir() for root in context.module.roots)
    return not is_local and module.endswith(("_pb2", "_pb2_grpc"))


def _report(context: Context, node: ast.AST, old: str, new: str | None, edits: tuple[Edit, ...]) -> None:
    if new == "":
        context.report("MS902", node, old)
    elif new is not None:
        context.report("MS901", node, f"{old}` is now `{new}", edits)


def _head(context: Context, alias: ast.alias, name: str) -> Span:
    span = context.span(alias)
    return Span(span.line, span.column, span.line, span.column + len(name))


def _module_span(context: Context, node: ast.ImportFrom, module: str) -> Span:
    span = context.span(node)
    line = context.source.lines[span.line - 1]
    start = line.find(module, span.column + 3) + 1
    return Span(span.line, start, span.line, start + len(module))


def _on_call(context: Context, call: Call) -> None:
    if call.name in ("importlib.import_module", "builtins.__import__"):
        given = context.evaluator.literal(call.node.args[0] if call.node.args else None, call.scope)
        if given is not None:
            _check_dynamic(context, call, given)
    elif call.name in _CACHES and keyword(call.node, "redis_db") is not None:
        about = f"{call.method}(redis_db=...): the argument is gone; {_RENAMED[call.method]}"
        context.report("MS903", call.node, about)


def _check_dynamic(context: Context, call: Call, name: str) -> None:
    target = _new_place(context, name, ())
    if target is not None:
        _report(context, call.node, name, target, ())


def _on_class(context: Context, cls: Class) -> None:
    for base in cls.node.bases:
        found = context.evaluator.value(base, cls.outer)
        if isinstance(found, Ref) and found.name.startswith("mysingle.") and found.last in _REMOVED:
            context.report("MS902", base, found.last)


HANDLERS = {"import": _on_import, "call": _on_call, "class": _on_class}
