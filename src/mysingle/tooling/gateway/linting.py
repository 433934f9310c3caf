"""Finds what makes a configuration of Kong unsafe."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mysingle.tooling.gateway._document import Document, read_document, spelled
from mysingle.tooling.gateway._kong_view import KongView, view_of
from mysingle.tooling.gateway._rules import CONF_RULES, RULES
from mysingle.tooling.gateway.errors import GatewayFileError

__all__ = ["Finding", "lint"]

_IN_COMMENT = re.compile(r"^[ \t]*#[ \t]*kong\.conf:[ \t]*(\w+)[ \t]*=[ \t]*(.*?)[ \t]*(?:[ \t]#.*)?$", re.MULTILINE)
_IN_FILE = re.compile(r"^[ \t]*(\w+)[ \t]*=[ \t]*(.*?)[ \t]*(?:[ \t]#.*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One unsafe construct.

    `where` is the way to it in the document, such as `services[0].plugins[1]`, or `kong.conf`; `line` is None for
    what is missing.
    """

    rule: str
    where: str
    line: int | None
    why: str
    fix: str


def lint(file: Path, kong_conf: Path | None = None) -> tuple[Finding, ...]:
    """
    Return what is unsafe in a declarative file of Kong, in the order of the file.

    Args:
        file: YAML or JSON with `_format_version`.
        kong_conf: the kong.conf beside it. Without it, comments such as `# kong.conf: name = value` in the file count.

    Raises:
        GatewayFileError: one of the files cannot be read, or is none of Kong's.
    """
    document = read_document(file)
    view = view_of(document)
    found = [*_in_document(document, view), *_in_conf(_settings(document, kong_conf))]
    return tuple(sorted(found, key=lambda finding: finding.line or 0))


def _in_document(document: Document, view: KongView) -> Iterator[Finding]:
    for name, rule in RULES.items():
        for path, about in rule.find(view):
            why = f"{rule.why} ({about})" if about else rule.why
            yield Finding(rule=name, where=spelled(path), line=document.line(path), why=why, fix=rule.fix)


def _in_conf(settings: dict[str, str]) -> Iterator[Finding]:
    for name, rule in CONF_RULES.items():
        if rule.is_broken(settings):
            yield Finding(rule=name, where="kong.conf", line=None, why=rule.why, fix=rule.fix)


def _settings(document: Document, kong_conf: Path | None) -> dict[str, str]:
    if kong_conf is None:
        return dict(_IN_COMMENT.findall(document.text))
    try:
        return dict(_IN_FILE.findall(kong_conf.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise GatewayFileError(kong_conf, None, "the file cannot be read as text") from error
