"""What every step of the codemod shares: whose a name is, what a person must see, and statements that go away."""

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeVar, cast

import libcst as cst
from libcst.metadata import (
    BaseMetadataProvider,
    CodeRange,
    GlobalScope,
    MetadataWrapper,
    ParentNodeProvider,
    PositionProvider,
    QualifiedNameSource,
    Scope,
    ScopeProvider,
)

from mysingle.tooling.migrate._findings import Finding
from mysingle.tooling.migrate._project import Project

__all__ = ["ROOTS", "Step", "code_of", "dotted", "is_directive", "removed", "text_of"]

ROOTS = ("mysingle", "mysingle_quant", "mysingle_protos", "protos")
_GONE = "__mysingle_gone__"
_LINE = cst.SimpleStatementLine([cst.Expr(cst.Name(_GONE))])
_Body = TypeVar("_Body", cst.Module, cst.IndentedBlock)


class Step(cst.CSTTransformer):
    """
    One row of the way from version 1 to version 2. Texts in which `trigger` finds nothing are left alone.

    `needs` are the names that the changed module must import, as (module, name); `unused` are local names whose
    import may go when nothing else uses them.
    """

    trigger: ClassVar[re.Pattern[str]]

    def __init__(self, project: Project, *, is_package: bool) -> None:
        super().__init__()
        self.project = project
        self.is_package = is_package
        self.findings: list[Finding] = []
        self.needs: set[tuple[str, str]] = set()
        self.unused: set[str] = set()
        self._wrapper: MetadataWrapper | None = None
        self._stars: list[str] = []
        self._all_bound: set[str] | None = None

    @classmethod
    def concerns(cls, text: str, project: Project) -> bool:
        """Tell whether a text may have something for this step."""
        return cls.trigger.search(text) is not None

    def take(self, text: str) -> cst.Module:
        """Return the changed module of a text."""
        self._wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
        return self._wrapper.module.visit(self)

    def facts(self, provider: type[BaseMetadataProvider[object]]) -> Mapping[cst.CSTNode, object]:
        """Return what a provider says of each node; it is worked out when somebody asks, which most steps never do."""
        assert self._wrapper is not None
        return self._wrapper.resolve_many([provider])[provider]

    def parent(self, node: cst.CSTNode) -> cst.CSTNode:
        """Return the node around a node."""
        return cast("cst.CSTNode", self.facts(ParentNodeProvider)[node])

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool | None:
        """Remember what comes in with a star, which no scope knows."""
        if isinstance(node.names, cst.ImportStar) and node.module is not None and not node.relative:
            path = dotted(node.module)
            self._stars += [path] if path.split(".")[0] in ROOTS else []
        return None

    def imported(self, node: cst.CSTNode) -> str | None:
        """Return the dotted path under which a name was imported; None when it is not an imported name."""
        scope = self.facts(ScopeProvider).get(node)
        found = scope.get_qualified_names_for(node) if isinstance(scope, Scope) else ()
        for name in found:
            if name.source is QualifiedNameSource.IMPORT:
                return str(name.name)
        return self.from_star(node)

    def from_star(self, node: cst.CSTNode) -> str | None:
        """Return the path of a name that nothing but a star import of ours can have brought; None otherwise."""
        if not isinstance(node, cst.Name) or len(self._stars) != 1 or node.value in self._bound():
            return None
        parent = self.parent(node)
        is_label = (isinstance(parent, cst.Attribute) and parent.attr is node) or (
            isinstance(parent, cst.Arg) and parent.keyword is node
        )
        return None if is_label else f"{self._stars[0]}.{node.value}"

    def scopes(self) -> set[Scope]:
        """Return the scopes of the module."""
        return {scope for scope in self.facts(ScopeProvider).values() if isinstance(scope, Scope)}

    def _bound(self) -> set[str]:
        """Return every name that any scope of the module gives a meaning to."""
        if self._all_bound is None:
            self._all_bound = {item.name for scope in self.scopes() for item in scope.assignments}
        return self._all_bound

    def ours(self, node: cst.CSTNode) -> str | None:
        """Return the last part of the path of a name that comes from `mysingle`; None for any other."""
        path = self.imported(node)
        return path.rpartition(".")[2] if path is not None and path.split(".")[0] in ROOTS else None

    def is_bound(self, name: str) -> bool:
        """Tell whether the module itself gives a meaning to a name."""
        return any(name in scope for scope in self.scopes() if isinstance(scope, GlobalScope))

    def note(self, node: cst.CSTNode, what: str, why: str, section: str) -> None:
        """Tell a person about a place."""
        position = self.facts(PositionProvider)[node]
        line = position.start.line if isinstance(position, CodeRange) else 1
        self.findings.append(Finding(line=line, what=what, why=why, section=section))

    def need(self, path: str) -> cst.Name:
        """Import a name of version 2, and return it."""
        module, _, name = path.rpartition(".")
        self.needs.add((module, name))
        return cst.Name(name)

    def settings(self) -> cst.Name:
        """Return the name under which the module has the settings, imported when it has none."""
        return cst.Name("settings") if self.is_bound("settings") else self.need("mysingle.core.config.settings")

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        """Drop what is marked as removed."""
        return _swept(updated_node)

    def leave_IndentedBlock(self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock) -> cst.BaseSuite:
        """Drop what is marked as removed."""
        return _swept(updated_node)


