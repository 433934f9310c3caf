"""Checks one file: parse, walk, hand each node to the rules that want it."""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mysingle.tooling.check._context import Call, Context
from mysingle.tooling.check._families import (
    addresses,
    blocking,
    http,
    identity,
    legacy,
    redis,
    routes,
    rpc,
    secrets,
    service,
    unsafe,
)
from mysingle.tooling.check._families.unsafe import suspicious_loads
from mysingle.tooling.check._project import Project
from mysingle.tooling.check._scopes import Module, Scope
from mysingle.tooling.check._services import Service
from mysingle.tooling.check._sources import Source
from mysingle.tooling.check._suppressions import apply_suppressions
from mysingle.tooling.check._values import Ref
from mysingle.tooling.check.findings import Finding, Span
from mysingle.tooling.check.rules import RULES

__all__ = ["check_source", "unusable"]

_FAMILIES = (http, identity, routes, rpc, addresses, redis, blocking, service, secrets, unsafe, legacy)
_Handlers = Sequence[Callable[..., None]]


def _of(kind: str) -> _Handlers:
    families: list[Mapping[str, Any]] = [family.HANDLERS for family in _FAMILIES]
    return [handlers[kind] for handlers in families if kind in handlers]


_ON_CALL, _ON_LOAD, _ON_CLASS, _ON_FUNCTION = _of("call"), _of("load"), _of("class"), _of("function")
_ON_SITES: tuple[tuple[str, _Handlers], ...] = (
    ("texts", _of("text")),
    ("raw_bytes", _of("bytes")),
    ("numbers", _of("number")),
    ("awaits", _of("await")),
    ("subscripts", _of("subscript")),
    ("imports", _of("import")),
    ("compares", _of("compare")),
)


def unusable(source_path: str, code: str, about: str, line: int = 1, column: int = 1, text: str = "") -> Finding:
    """Return the finding for a file that cannot be checked."""
    span = Span(max(line, 1), max(column, 1), max(line, 1), max(column, 1) + 1)
    return Finding(code=code, path=source_path, span=span, message=RULES[code].message.format(about=about), source=text)


def check_source(
    source: Source, project: Project, service: Service, active: frozenset[str], **hosts: Any
) -> list[Finding]:
    """Return what is wrong with one file, without what it suppresses, in order."""
    try:
        module = project.parse(source)
    except SyntaxError as error:
        return [_syntax_error(source, error)] if "MS001" in active else []
    except (RecursionError, MemoryError, ValueError) as error:
        about = "it is nested too deeply" if not isinstance(error, ValueError) else str(error)
        return [unusable(source.shown, "MS001", about, text=source.lines[0])] if "MS001" in active else []
    context = Context(source, module, service, project.evaluator, active, **hosts)
    try:
        _run(context, module)
    except (RecursionError, MemoryError):
        context.findings.append(unusable(source.shown, "MS001", "it is nested too deeply", text=source.lines[0]))
    except Exception as error:  # a bug in one rule does not take the findings in all other files along
        about = f"the check itself failed here, with {type(error).__name__}: {error}; please report it"
        context.findings.append(unusable(source.shown, "MS002", about, text=source.lines[0]))
    found = apply_suppressions(source, context.findings, active)
    return sorted(found, key=lambda finding: finding.order)


def _syntax_error(source: Source, error: SyntaxError) -> Finding:
    line = min(error.lineno or 1, len(source.lines))
    return unusable(source.shown, "MS001", error.msg, line, error.offset or 1, source.lines[line - 1])


def _run(context: Context, module: Module) -> None:
    for node, scope in module.calls:
        _on_call(context, node, scope)
    for name, handlers in _ON_SITES:
        for node, scope in getattr(module, name):
            for handler in handlers:
                handler(context, node, scope)
    for node, scope in suspicious_loads(module):
        found = context.evaluator.value(node, scope)
        for handler in _ON_LOAD if isinstance(found, Ref) else ():
            handler(context, node, scope, found)
    _run_on_definitions(context, module)


def _on_call(context: Context, node: ast.Call, scope: Scope, *, is_partial: bool = False) -> None:
    callee = context.evaluator.value(node.func, scope)
    name, method = (callee.name, callee.last) if isinstance(callee, Ref) else ("", _method(node.func))
    call = Call(context.evaluator.expanded(node, scope), scope, callee, name, method, is_partial)
    for handler in _ON_CALL:
        handler(context, call)
    if name.startswith("functools.partial"):
        bound = context.evaluator.bound_call(node, scope)
        if bound is not None:
            _on_call(context, bound, scope, is_partial=True)


def _run_on_definitions(context: Context, module: Module) -> None:
    for cls in module.classes:
        for handler in _ON_CLASS:
            handler(context, cls)
    for function in module.functions:
        for handler in _ON_FUNCTION:
            handler(context, function)


def _method(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
