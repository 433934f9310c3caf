"""`# noqa: MS101 reason`: what a line suppresses, with which reason."""

import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mysingle.tooling.check._sources import Source
from mysingle.tooling.check.findings import Edit, Finding, Span
from mysingle.tooling.check.rules import RULES

__all__ = ["apply_suppressions"]

_NOQA = re.compile(
    r"#\s*noqa\s*:\s*(?P<codes>[A-Z]+[0-9]+(?:[\s,]+[A-Z]+[0-9]+)*)(?P<rest>[^#\n]*(?:#.*)?)", re.IGNORECASE
)
_MAY_SUPPRESS = re.compile(r"noqa\s*:[^\n]*MS\d", re.IGNORECASE)
_CODE = re.compile(r"[A-Z]+[0-9]+", re.IGNORECASE)
_OURS = re.compile(r"MS\d{3}", re.IGNORECASE)


@dataclass(slots=True)
class _Suppression:
    line: int
    column: int
    text: str
    codes: tuple[str, ...]
    others: tuple[str, ...]
    reason: str
    used: set[str] = field(default_factory=set)


def apply_suppressions(source: Source, findings: Sequence[Finding], active: frozenset[str]) -> list[Finding]:
    """Leave out what is suppressed, and add what is wrong with the suppressions themselves."""
    if not _MAY_SUPPRESS.search(source.text):
        return list(findings)
    suppressions = {found.line: found for found in _read(source)}
    kept = [finding for finding in findings if not _is_suppressed(finding, suppressions)]
    for suppression in suppressions.values():
        kept += _about(source, suppression, active)
    return kept


def _is_suppressed(finding: Finding, suppressions: dict[int, _Suppression]) -> bool:
    for line in {finding.span.line, finding.span.end_line}:
        suppression = suppressions.get(line)
        if suppression is not None and finding.code in suppression.codes:
            suppression.used.add(finding.code)
            return True
    return False


def _read(source: Source) -> Iterator[_Suppression]:
    for line, column, comment in _comments(source):
        match = _NOQA.search(comment)
        if match is None:
            continue
        codes = tuple(code.upper() for code in _CODE.findall(match["codes"]))
        ours = tuple(code for code in codes if _OURS.fullmatch(code))
        if ours:
            reason = match["rest"].strip(" \t#:-,.")
            others = tuple(code for code in codes if code not in ours)
            yield _Suppression(line, column + match.start() + 1, match[0], ours, others, reason)


def _comments(source: Source) -> Iterator[tuple[int, int, str]]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.type == tokenize.COMMENT and "noqa" in token.string.lower():
                yield token.start[0], token.start[1], token.string
    except (tokenize.TokenError, SyntaxError):
        return


def _about(source: Source, suppression: _Suppression, active: frozenset[str]) -> Iterator[Finding]:
    unused = [
        code for code in suppression.codes if code not in suppression.used and (code in active or code not in RULES)
    ]
    if unused and "MS004" in active:
        edits = (_removal(source, suppression),) if len(unused) == len(suppression.codes) else ()
        yield _finding(source, suppression, "MS004", ", ".join(unused), edits)
    elif not suppression.reason and "MS003" in active:
        yield _finding(source, suppression, "MS003", ", ".join(suppression.codes), ())


def _removal(source: Source, suppression: _Suppression) -> Edit:
    """Take away our codes, and the whole comment when nothing else stands in it."""
    line = source.lines[suppression.line - 1]
    start = suppression.column - 1
    end = start + len(suppression.text)
    if suppression.others:
        text = f"# noqa: {', '.join(suppression.others)}"
        return Edit(Span(suppression.line, start + 1, suppression.line, end + 1), text)
    kept = line[:start].rstrip()
    return Edit(Span(suppression.line, len(kept) + 1, suppression.line, end + 1), "")


def _finding(source: Source, suppression: _Suppression, code: str, about: str, edits: tuple[Edit, ...]) -> Finding:
    line = source.lines[suppression.line - 1]
    end = suppression.column + len(suppression.text.rstrip())
    return Finding(
        code=code,
        path=source.shown,
        span=Span(suppression.line, suppression.column, suppression.line, end),
        message=RULES[code].message.format(about=about),
        source=line,
        edits=edits,
    )
