"""Repairs a text where it is safe; everything that is not repaired stays as it is, byte for byte."""

import ast
from collections.abc import Iterable, Sequence

from mysingle.tooling.check._sources import Source
from mysingle.tooling.check.findings import Edit, Finding

__all__ = ["repair"]


def repair(source: Source, findings: Iterable[Finding]) -> tuple[str, list[Finding]]:
    """
    Return the repaired text, and the findings that are repaired in it.

    Repairs that overlap an earlier one wait for the next round. A text that would no longer be Python is not returned.
    """
    repaired: list[Finding] = []
    edits: list[tuple[int, int, str]] = []
    needs: dict[str, None] = {}
    for finding in findings:
        wanted = [(*_offsets(source, edit), edit.text) for edit in finding.edits]
        if not wanted or any(_overlaps(edit, edits) for edit in wanted):
            continue
        edits += wanted
        needs.update((need, None) for edit in finding.edits for need in edit.needs)
        repaired.append(finding)
    if not repaired:
        return source.text, []
    edits += _imports(source, list(needs))
    text = _applied(source.text, edits)
    return (text, repaired) if _is_python(text) else (source.text, [])


def _offsets(source: Source, edit: Edit) -> tuple[int, int]:
    span = edit.span
    return (source.starts[span.line - 1] + span.column - 1, source.starts[span.end_line - 1] + span.end_column - 1)


def _overlaps(edit: tuple[int, int, str], others: Sequence[tuple[int, int, str]]) -> bool:
    return any(edit[0] < end and start < edit[1] for start, end, _ in others)


def _applied(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _is_python(text: str) -> bool:
    try:
        ast.parse(text.removeprefix("\ufeff"))
    except (SyntaxError, ValueError):
        return False
    return True


def _imports(source: Source, needs: Sequence[str]) -> list[tuple[int, int, str]]:
    """Insert imports that are not there yet: `import x` before the first import, `from x import y` behind the last."""
    tree = ast.parse(source.text.removeprefix("\ufeff"))
    known = {ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)}
    missing = [need for need in needs if need not in known]
    edits = []
    for need in missing:
        line = _line_for(tree, is_plain=need.startswith("import "))
        offset = source.starts[line - 1] if line <= len(source.starts) else len(source.text)
        edits.append((offset, offset, f"{need}{source.line_end}"))
    return edits


def _line_for(tree: ast.Module, *, is_plain: bool) -> int:
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    ordinary = [node for node in imports if not (isinstance(node, ast.ImportFrom) and node.module == "__future__")]
    if is_plain and ordinary:
        return ordinary[0].lineno
    if imports:
        return (imports[-1].end_lineno or imports[-1].lineno) + 1
    first = tree.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return (first.end_lineno or first.lineno) + 1 if is_docstring else first.lineno
