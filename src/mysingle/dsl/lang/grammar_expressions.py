"""The whitelist of expressions and targets: whatever has no rule here is refused (S1)."""

import ast
from collections.abc import Callable, Sequence
from typing import Any, Final

from mysingle.dsl.lang import nodes as n
from mysingle.dsl.lang.diagnostics import Refusal, Reporter
from mysingle.dsl.lang.header import Header
from mysingle.dsl.lang.identifiers import identifier_problem
from mysingle.dsl.lang.messages import INSTEAD
from mysingle.dsl.lang.source import Span
from mysingle.dsl.lang.tables import FORBIDDEN_ATTRIBUTES, FORBIDDEN_NAMES
from mysingle.dsl.limits import LIMITS

__all__ = ["BINARY", "Expressions", "is_string", "span_of"]

BINARY: Final[dict[type[ast.operator], str]] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
}  # fmt: skip
_UNARY: Final[dict[type[ast.unaryop], str]] = {
    ast.USub: "neg", ast.UAdd: "pos", ast.Invert: "invert", ast.Not: "not",
}  # fmt: skip
_COMPARE: Final[dict[type[ast.cmpop], str]] = {
    ast.Gt: "gt", ast.GtE: "ge", ast.Lt: "lt", ast.LtE: "le", ast.Eq: "eq", ast.NotEq: "ne", ast.Is: "is",
    ast.IsNot: "is_not", ast.In: "in", ast.NotIn: "not_in",
}  # fmt: skip


def span_of(node: Any) -> Span:  # the nodes of `ast` share no typed base with a position
    """Return the place of a node of Python's tree."""
    return Span(node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)


