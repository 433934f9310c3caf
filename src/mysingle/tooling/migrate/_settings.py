"""Settings that are gone: switches between HTTP and gRPC fold into gRPC, older names get their new ones."""

import re
from typing import TypeAlias

import libcst as cst

from mysingle._kernel.allocation import POLICIES
from mysingle._kernel.old_names import GONE_SETTINGS, Gone
from mysingle.tooling.migrate._project import Project
from mysingle.tooling.migrate._step import Step, dotted, removed, text_of

__all__ = ["DATABASES", "Settings", "gone_setting"]

_SWITCH = "USE_GRPC_FOR_"
_READER = re.compile(r"(.*\.)?(environ\.get|get_?env)")

_Branch: TypeAlias = cst.BaseStatement | cst.Else | cst.RemovalSentinel | cst.FlattenSentinel[cst.BaseStatement]

DATABASES = {f"REDIS_DB_{alias}": f"REDIS_DB_{db.name}" for db, row in POLICIES.items() for alias in row.aliases}
"""Older name of a Redis database → its name."""


def gone_setting(name: str) -> Gone | None:
    """Return what to do without a setting; None for one that there is, or never was."""
    for old, gone in GONE_SETTINGS.items():
        if name == old or (old.endswith("_") and name.startswith(old)):
            return gone
    return None


