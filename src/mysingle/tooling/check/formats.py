"""How findings are written: for people, for programs, for code scanning, for the log of a pipeline."""

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from mysingle import __version__
from mysingle.tooling.check.baseline import fingerprint
from mysingle.tooling.check.checking import CheckReport
from mysingle.tooling.check.findings import Finding
from mysingle.tooling.check.rules import RULES, Rule

__all__ = ["FORMATS", "written"]

_MAX_SOURCE = 160
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def written(report: CheckReport, form: str, *, is_colourful: bool = False) -> str:
    """Return a report in one of the `FORMATS`; only the text has colours."""
    return _text(report, is_colourful=is_colourful) if form == "text" else FORMATS[form](report)


def _text(report: CheckReport, *, is_colourful: bool = False) -> str:
    paint = _Paint(is_colourful)
    blocks = [_block(finding, paint, _from_here(report.base, finding.path)) for finding in report.findings]
    return "\n".join([*blocks, _summary(report, paint), ""])


class _Paint:
    def __init__(self, is_on: bool) -> None:
        self._is_on = is_on

    def __call__(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._is_on else text


def _from_here(base: Path, path: str) -> str:
    """Return a path as a person can open it from the working directory."""
    place = base.absolute() / path
    return place.relative_to(Path.cwd()).as_posix() if place.is_relative_to(Path.cwd()) else place.as_posix()


def _block(finding: Finding, paint: _Paint, path: str) -> str:
    rule, span = RULES[finding.code], finding.span
    colour = "1;31" if rule.level == "error" else "1;33"
    place = paint(f"{_plain(path)}:{span.line}:{span.column}", "1")
    head = f"{place}: {paint(finding.code, colour)} {_plain(finding.message)}"
    mark = paint(" [fixable]", "36") if finding.edits else ""
    if not finding.source.strip():
        return head + mark
    number = str(span.line)
    gutter = paint(f"{number} |", "34")
    line, caret = _under(finding)
    empty = paint(f"{' ' * len(number)} |", "34")
    return f"{head}{mark}\n  {gutter} {line}\n  {empty} {paint(caret, colour)}"


def _under(finding: Finding) -> tuple[str, str]:
    """Return the line and the carets below it; a long line is cut around what is meant."""
    span = finding.span
    source = finding.source
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(source.rstrip())
    first = max(0, start - _MAX_SOURCE // 2) if len(source) > _MAX_SOURCE else 0
    shown = source[first : first + _MAX_SOURCE].rstrip()
    padding = "".join("\t" if character == "\t" else " " * _width(character) for character in source[first:start])
    width = sum(_width(character) for character in source[start : min(end, first + _MAX_SOURCE)])
    return _plain(shown), padding + "^" * max(1, width)


def _width(character: str) -> int:
    """Return how many columns a character takes in a terminal; Korean and Chinese take two, an added accent none."""
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _plain(text: str) -> str:
    return "".join(part if part.isprintable() or part == "\t" else "?" for part in text)


def _summary(report: CheckReport, paint: _Paint) -> str:
    files = f"{report.files} file{'' if report.files == 1 else 's'}"
    fixed = f", {len(report.repaired)} repaired" if report.repaired else ""
    if not report.findings:
        return paint(f"{files} checked{fixed}: nothing found", "32")
    counts = Counter(RULES[finding.code].level for finding in report.findings)
    fixable = sum(bool(finding.edits) for finding in report.findings)
    parts = [f"{counts['error']} finding{'' if counts['error'] == 1 else 's'}"]
    parts += [f"{counts['note']} note{'' if counts['note'] == 1 else 's'}"] if counts["note"] else []
    parts += [f"{fixable} with `--fix`"] if fixable else []
    return paint(f"{files} checked{fixed}: {', '.join(parts)}", "1")


def _json(report: CheckReport) -> str:
    findings = [
        {
            "code": finding.code,
            "level": RULES[finding.code].level,
            "path": finding.path,
            **asdict(finding.span),
            "message": finding.message,
            "fixable": bool(finding.edits),
            "page": RULES[finding.code].page,
        }
        for finding in report.findings
    ]
    document = {"files": report.files, "repaired": len(report.repaired), "findings": findings}
    return json.dumps(document, indent=2) + "\n"


def _sarif(report: CheckReport) -> str:
    used = list(dict.fromkeys(finding.code for finding in report.findings))
    driver = {
        "name": "mysingle check",
        "version": __version__,
        "rules": [_sarif_rule(RULES[code]) for code in used],
    }
    results = [_sarif_result(finding, used.index(finding.code)) for finding in report.findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": rule.title.title().replace(" ", "").replace("/", ""),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"{rule.why} {rule.instead}"},
        "help": {"text": f"{rule.instead} See {rule.page}."},
        "defaultConfiguration": {"level": rule.level},
        "properties": {"tags": [rule.family]},
    }


def _sarif_result(finding: Finding, index: int) -> dict[str, Any]:
    span = finding.span
    region: dict[str, Any] = {"startLine": span.line, "startColumn": span.column}
    region |= {"endLine": span.end_line, "endColumn": span.end_column, "snippet": {"text": finding.source}}
    place = {"artifactLocation": {"uri": _uri(finding.path)}, "region": region}
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": RULES[finding.code].level,
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"mysingleCheck/v1": ":".join(fingerprint(finding))},
    }


def _uri(path: str) -> str:
    return quote(path, errors="surrogateescape")


def _github(report: CheckReport) -> str:
    return "".join(_github_line(finding) for finding in report.findings)


def _github_line(finding: Finding) -> str:
    span = finding.span
    kind = "error" if RULES[finding.code].level == "error" else "notice"
    place = {"file": finding.path, "line": span.line, "endLine": span.end_line, "col": span.column}
    place |= {"endColumn": span.end_column} if span.line == span.end_line else {}
    properties = ",".join(f"{name}={_escaped(str(value))}" for name, value in place.items())
    title = _escaped(f"{finding.code} {RULES[finding.code].title}")
    return f"::{kind} {properties},title={title}::{_escaped(finding.message, ends=':,')}\n"


def _escaped(text: str, ends: str = "") -> str:
    """Escape as commands of a workflow want it; `ends` are characters that may stand as they are."""
    table = {"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"}
    return "".join(part if part in ends else table.get(part, part) for part in text)


FORMATS: Final[Mapping[str, Callable[[CheckReport], str]]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "github": _github,
}
"""Name → how it is written."""