class Expressions:
    """The walk over expressions; the depth and the number of functions are counted over the whole tree."""

    def __init__(self, reporter: Reporter, header: Header) -> None:
        self._reporter = reporter
        self._header = header
        self._depth = 0
        self._blocks = 0
        self._functions = 0
        self._sound: set[str] = set()

    def _forbidden(self, node: ast.AST) -> Refusal:
        construct = type(node).__name__
        what, hint, hint_ko = INSTEAD.get(construct, (f"'{construct}'", "", ""))
        return self._reporter.refuse(
            "forbidden_construct", span_of(node), what=what, hint=hint, hint_ko=hint_ko, construct=construct
        )

    def _target(self, node: ast.expr) -> n.Target | n.Targets:
        if isinstance(node, ast.Name):
            self._name(node.id, span_of(node))
            if node.id in {"data", "params"}:
                raise self._reporter.refuse("assign_reserved", span_of(node), name=node.id)
            return n.Name(node.id, span_of(node))
        if isinstance(node, ast.Tuple | ast.List):
            items = tuple(self._target(item) for item in node.elts)
            flat = tuple(item for item in items if not isinstance(item, n.Targets))
            if len(flat) != len(items):
                raise self._reporter.refuse("target", span_of(node))
            return n.Targets(flat, span_of(node))
        if isinstance(node, ast.Subscript):
            return self._subscript_target(node)
        if isinstance(node, ast.Attribute):
            self._attribute(node)
            raise self._reporter.refuse("assign_attribute", span_of(node), name=node.attr)
        raise self._forbidden(node)

    def _subscript_target(self, node: ast.Subscript) -> n.Target:
        value, key = node.value, node.slice
        if isinstance(value, ast.Name) and value.id == "data" and is_string(key):
            return n.Column(self._column_name(key), span_of(node))
        is_element = isinstance(value, ast.Attribute) and value.attr in {"iloc", "loc", "at", "iat"}
        if is_element and isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
            self._name(value.value.id, span_of(value))
            return n.Element(value.value.id, self._expression(key), span_of(node))
        raise self._reporter.refuse("target", span_of(node))

    def _kept(self, node: ast.expr) -> n.Expr | None:
        """Walk an expression and go on after a refusal."""
        try:
            return self._expression(node)
        except Refusal:
            return None

    def _all(self, items: Sequence[ast.expr]) -> tuple[n.Expr, ...]:
        found = []
        for item in items:
            try:
                found.append(self._expression(item))
            except Refusal:
                continue
        if len(found) != len(items):
            raise Refusal
        return tuple(found)

    def _expression(self, node: ast.expr) -> n.Expr:
        rule = _EXPRESSIONS.get(type(node))
        if rule is None:
            raise self._forbidden(node)
        self._depth += 1
        try:
            if self._depth > LIMITS.expression_depth:
                raise self._reporter.refuse("limit", span_of(node), limit="expression depth",
                                            value=LIMITS.expression_depth, actual=self._depth)  # fmt: skip
            return rule(self, node)
        finally:
            self._depth -= 1

    def _constant(self, node: ast.Constant) -> n.Expr:
        value, at = node.value, span_of(node)
        if isinstance(value, str):
            return n.Literal(self._text(node), at)
        if isinstance(value, bool | None):
            return n.Literal(value, at)
        if isinstance(value, int):
            if abs(value) > LIMITS.integer:
                raise self._reporter.refuse("integer_literal", at)
            return n.Literal(value, at)
        if isinstance(value, float):
            if value in {float("inf"), float("-inf")}:
                raise self._reporter.refuse("infinite_literal", at)
            return n.Literal(value, at)
        what, hint, hint_ko = INSTEAD[type(value).__name__]
        raise self._reporter.refuse("forbidden_construct", at, what=what, hint=hint, hint_ko=hint_ko,
                                    construct=type(value).__name__)  # fmt: skip

    def _text(self, node: ast.expr) -> str:
        value = str(node.value) if isinstance(node, ast.Constant) else ""
        if len(value) > LIMITS.string:
            raise self._reporter.refuse("limit", span_of(node), limit="string length", value=LIMITS.string,
                                        actual=len(value))  # fmt: skip
        return value

    def _column_name(self, node: ast.expr) -> str:
        name = self._text(node)
        if (not name.isidentifier() and not name.replace(" ", "_").isidentifier()) or name.startswith("_"):
            raise self._reporter.refuse("column_name", span_of(node), name=name[:64])
        if len(name) > LIMITS.identifier or " " in name:
            raise self._reporter.refuse("column_name", span_of(node), name=name[:64])
        return name

    def _name_expression(self, node: ast.Name) -> n.Expr:
        name, at = node.id, span_of(node)
        self._name(name, at)
        return n.Name(name, at)

    def _name(self, name: str, at: Span) -> None:
        if name in self._sound:
            return
        if name in FORBIDDEN_NAMES:
            hint, hint_ko = FORBIDDEN_NAMES[name]
            raise self._reporter.refuse("forbidden_name", at, name=name, hint=hint, hint_ko=hint_ko, construct=name)
        self._identifier(name, at)
        self._sound.add(name)

    def _identifier(self, name: str, at: Span) -> None:
        problem = identifier_problem(name)
        if problem:
            raise self._reporter.refuse(problem, at, name=name[:64])

    def _attribute(self, node: ast.Attribute) -> n.Expr:
        at = Span(node.end_lineno or node.lineno, (node.end_col_offset or 1) - len(node.attr.encode("utf-8")),
                  node.end_lineno or node.lineno, node.end_col_offset or 1)  # fmt: skip
        value = self._expression(node.value)
        if node.attr in FORBIDDEN_ATTRIBUTES and not _is_ours(node):
            hint, hint_ko = FORBIDDEN_ATTRIBUTES[node.attr]
            raise self._reporter.refuse("forbidden_attribute", at, name=node.attr, hint=hint, hint_ko=hint_ko,
                                        construct=node.attr)  # fmt: skip
        self._identifier(node.attr, at)
        return n.Attribute(value, node.attr, span_of(node), at)

    def _binary(self, node: ast.BinOp) -> n.Expr:
        op = BINARY.get(type(node.op))
        left, right = self._all([node.left, node.right])
        if op is None:
            raise self._forbidden_operator(node.op, span_of(node))
        return n.Binary(op, left, right, span_of(node))

    def _forbidden_operator(self, op: ast.operator, at: Span) -> Refusal:
        construct = type(op).__name__
        what, hint, hint_ko = INSTEAD.get(construct, (construct, "", ""))
        return self._reporter.refuse("forbidden_construct", at, what=what, hint=hint, hint_ko=hint_ko,
                                     construct=construct)  # fmt: skip

    def _unary(self, node: ast.UnaryOp) -> n.Expr:
        return n.Unary(_UNARY[type(node.op)], self._expression(node.operand), span_of(node))

    def _logical(self, node: ast.BoolOp) -> n.Expr:
        return n.Logical("and" if isinstance(node.op, ast.And) else "or", self._all(node.values), span_of(node))

    def _compare(self, node: ast.Compare) -> n.Expr:
        left, *rights = self._all([node.left, *node.comparators])
        return n.Chain(left, tuple(_COMPARE[type(op)] for op in node.ops), tuple(rights), span_of(node))

    def _conditional(self, node: ast.IfExp) -> n.Expr:
        test, body, orelse = self._all([node.test, node.body, node.orelse])
        return n.Conditional(test, body, orelse, span_of(node))

    def _call(self, node: ast.Call) -> n.Expr:
        count = len(node.args) + len(node.keywords)
        if count > LIMITS.call_arguments:
            raise self._reporter.refuse("limit", span_of(node), limit="call arguments", value=LIMITS.call_arguments,
                                        actual=count)  # fmt: skip
        function = self._kept(node.func)
        args = self._all(node.args)
        keywords = [self._keyword(item) for item in node.keywords]
        if function is None:
            raise Refusal
        return n.Call(function, args, tuple(keywords), span_of(node))

    def _keyword(self, node: ast.keyword) -> tuple[str, n.Expr, Span]:
        if node.arg is None:
            self._kept(node.value)
            what, hint, hint_ko = INSTEAD["Starred"]
            raise self._reporter.refuse("forbidden_construct", span_of(node), what=what, hint=hint, hint_ko=hint_ko,
                                        construct="Starred")  # fmt: skip
        self._identifier(node.arg, span_of(node))
        at = Span(node.lineno, node.col_offset, node.lineno, node.col_offset + len(node.arg.encode("utf-8")))
        return node.arg, self._expression(node.value), at

    def _subscript(self, node: ast.Subscript) -> n.Expr:
        if isinstance(node.slice, ast.Slice) or (
            isinstance(node.slice, ast.Tuple) and any(isinstance(item, ast.Slice) for item in node.slice.elts)
        ):
            self._kept(node.value)
            raise self._forbidden(next(iter([node.slice])) if isinstance(node.slice, ast.Slice) else ast.Slice(
                lineno=node.lineno, col_offset=node.col_offset, end_lineno=node.end_lineno,
                end_col_offset=node.end_col_offset,
            ))  # fmt: skip
        value, index = self._all([node.value, node.slice])
        return n.Index(value, index, span_of(node))

    def _sequence(self, node: ast.Tuple | ast.List) -> n.Expr:
        if len(node.elts) > LIMITS.list_elements:
            raise self._reporter.refuse("limit", span_of(node), limit="list elements", value=LIMITS.list_elements,
                                        actual=len(node.elts))  # fmt: skip
        return n.Sequence(self._all(node.elts), isinstance(node, ast.Tuple), span_of(node))

    def _mapping(self, node: ast.Dict) -> n.Expr:
        if len(node.keys) > LIMITS.list_elements:
            raise self._reporter.refuse("limit", span_of(node), limit="list elements", value=LIMITS.list_elements,
                                        actual=len(node.keys))  # fmt: skip
        keys = [key for key in node.keys if key is not None]
        if len(keys) != len(node.keys):
            self._all([*keys, *node.values])
            what, hint, hint_ko = INSTEAD["Starred"]
            raise self._reporter.refuse("forbidden_construct", span_of(node), what=what, hint=hint, hint_ko=hint_ko,
                                        construct="Starred")  # fmt: skip
        return n.Mapping(self._all(keys), self._all(node.values), span_of(node))

    def _comprehension(self, node: ast.ListComp) -> n.Expr:
        generator = node.generators[0]
        if len(node.generators) > 1 or generator.is_async:
            for item in node.generators:
                self._kept(item.iter)
            raise self._reporter.refuse("comprehension_form", span_of(node))
        target = self._target(generator.target)
        items = target.items if isinstance(target, n.Targets) else (target,)
        names = tuple(item.id for item in items if isinstance(item, n.Name))
        element, values, *conditions = self._all([node.elt, generator.iter, *generator.ifs])
        if len(names) != len(items):
            raise self._reporter.refuse("loop_target", span_of(generator.target))
        return n.Comprehension(element, names, values, tuple(conditions), span_of(node))


