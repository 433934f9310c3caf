"""What a rule has to hand while one file is checked."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mysingle.tooling.check._evaluate import Evaluator
from mysingle.tooling.check._scopes import Class, Function, Module, Scope
from mysingle.tooling.check._services import Service
from mysingle.tooling.check._sources import Source
from mysingle.tooling.check._values import Made, Object, Ref, Value
from mysingle.tooling.check.findings import Edit, Finding, Span
from mysingle.tooling.check.rules import RULES

__all__ = ["Call", "Context"]

_Fact = TypeVar("_Fact")


@dataclass(frozen=True, slots=True)
class Call:
    """
    One call.

    `node` has what `*args`, `**options` and a `partial` give it. `name` is the full name of what is called when it
    belongs to a library, `method` what stands behind its last dot. `is_partial` when more is given later.
    """

    node: ast.Call
    scope: Scope
    callee: Value | None
    name: str
    method: str
    is_partial: bool = False

    @property
    def receiver(self) -> Made | Object | None:
        """The instance on which a method is called."""
        return self.callee.receiver if isinstance(self.callee, Ref) else None


@dataclass(slots=True)
class Context:
    """One file, the service to which it belongs, and what was found in it so far."""

    source: Source
    module: Module
    service: Service
    evaluator: Evaluator
    active: frozenset[str]
    service_hosts: Sequence[str] = ()
    outside_hosts: Sequence[str] = ()
    findings: list[Finding] = field(default_factory=list)
    places: dict[ast.AST, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    _seen: set[tuple[str, ast.AST]] = field(default_factory=set)

    def fact(self, name: str, find: "Callable[[Context], _Fact]") -> "_Fact":
        """Return what a rule wants to know of the whole file, found out once."""
        if name not in self.facts:
            self.facts[name] = find(self)
        return self.facts[name]  # type: ignore[no-any-return]  # what `find` returned

    def report(self, code: str, node: ast.AST, about: str = "", edits: tuple[Edit, ...] = ()) -> None:
        """Note that a node breaks a rule, once; nothing happens when the rule is off for this file."""
        if code not in self.active or (code, node) in self._seen or node in self.module.held:
            return
        self._seen.add((code, node))
        span = self.span(node)
        self.findings.append(
            Finding(
                code=code,
                path=self.source.shown,
                span=span,
                message=RULES[code].message.format(about=about),
                source=self.source.lines[span.line - 1] if span.line <= len(self.source.lines) else "",
                edits=edits,
            )
        )

    def span(self, node: ast.AST) -> Span:
        """Return where a node stands; of a function or class, its name only."""
        line, offset = node.lineno, node.col_offset  # type: ignore[attr-defined]  # every reported node has a place
        column = self.source.column(line, offset)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            text = self.source.lines[line - 1]
            start = text.find(node.name, column - 1) + 1
            return Span(line, start or column, line, (start or column) + len(node.name))
        end_line = node.end_lineno or line  # type: ignore[attr-defined]  # as above
        end_offset = node.end_col_offset or 0  # type: ignore[attr-defined]  # as above
        return Span(line, column, end_line, self.source.column(end_line, end_offset))

    def is_written(self, node: ast.AST) -> bool:
        """Tell whether a node stands in the file as it is, and was not put together from other places."""
        return node not in self.module.moved

    def parent(self, node: ast.AST) -> ast.AST | None:
        """Return the node around a node."""
        return self.module.parents.get(node)

    def is_awaited(self, node: ast.AST) -> bool:
        """Tell whether `await` stands before a node, or `async with` or `async for` enters it."""
        parent = self.parent(node)
        if isinstance(parent, ast.withitem):
            return isinstance(self.parent(parent), ast.AsyncWith)
        return isinstance(parent, ast.Await) or (isinstance(parent, ast.AsyncFor) and parent.iter is node)

    def loop_function(self, scope: Scope) -> Function | None:
        """Return the asynchronous function in whose body a scope is; a lambda or inner function is not the body."""
        function = scope.owner if isinstance(scope.owner, Function) else None
        return function if function is not None and function.is_async else None

    def class_of(self, value: Value | None) -> Class | None:
        """Return the class that a value is, or is an instance of, in the checked code."""
        if isinstance(value, Object):
            return value.cls
        return value if isinstance(value, Class) else None