class Settings(Step):
    """`if settings.USE_GRPC_FOR_X` keeps its gRPC branch, `settings.DEV_MODE` becomes `settings.is_development`."""

    trigger = re.compile("|".join([*GONE_SETTINGS, *DATABASES, r"\bREDIS_URL\b"]))

    def __init__(self, project: Project, *, is_package: bool) -> None:
        super().__init__(project, is_package=is_package)
        self._true = cst.Name("True")
        self._false = cst.Name("False")
        self._depth = 0

    def visit_ClassDef(self, node: cst.ClassDef) -> bool | None:
        """Enter a class."""
        self._depth += 1
        return None

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        """Leave a class."""
        self._depth -= 1
        return updated_node

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine:
        """Drop the field of a switch, and tell about other fields that the package does not read any more."""
        small = original_node.body[0]
        target = small.target if isinstance(small, cst.AnnAssign) else None
        if isinstance(small, cst.Assign):
            target = small.targets[0].target
        if not isinstance(target, cst.Name) or not self._depth:
            return updated_node
        name = target.value
        if name.startswith(_SWITCH) and len(original_node.body) == 1:
            return removed(updated_node)
        if name == "REDIS_URL":
            why = "it is computed from REDIS_HOST, REDIS_PORT and REDIS_PASSWORD; a field of that name hides it"
            self.note(original_node, "REDIS_URL is a field of the settings", why, "settings")
        self._tell(original_node, name)
        return updated_node

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        """Rewrite the use of a setting."""
        name = original_node.attr.value
        if not _is_settings(original_node.value) or self._is_target(original_node):
            return updated_node
        if name.startswith(_SWITCH):
            return self._true
        if name == "DEV_MODE":
            return updated_node.with_changes(attr=cst.Name("is_development"))
        if name in DATABASES:
            return updated_node.with_changes(attr=cst.Name(DATABASES[name]))
        self._tell(original_node, name)
        return updated_node

    def _is_target(self, node: cst.CSTNode) -> bool:
        return isinstance(self.parent(node), cst.AssignTarget | cst.AugAssign)

    def _tell(self, node: cst.CSTNode, name: str) -> None:
        gone = gone_setting(name)
        if gone is not None:
            self.note(node, f"{name} is no setting of mysingle", gone.advice, gone.section)

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        """Rewrite `getattr(settings, "USE_GRPC_FOR_X", False)`; tell about variables that are read by hand."""
        func = dotted(original_node.func)
        texts = [text for item in original_node.args if (text := text_of(item.value)) is not None]
        if not texts:
            return updated_node
        if func == "getattr" and _is_settings(original_node.args[0].value) and texts[0].startswith(_SWITCH):
            return self._true
        if _READER.fullmatch(func):
            self._tell(original_node, texts[0])
        return updated_node

    def leave_UnaryOperation(
        self, original_node: cst.UnaryOperation, updated_node: cst.UnaryOperation
    ) -> cst.BaseExpression:
        """Fold `not` and a switch."""
        if not isinstance(updated_node.operator, cst.Not):
            return updated_node
        opposite = {id(self._true): self._false, id(self._false): self._true}
        return opposite.get(id(updated_node.expression), updated_node)

    def leave_BooleanOperation(
        self, original_node: cst.BooleanOperation, updated_node: cst.BooleanOperation
    ) -> cst.BaseExpression:
        """Fold a switch with `and`, `or`."""
        is_and = isinstance(updated_node.operator, cst.And)
        decides, passes = (self._false, self._true) if is_and else (self._true, self._false)
        if updated_node.left is decides:
            return decides
        if updated_node.left is passes:
            return updated_node.right
        return updated_node.left if updated_node.right is passes else updated_node

    def leave_IfExp(self, original_node: cst.IfExp, updated_node: cst.IfExp) -> cst.BaseExpression:
        """Fold `a if switch else b`."""
        if updated_node.test is self._true:
            return updated_node.body
        return updated_node.orelse if updated_node.test is self._false else updated_node

    def leave_If(  # type: ignore[override]  # what is left of an elif is an else, which LibCST allows and its types do not
        self, original_node: cst.If, updated_node: cst.If
    ) -> _Branch:
        """Keep what gRPC does of `if switch:`."""
        if updated_node.test is not self._true and updated_node.test is not self._false:
            return updated_node
        rest = updated_node.orelse
        taken: cst.If | cst.Else | None = updated_node if updated_node.test is self._true else rest
        parent = self.parent(original_node)
        if isinstance(parent, cst.If):
            if taken is None or taken is rest:
                return taken if taken is not None else cst.RemoveFromParent()
            return cst.Else(updated_node.body, leading_lines=updated_node.leading_lines)
        return self._flat(updated_node, taken)

    def _flat(
        self, node: cst.If, taken: cst.If | cst.Else | None
    ) -> cst.If | cst.FlattenSentinel[cst.BaseStatement] | cst.SimpleStatementLine:
        """Return the statements of the branch that is left, with the comments that stood above."""
        if taken is None:
            return removed(cst.SimpleStatementLine([cst.Pass()], leading_lines=node.leading_lines))
        if isinstance(taken, cst.If) and taken is not node:
            return taken.with_changes(leading_lines=node.leading_lines)
        if isinstance(taken.body, cst.SimpleStatementSuite):
            return cst.SimpleStatementLine(taken.body.body, leading_lines=node.leading_lines)
        assert isinstance(taken.body, cst.IndentedBlock)
        first, *others = taken.body.body
        above = [*node.leading_lines, *(_comment(taken.body.header))]
        lines = [*above, *(first.leading_lines if hasattr(first, "leading_lines") else ())]
        statements = [first.with_changes(leading_lines=lines), *others]
        below = removed(cst.SimpleStatementLine([cst.Pass()], leading_lines=taken.body.footer))
        return cst.FlattenSentinel([*statements, below])


def _comment(header: cst.TrailingWhitespace) -> list[cst.EmptyLine]:
    return [cst.EmptyLine(comment=header.comment)] if header.comment else []


def _is_settings(node: cst.BaseExpression) -> bool:
    """Tell whether an expression is called like settings are: `settings`, `self.settings`, `get_settings()`."""
    name = dotted(node.func if isinstance(node, cst.Call) else node).rpartition(".")[2]
    return name.lower().lstrip("_") in ("settings", "config", "get_settings", "cfg", "conf", "app_settings")
