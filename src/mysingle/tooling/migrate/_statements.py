"""The parts of import statements, and how to put them together with the layout that they had."""

from collections.abc import Iterator, Sequence

import libcst as cst
from libcst.matchers import Comment, findall

from mysingle.tooling.migrate._step import ROOTS, dotted, is_directive, text_of

__all__ = [
    "are_same",
    "header_of",
    "import_statement",
    "in_one_line",
    "leftmost",
    "listed_names",
    "local_name",
    "lost_comments",
    "name_of",
    "our_module",
    "path_node",
    "same_name",
    "split_path",
    "with_commas",
    "with_comments_once",
    "with_lost_comments",
]


def header_of(module: cst.Module) -> list[cst.CSTNode]:
    """Return the statements of a module up to the last import of its first block of imports."""
    found: list[cst.CSTNode] = []
    last = 0
    for statement in module.body:
        if not _is_header(statement):
            break
        found.append(statement)
        last = len(found) if _has_import(statement) else last
    return found[:last]


def _is_header(statement: cst.CSTNode) -> bool:
    if isinstance(statement, cst.If | cst.Try):
        return _has_import(statement)
    small = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    is_text = isinstance(small, cst.Expr) and isinstance(small.value, cst.SimpleString | cst.ConcatenatedString)
    return is_text or isinstance(small, cst.Import | cst.ImportFrom)


def _has_import(statement: cst.CSTNode) -> bool:
    body = getattr(statement, "body", None)
    if isinstance(body, cst.IndentedBlock):
        return any(_has_import(item) for item in body.body)
    if isinstance(body, cst.SimpleStatementSuite):
        body = body.body
    return isinstance(body, Sequence) and any(isinstance(item, cst.Import | cst.ImportFrom) for item in body)


def listed_names(module: cst.Module) -> Iterator[str]:
    """Return the names in every `__all__ = ...` and `__all__ += ...` of a module."""
    for statement in module.body:
        for small in statement.body if isinstance(statement, cst.SimpleStatementLine) else ():
            if not isinstance(small, cst.Assign | cst.AugAssign | cst.AnnAssign):
                continue
            target = small.targets[0].target if isinstance(small, cst.Assign) else small.target
            if dotted(target) == "__all__" and isinstance(small.value, cst.List | cst.Tuple):
                yield from (text for item in small.value.elements if (text := text_of(item.value)))


class _Once(cst.CSTTransformer):
    """Keeps the first of each comment."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[cst.Comment] = set()

    def leave_Comment(  # type: ignore[override]  # a comment may go, which LibCST allows and its types do not
        self, original_node: cst.Comment, updated_node: cst.Comment
    ) -> cst.Comment | cst.RemovalSentinel:
        """Drop a comment that was there before."""
        is_first = original_node not in self._seen
        self._seen.add(original_node)
        return updated_node if is_first else cst.RemoveFromParent()


def with_comments_once(parts: Sequence[cst.BaseSmallStatement]) -> list[cst.BaseSmallStatement]:
    """Return the parts of what was one statement; a comment that two of them inherited stays in the first."""
    once = _Once()
    visited = [part.visit(once) for part in parts] if len(parts) > 1 else parts
    return [part for part in visited if isinstance(part, cst.BaseSmallStatement)]


def lost_comments(
    before: Sequence[cst.BaseSmallStatement], after: Sequence[cst.BaseSmallStatement]
) -> list[cst.EmptyLine]:
    """Return the comments beside names that have gone, for a line of their own."""
    left = _comments(after)
    return [cst.EmptyLine(comment=item) for item in _comments(before) if item not in left and not is_directive(item)]


def with_lost_comments(before: cst.SimpleStatementLine, after: cst.SimpleStatementLine) -> cst.SimpleStatementLine:
    """Return a statement below the comments that it has lost."""
    lost = lost_comments(before.body, after.body)
    return after.with_changes(leading_lines=[*after.leading_lines, *lost]) if lost else after


def _comments(statements: Sequence[cst.BaseSmallStatement]) -> list[cst.Comment]:
    return [item for statement in statements for item in findall(statement, Comment()) if isinstance(item, cst.Comment)]


def our_module(node: cst.ImportFrom) -> str | None:
    """Return the module of `from module import ...` when it is one of ours."""
    if node.relative or node.module is None:
        return None
    path = dotted(node.module)
    return path if path.split(".")[0] in ROOTS else None


def name_of(alias: cst.ImportAlias) -> str:
    return dotted(alias.name)


def local_name(alias: cst.ImportAlias) -> str:
    return alias.evaluated_alias or dotted(alias.name)


def same_name(one: cst.ImportAlias, other: cst.ImportAlias) -> bool:
    return (name_of(one), local_name(one)) == (name_of(other), local_name(other))


def split_path(path: str) -> tuple[str, str]:
    module, _, name = path.rpartition(".")
    return module or name, name if module else ""


def path_node(path: str) -> cst.Attribute | cst.Name:
    first, *rest = path.split(".")
    node: cst.Attribute | cst.Name = cst.Name(first)
    for part in rest:
        node = cst.Attribute(node, cst.Name(part))
    return node


def leftmost(node: cst.CSTNode) -> cst.CSTNode:
    while isinstance(node, cst.Attribute):
        node = node.value
    return node


def are_same(aliases: Sequence[cst.ImportAlias], names: Sequence[cst.ImportAlias]) -> bool:
    return all(a is b for a, b in zip(aliases, names, strict=True))


def import_statement(
    node: cst.ImportFrom, module: str, aliases: Sequence[cst.ImportAlias], *, is_whole: bool
) -> cst.ImportFrom:
    """Return `from module import aliases`; the layout of the old statement stays when it keeps all of its names."""
    assert not isinstance(node.names, cst.ImportStar)
    path = path_node(module)
    if is_whole and len(aliases) == len(node.names):
        return node.with_changes(module=path, names=aliases)
    if is_whole or any(_is_broken(alias) for alias in aliases):
        return node.with_changes(module=path, names=with_commas(aliases, node.names))
    return cst.ImportFrom(path, [alias.with_changes(comma=cst.MaybeSentinel.DEFAULT) for alias in aliases])


def _is_broken(alias: cst.ImportAlias) -> bool:
    comma = alias.comma
    return isinstance(comma, cst.Comma) and isinstance(comma.whitespace_after, cst.ParenthesizedWhitespace)


def with_commas(kept: Sequence[cst.ImportAlias], names: Sequence[cst.ImportAlias]) -> list[cst.ImportAlias]:
    """Return the names that are left, the last one with the comma that the last one had."""
    return [*kept[:-1], kept[-1].with_changes(comma=names[-1].comma)]


def in_one_line(parts: Sequence[cst.BaseSmallStatement]) -> list[cst.BaseSmallStatement]:
    """Return statements that stand on one line, with a semicolon between them."""
    inner = [
        part
        if isinstance(part.semicolon, cst.Semicolon)
        else part.with_changes(semicolon=cst.Semicolon(whitespace_after=cst.SimpleWhitespace(" ")))
        for part in parts[:-1]
    ]
    return [*inner, parts[-1]]