def dotted(node: cst.BaseExpression) -> str:
    """Return `a.b.c` for such an expression, and an empty text for any other."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute) and (left := dotted(node.value)):
        return f"{left}.{node.attr.value}"
    return ""


def code_of(node: cst.CSTNode) -> str:
    """Return the text of a node, in one line."""
    return " ".join(cst.Module([]).code_for_node(node).split())


def text_of(node: cst.BaseExpression | None) -> str | None:
    """Return the value of a text literal; None for anything else."""
    value = node.evaluated_value if isinstance(node, cst.SimpleString) else None
    return value if isinstance(value, str) else None


def removed(line: cst.SimpleStatementLine) -> cst.SimpleStatementLine:
    """Mark a statement as removed; the comments above it stay for the next one."""
    comment = line.trailing_whitespace.comment
    keep = [cst.EmptyLine(comment=comment)] if comment is not None and not is_directive(comment) else []
    above = [*line.leading_lines, *keep]
    return _LINE.with_changes(leading_lines=above)


def is_directive(comment: cst.Comment) -> bool:
    """Tell whether a comment speaks to a tool about its line, and means nothing elsewhere."""
    return re.match(r"#\s*(noqa|type:|pragma|pylint|isort|nosec|mypy:)", comment.value) is not None


def _is_removed(node: cst.CSTNode) -> bool:
    return (
        isinstance(node, cst.SimpleStatementLine)
        and isinstance(node.body[0], cst.Expr)
        and isinstance(node.body[0].value, cst.Name)
        and node.body[0].value.value == _GONE
    )


def _swept(node: _Body) -> _Body:
    """Return a body without the removed statements, whose comments go to the statement that follows."""
    if not any(_is_removed(statement) for statement in node.body):
        return node
    kept: list[cst.BaseStatement] = []
    waiting: list[cst.EmptyLine] = []
    statements: Sequence[cst.BaseStatement] = node.body
    for item in statements:
        if _is_removed(item):
            waiting += _above(item)
            continue
        kept.append(_below(waiting, item) if waiting else item)
        waiting = []
    if not kept and isinstance(node, cst.IndentedBlock):
        kept, waiting = [cst.SimpleStatementLine([cst.Pass()], leading_lines=_comments(waiting))], []
    return node.with_changes(body=kept, footer=[*_comments(waiting), *node.footer])


def _comments(lines: Sequence[cst.EmptyLine]) -> Sequence[cst.EmptyLine]:
    """Return lines that have a comment among them; nothing otherwise."""
    return lines if any(line.comment for line in lines) else ()


def _above(statement: cst.CSTNode) -> Sequence[cst.EmptyLine]:
    """Return the lines above a statement."""
    lines: Sequence[cst.EmptyLine] = getattr(statement, "leading_lines", ())  # every statement in a body has them
    return lines


def _below(waiting: Sequence[cst.EmptyLine], statement: cst.BaseStatement) -> cst.BaseStatement:
    """Return a statement below the lines of the ones that went before it; blank lines are not doubled."""
    above = _above(statement)
    has_comment = any(line.comment for line in waiting)
    lines = [*waiting, *above] if has_comment else max(waiting, above, key=len)
    return statement.with_changes(leading_lines=lines)
