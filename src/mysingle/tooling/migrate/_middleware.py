"""Middleware that a service mounted by hand, and that the app factory mounts now."""

import re

import libcst as cst

from mysingle.tooling.migrate._project import exported
from mysingle.tooling.migrate._step import Step, removed

__all__ = ["Middleware"]

_OLD = "mysingle.core.middleware"


class Middleware(Step):
    """`app.add_middleware(LoggingMiddleware)` goes when the class came from `mysingle.core.middleware`."""

    trigger = re.compile(r"\b(mysingle|mysingle_quant)\.core(\.middleware\b| import\b.*\bmiddleware\b)")

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine:
        """Drop a statement that mounts it."""
        small = original_node.body[0]
        call = small.value if isinstance(small, cst.Expr) and len(original_node.body) == 1 else None
        if not isinstance(call, cst.Call):
            return updated_node
        first = call.args[0].value if call.args else None
        is_mounted = (
            isinstance(call.func, cst.Attribute)
            and call.func.attr.value == "add_middleware"
            and first is not None
            and self._is_old(first)
        )
        if not is_mounted and not self._is_old(call.func):
            return updated_node
        self._forget(call)
        why = "the app factory mounts its own; delete what configured it"
        self.note(original_node, "middleware for logs was mounted by hand", why, "middleware")
        return removed(updated_node)

    def _is_old(self, node: cst.BaseExpression) -> bool:
        path = (self.imported(node) or "").replace("mysingle_quant.", "mysingle.", 1)
        module, _, name = path.rpartition(".")
        return module == _OLD and name not in (exported("mysingle.core.logging") or ())

    def _forget(self, call: cst.Call) -> None:
        for node in (call.func, *(item.value for item in call.args)):
            if isinstance(node, cst.Name):
                self.unused.add(node.value)
