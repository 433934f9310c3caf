"""Repairs a text where it is safe; everything that is not repaired stays as it is, byte for byte."""

import ast
from collections.abc import Iterable, Mapping, Sequence

from mysingle.tooling.check._sources import Source
from mysingle.tooling.check.findings import Edit, Finding

__all__ = ["repair"]


def repair(source: Source, findings: Iterable[Finding]) -> tuple[str, list[Finding]]:
    """
    Return the repaired text, and the findings that are repaired in it.

    Repairs that overlap an earlier one wait for the next round. A text that would no longer be Python is not returned.
    """
    wanted = [finding for finding in findings if finding.edits]
    text, repaired = _together(source, wanted)
    if not repaired or _is_python(text):
        return text, repaired
    for finding in wanted:  # one of them does not fit; the others still may
        text, repaired = _together(source, [finding])
        if _is_python(text):
            return text, repaired
    return source.text, []


def _together(source: Source, findings: Sequence[Finding]) -> tuple[str, list[Finding]]:
    repaired: list[Finding] = []
    edits: list[tuple[int, int, str]] = []
    needs: dict[str, int] = {}
    for finding in findings:
        wanted = [(*_offsets(source, edit), edit.text) for edit in finding.edits]
        if any(_overlaps(edit, edits) for edit in wanted):
            continue
        edits += wanted
        for edit in finding.edits:
            needs |= {need: min(needs.get(need, edit.span.line), edit.span.line) for need in edit.needs}
        repaired.append(finding)
    if not repaired:
        return source.text, []
    edits += _imports(source, needs)
    return _applied(source.text, edits), repaired


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


def _imports(source: Source, needs: Mapping[str, int]) -> list[tuple[int, int, str]]:
    """Insert imports that are not there yet above the line that needs them, where imports stand."""
    tree = ast.parse(source.text.removeprefix("\ufeff"))
    edits = []
    for need, user in needs.items():
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        above = [node for node in imports if (node.end_lineno or node.lineno) < user]
        if any(_gives(node, need) for node in above):
            continue
        line = _line_for(tree, above, is_plain=need.startswith("import "))
        offset = source.starts[line - 1] if line <= len(source.starts) else len(source.text)
        edits.append((offset, offset, f"{need}{source.line_end}"))
    return edits


def _gives(node: ast.Import | ast.ImportFrom, need: str) -> bool:
    """Tell whether an import has a name among others: `import asyncio, time`."""
    if isinstance(node, ast.Import):
        return any(f"import {alias.name}" == need and alias.asname is None for alias in node.names)
    return any(f"from {node.module} import {alias.name}" == need and alias.asname is None for alias in node.names)


def _line_for(tree: ast.Module, above: Sequence[ast.Import | ast.ImportFrom], *, is_plain: bool) -> int:
    """Return the line for a new import: a plain one before the first, the others behind the last."""
    ordinary = [node for node in above if not (isinstance(node, ast.ImportFrom) and node.module == "__future__")]
    if is_plain and ordinary:
        return ordinary[0].lineno
    if above:
        return (above[-1].end_lineno or above[-1].lineno) + 1
    first = tree.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return (first.end_lineno or first.lineno) + 1
    decorators: list[ast.expr] = getattr(first, "decorator_list", [])
    return min((first.lineno, *(part.lineno for part in decorators)))
