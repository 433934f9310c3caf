"""One Python text from version 1 to version 2: the steps, one after the other."""

import ast
import sys
import threading
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from libcst.codemod import CodemodContext
from libcst.codemod.visitors import AddImportsVisitor, ImportItem

from mysingle._kernel.old_names import GONE, GONE_SETTINGS, RENAMED
from mysingle.tooling.migrate._auth import Auth
from mysingle.tooling.migrate._caches import Caches
from mysingle.tooling.migrate._clients import Clients
from mysingle.tooling.migrate._findings import GUIDE, MARK, Finding, follow
from mysingle.tooling.migrate._imports import Imports
from mysingle.tooling.migrate._logs import Logs
from mysingle.tooling.migrate._middleware import Middleware
from mysingle.tooling.migrate._project import Project
from mysingle.tooling.migrate._settings import DATABASES, Settings
from mysingle.tooling.migrate._step import ROOTS, Step
from mysingle.tooling.migrate._strings import Strings

__all__ = ["STEPS", "migrate_python"]

_WORDS = (*ROOTS, "jwt", "Bearer", "REDIS_URL", *GONE_SETTINGS, *DATABASES, *RENAMED, *GONE)
"""Without one of them no step has anything to do; looking for them costs next to nothing."""

_STACK_BYTES = 512 * 1024 * 1024  # of address space; only what is used takes memory
_MAX_DEPTH = 100_000

STEPS: Sequence[type[Step]] = (Settings, Clients, Caches, Auth, Logs, Middleware, Strings, Imports)
"""Uses first, while the names still tell where they came from; imports last."""


def migrate_python(text: str, project: Project, *, is_package: bool) -> tuple[str, list[Finding]]:
    """
    Return a text of version 2, and what a person must still do, with the lines of the new text.

    Raises:
        SyntaxError, libcst.ParserSyntaxError: the text is no Python.
        RecursionError, MemoryError: it is nested too deeply.
    """
    words = (*_WORDS, *project.clients, *project.routes)
    if not any(word in text for word in words) or not any(kind.concerns(text, project) for kind in STEPS):
        return text, sorted(_marks(text))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are about the service's own text
        ast.parse(text)  # it refuses what is nested too deeply, with which LibCST would be busy for minutes
    limit = sys.getrecursionlimit()
    previous = threading.stack_size(_STACK_BYTES)
    sys.setrecursionlimit(_MAX_DEPTH)
    try:
        with ThreadPoolExecutor(1) as executor:
            return executor.submit(_migrated, text, project, is_package).result()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(previous)


def _migrated(text: str, project: Project, is_package: bool) -> tuple[str, list[Finding]]:
    """Take the steps; LibCST recurses for every level of a text, in Python and outside of it, so the stack is large."""
    findings: list[Finding] = []
    unused: set[str] = set()
    for kind in STEPS:
        if not kind.concerns(text, project):
            continue
        step = kind(project, is_package=is_package)
        if isinstance(step, Imports):
            step.candidates |= unused
        before, text = text, _taken(step, text)
        findings = follow([*findings, *step.findings], before, text)
        unused |= step.unused
    return text, sorted({*findings, *_marks(text)})


def _taken(step: Step, text: str) -> str:
    """Take one step, and add the imports that it needs."""
    module = step.take(text)
    items = [ImportItem(place, name) for place, name in sorted(step.needs)]
    return AddImportsVisitor(CodemodContext(), items).transform_module(module).code if items else module.code


def _marks(text: str) -> list[Finding]:
    """Return the marks that are in a text, of this run or an earlier one."""
    return [
        Finding(line=number, what="marked in the code", why=_said(line), section=_section(line))
        for number, line in enumerate(text.splitlines(), 1)
        if MARK in line and "#" in line.partition(MARK)[0]
    ]


def _said(line: str) -> str:
    return line.partition(MARK)[2].lstrip(": ").partition(" See ")[0]


def _section(line: str) -> str:
    return line.rpartition(f"{GUIDE}#")[2].strip() if GUIDE in line else "http-clients"