def _is_ours(node: ast.Attribute) -> bool:
    """Tell names of our own namespaces that pandas and numpy use otherwise: `param.str`, `np.array`."""
    owner = node.value
    ours = {"str": "param", "ma": "indicator", "array": "np"}.get(node.attr)
    if ours is not None:
        return isinstance(owner, ast.Name) and owner.id == ours
    inner = owner.value if isinstance(owner, ast.Attribute) else None
    return node.attr == "apply" and isinstance(inner, ast.Name) and inner.id == "indicator"


def is_string(node: ast.expr | None) -> bool:
    """Say whether the node is a string literal."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


_EXPRESSIONS: Final[dict[type[ast.expr], Callable[[Expressions, Any], n.Expr]]] = {
    ast.Constant: Expressions._constant,  # noqa: SLF001
    ast.Name: Expressions._name_expression,  # noqa: SLF001
    ast.Attribute: Expressions._attribute,  # noqa: SLF001
    ast.BinOp: Expressions._binary,  # noqa: SLF001
    ast.UnaryOp: Expressions._unary,  # noqa: SLF001
    ast.BoolOp: Expressions._logical,  # noqa: SLF001
    ast.Compare: Expressions._compare,  # noqa: SLF001
    ast.IfExp: Expressions._conditional,  # noqa: SLF001
    ast.Call: Expressions._call,  # noqa: SLF001
    ast.Subscript: Expressions._subscript,  # noqa: SLF001
    ast.Tuple: Expressions._sequence,  # noqa: SLF001
    ast.List: Expressions._sequence,  # noqa: SLF001
    ast.Dict: Expressions._mapping,  # noqa: SLF001
    ast.ListComp: Expressions._comprehension,  # noqa: SLF001
}
