"""The whitelist: Python's tree becomes ours, construct by construct; whatever has no rule here is refused (S1)."""

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from mysingle.dsl.lang import nodes as n
from mysingle.dsl.lang.diagnostics import Refusal
from mysingle.dsl.lang.grammar_expressions import BINARY, Expressions, is_string, span_of
from mysingle.dsl.lang.messages import INSTEAD
from mysingle.dsl.limits import LIMITS

__all__ = ["Grammar"]

_ERRORS: Final = frozenset({"ValueError", "TypeError"})


_CALCULATE: Final = "@calculate"
"""The name of a section that returns on several paths, as a function; no name of a source begins so."""


def _returns_early(body: Iterable[n.Stmt]) -> bool:
    """Say whether a branch of a section returns."""
    for item in body:
        inner = (*item.body, *item.orelse) if isinstance(item, n.If) else ()
        if any(isinstance(part, n.Return) for part in inner) or _returns_early(inner):
            return True
    return False


class Grammar(Expressions):
    """One walk over the whole tree, unused functions, defaults and annotations included; it reports all refusals."""

    def program(self, tree: ast.Module) -> tuple[n.Stmt, ...]:
        """Return the statements of the program; sections are flattened."""
        found: list[n.Stmt] = []
        body = tree.body
        if body and isinstance(body[0], ast.Expr) and is_string(body[0].value):
            body = body[1:]
        for statement in body:
            section = self._header.sections.get(getattr(statement, "lineno", 0))
            if section and isinstance(statement, ast.If) and statement.col_offset == 0:
                found += self._section(section, statement)
            else:
                found += self._statements([statement])
        return tuple(found)

    def _section(self, name: str, block: ast.If) -> tuple[n.Stmt, ...]:
        body = block.body
        if body and isinstance(body[0], ast.Expr) and is_string(body[0].value):
            body = body[1:]
        found = list(self._statements(body))
        if name == "calculate" and _returns_early(found):
            at = found[0].span
            call = n.Call(n.Name(_CALCULATE, at), (), (), at)
            return n.Function(_CALCULATE, (), tuple(found), at), n.Assign(n.Name("result", at), call, at)
        last = found[-1] if found and name == "calculate" else None
        if isinstance(last, n.Return) and last.value is not None:
            found[-1] = n.Assign(n.Name("result", last.span), last.value, last.span)
        return tuple(found)

    # statements

    def _statements(self, body: Sequence[ast.stmt]) -> tuple[n.Stmt, ...]:
        self._blocks += 1
        try:
            if self._blocks > LIMITS.statement_depth:
                self._reporter.report("limit", span_of(body[0]), limit="statement depth",
                                      value=LIMITS.statement_depth, actual=self._blocks)  # fmt: skip
                return ()
            return tuple(found for statement in body for found in self._statement(statement))
        finally:
            self._blocks -= 1

    def _statement(self, node: ast.stmt) -> tuple[n.Stmt, ...]:
        rule = _STATEMENTS.get(type(node))
        try:
            if rule is None:
                raise self._forbidden(node)
            return (rule(self, node),)
        except Refusal:
            return ()

    def _assign(self, node: ast.Assign) -> n.Stmt:
        value = self._expression(node.value)
        if len(node.targets) > 1:
            raise self._reporter.refuse("chained_assignment", span_of(node))
        moved = self._header.variables.get(node.lineno)
        target = self._target(node.targets[0])
        if moved is not None and isinstance(target, n.Name):
            return n.State(target, value, span_of(node))
        return n.Assign(target, value, span_of(node))

    def _annotated(self, node: ast.AnnAssign) -> n.Stmt:
        if not isinstance(node.annotation, ast.Name):
            raise self._reporter.refuse("annotation", span_of(node.annotation))
        self._name(node.annotation.id, span_of(node.annotation))
        if node.value is None:
            return n.Pass(span_of(node))
        return n.Assign(self._target(node.target), self._expression(node.value), span_of(node))

    def _augmented(self, node: ast.AugAssign) -> n.Stmt:
        op = BINARY.get(type(node.op))
        if op is None:
            raise self._forbidden_operator(node.op, span_of(node))
        target = self._target(node.target)
        if isinstance(target, n.Targets):
            raise self._reporter.refuse("target", span_of(node.target))
        return n.Augmented(target, op, self._expression(node.value), span_of(node))

    def _if(self, node: ast.If) -> n.Stmt:
        test = self._kept(node.test)
        body, orelse = self._statements(node.body), self._statements(node.orelse) if node.orelse else ()
        if test is None:
            raise Refusal
        return n.If(test, body, orelse, span_of(node.test))

    def _for(self, node: ast.For) -> n.Stmt:
        if node.orelse:
            self._reporter.report("forbidden_construct", span_of(node.orelse[0]), what="'for ... else'",
                                  construct="ForElse", hint="put the statements after the loop")  # fmt: skip
        target = self._target(node.target)
        items = target.items if isinstance(target, n.Targets) else (target,)
        names = tuple(item.id for item in items if isinstance(item, n.Name))
        values = self._kept(node.iter)
        body = self._statements(node.body)
        if len(names) != len(items) or values is None:
            raise self._reporter.refuse("loop_target", span_of(node.target)) if values is not None else Refusal()
        return n.For(names, values, body, span_of(node.iter))

    def _function(self, node: ast.FunctionDef) -> n.Stmt:
        self._functions += 1
        at = span_of(node)
        if self._functions > LIMITS.functions:
            raise self._reporter.refuse("limit", at, limit="functions", value=LIMITS.functions, actual=self._functions)
        self._name(node.name, at)
        for decorator in node.decorator_list:
            self._kept(decorator)
            self._reporter.report("forbidden_construct", span_of(decorator), what="a decorator", construct="Decorator",
                                  hint="call the function directly")  # fmt: skip
        parameters = self._parameters(node)
        if node.returns is not None:
            self._kept(node.returns)
        if getattr(node, "type_params", None):
            self._reporter.report("forbidden_construct", at, what="type parameters", construct="TypeParams")
        body = node.body[1:] if _has_docstring(node) else node.body
        return n.Function(node.name, parameters, self._statements(body) if body else (), at)

    def _parameters(self, node: ast.FunctionDef) -> tuple[n.Parameter, ...]:
        arguments = node.args
        for extra in (*arguments.posonlyargs, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
            if extra is not None:
                self._name(extra.arg, span_of(extra))
                what, hint, hint_ko = INSTEAD["arguments"]
                self._reporter.report("forbidden_construct", span_of(extra), what=what, hint=hint, hint_ko=hint_ko,
                                      construct="Arguments")  # fmt: skip
        for default in arguments.kw_defaults:
            if default is not None:
                self._kept(default)
        defaults: list[n.Expr | None] = [None] * (len(arguments.args) - len(arguments.defaults))
        defaults += [self._kept(item) for item in arguments.defaults[-len(arguments.args) or len(arguments.defaults) :]]
        found: list[n.Parameter] = []
        for item, value in zip(arguments.args, defaults, strict=False):
            self._name(item.arg, span_of(item))
            if item.arg in {other.name for other in found}:
                self._reporter.report("parameter_twice", span_of(item), name=item.arg)
            if item.annotation is not None:
                self._kept(item.annotation)
            found.append(n.Parameter(item.arg, value, span_of(item)))
        return tuple(found)

    def _return(self, node: ast.Return) -> n.Stmt:
        return n.Return(self._expression(node.value) if node.value is not None else None, span_of(node))

    def _raise(self, node: ast.Raise) -> n.Stmt:
        call = node.exc
        if node.cause is not None:
            self._kept(node.cause)
            raise self._reporter.refuse("raise_form", span_of(node))
        name = call.func if isinstance(call, ast.Call) else call
        if not isinstance(name, ast.Name) or name.id not in _ERRORS:
            if call is not None:
                self._kept(call)
            raise self._reporter.refuse("raise_form", span_of(node))
        args = call.args if isinstance(call, ast.Call) else []
        if len(args) > 1 or (isinstance(call, ast.Call) and call.keywords) or not all(map(is_string, args)):
            raise self._reporter.refuse("raise_form", span_of(node))
        return n.Raise(name.id, self._text(args[0]) if args else name.id, span_of(node))

    def _assert(self, node: ast.Assert) -> n.Stmt:
        test = self._expression(node.test)
        if node.msg is not None and not is_string(node.msg):
            self._kept(node.msg)
            raise self._reporter.refuse("assert_message", span_of(node.msg))
        return n.Assert(test, self._text(node.msg) if node.msg is not None else "Assertion failed", span_of(node))

    def _evaluate(self, node: ast.Expr) -> n.Stmt:
        return n.Evaluate(self._expression(node.value), span_of(node))

    def _pass(self, node: ast.Pass) -> n.Stmt:
        return n.Pass(span_of(node))


def _has_docstring(node: ast.FunctionDef) -> bool:
    return bool(node.body) and isinstance(node.body[0], ast.Expr) and is_string(node.body[0].value)


_STATEMENTS: Final[dict[type[ast.stmt], Callable[[Grammar, Any], n.Stmt]]] = {
    ast.Assign: Grammar._assign,  # noqa: SLF001
    ast.AnnAssign: Grammar._annotated,  # noqa: SLF001
    ast.AugAssign: Grammar._augmented,  # noqa: SLF001
    ast.If: Grammar._if,  # noqa: SLF001
    ast.For: Grammar._for,  # noqa: SLF001
    ast.FunctionDef: Grammar._function,  # noqa: SLF001
    ast.Return: Grammar._return,  # noqa: SLF001
    ast.Raise: Grammar._raise,  # noqa: SLF001
    ast.Assert: Grammar._assert,  # noqa: SLF001
    ast.Expr: Grammar._evaluate,  # noqa: SLF001
    ast.Pass: Grammar._pass,  # noqa: SLF001
}
