"""Tells where code runs without a request: start-up, tasks, scripts, threads."""

import ast
import re
from collections.abc import Iterator

from mysingle.tooling.check._context import Context
from mysingle.tooling.check._scopes import Function, Scope
from mysingle.tooling.check._syntax import argument

__all__ = ["runs_without_context"]

_TASK = re.compile(
    r"(^|\.)(shared_task|task|periodic_task|scheduled_job|repeat_every|cron|crontab|on_event|command|callback"
    r"|on_after_configure|actor|job|every|flow|worker_process_init|connect|subscriber|consumer|agent|timer)$"
)
_WITH_CONTEXT = ("mysingle.Celery",)
_STARTERS: dict[str, tuple[int, str]] = {
    "asyncio.run": (0, "main"),
    "anyio.run": (0, "func"),
    "threading.Thread": (1, "target"),
    "threading.Timer": (1, "function"),
    "multiprocessing.Process": (1, "target"),
    "schedule.every": (0, "job_func"),
}
_METHODS = {
    "add_job": (0, "func"),
    "do": (0, "job_func"),
    "enqueue": (0, "f"),
    "run_until_complete": (0, "future"),
    "submit": (0, "fn"),
    "add_event_handler": (1, "func"),
}
_LIFESPANS = (
    "lifespan",
    "on_startup",
    "on_shutdown",
    "startup",
    "shutdown",
    "on_startup_event",
    "run_migrations",
    "main",
)
_DEEPEST = 4


def runs_without_context(context: Context, scope: Scope) -> bool:
    """Tell whether the code of a scope runs, for certain, where no request is."""
    function = scope.function
    if function is None:
        return scope.kind == "module"
    return _is_entry(context, function, 0)


def _is_entry(context: Context, function: Function, depth: int) -> bool:
    while function.outer.function is not None:  # an inner function runs where the outer one does
        if _is_decorated(context, function):
            return True
        function = function.outer.function
    if _is_decorated(context, function) or function in context.fact("started", _started):
        return True
    if function.method_of is None and function.name in _LIFESPANS and not _is_route(function):
        return True
    return depth < _DEEPEST and _only_called_from_entries(context, function, depth + 1)


def _is_decorated(context: Context, function: Function) -> bool:
    for decorator in function.decorators:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = ast.unparse(target)
        owner = context.evaluator.kind(target.value, function.outer) if isinstance(target, ast.Attribute) else ""
        if _TASK.search(name) and owner not in _WITH_CONTEXT:
            return True
    return False


def _is_route(function: Function) -> bool:
    return any(isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) for part in function.decorators)


def _started(context: Context) -> set[Function]:
    """Return the functions of this file that are handed to a thread, a scheduler, an event loop or as a lifespan."""
    found = set()
    for node, scope in context.module.calls:
        for target in _targets(context, node, scope):
            plain = target.func if isinstance(target, ast.Call) else target
            value = context.evaluator.value(plain, scope)
            if isinstance(value, Function):
                found.add(value)
    return found


def _targets(context: Context, node: ast.Call, scope: Scope) -> Iterator[ast.expr]:
    name = context.evaluator.name(node.func, scope)
    place = _STARTERS.get(name)
    if place is None and isinstance(node.func, ast.Attribute):
        place = _METHODS.get(node.func.attr)
    given = argument(node, *place) if place is not None else None
    if given is not None:
        yield given
    yield from (part.value for part in node.keywords if part.arg in ("lifespan", "on_startup", "on_shutdown"))


def _callers(context: Context) -> dict[Function, list[Scope]]:
    """Return the scopes of this file that call a function."""
    found: dict[Function, list[Scope]] = {}
    for node, scope in context.module.calls:
        called = context.evaluator.value(node.func, scope)
        if isinstance(called, Function):
            found.setdefault(called, []).append(scope)
    return found


def _only_called_from_entries(context: Context, function: Function, depth: int) -> bool:
    callers = context.fact("callers", _callers).get(function, ())
    if not callers or function.method_of is not None:
        return False
    return all(
        scope.kind == "module" if scope.function is None else _is_entry(context, scope.function, depth)
        for scope in callers
    )
