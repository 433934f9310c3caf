"""The syntax tree of the language: what is left of Python's after everything that is not listed has been refused."""

from typing import NamedTuple, TypeAlias

from mysingle.dsl.ir.kinds import Const
from mysingle.dsl.lang.source import Span

__all__ = [
    "Assert", "Assign", "Attribute", "Augmented", "Binary", "Call", "Chain", "Column", "Comprehension",
    "Conditional", "Element", "Evaluate", "Expr", "For", "Function", "If", "Index", "Literal", "Logical", "Mapping",
    "Name", "Parameter", "Pass", "Raise", "Return", "Sequence", "State", "Stmt", "Target", "Targets", "Unary",
]  # fmt: skip


class Literal(NamedTuple):
    """A number, string, True, False or None."""

    value: Const
    span: Span


class Name(NamedTuple):
    """An identifier."""

    id: str
    span: Span


class Binary(NamedTuple):
    """`left op right`; op is the name of a row."""

    op: str
    left: "Expr"
    right: "Expr"
    span: Span


class Unary(NamedTuple):
    """`neg`, `pos`, `invert` or `not` of a value."""

    op: str
    operand: "Expr"
    span: Span


class Logical(NamedTuple):
    """`and` or `or` of two or more values."""

    op: str
    values: tuple["Expr", ...]
    span: Span


class Chain(NamedTuple):
    """`left < a <= b ...`: ops are gt, ge, lt, le, eq, ne, is, is_not, in, not_in."""

    left: "Expr"
    ops: tuple[str, ...]
    rights: tuple["Expr", ...]
    span: Span


class Conditional(NamedTuple):
    """`body if test else orelse`."""

    test: "Expr"
    body: "Expr"
    orelse: "Expr"
    span: Span


class Call(NamedTuple):
    """`function(args, name=value)`."""

    function: "Expr"
    args: tuple["Expr", ...]
    keywords: tuple[tuple[str, "Expr", Span], ...]
    span: Span


class Attribute(NamedTuple):
    """`value.name`; `at` is the place of the name."""

    value: "Expr"
    name: str
    span: Span
    at: Span


class Index(NamedTuple):
    """`value[index]`."""

    value: "Expr"
    key: "Expr"
    span: Span


class Sequence(NamedTuple):
    """A tuple or list."""

    items: tuple["Expr", ...]
    is_tuple: bool
    span: Span


class Mapping(NamedTuple):
    """A dict literal."""

    keys: tuple["Expr", ...]
    values: tuple["Expr", ...]
    span: Span


class Comprehension(NamedTuple):
    """`[element for names in values if conditions]` over constants."""

    element: "Expr"
    names: tuple[str, ...]
    values: "Expr"
    conditions: tuple["Expr", ...]
    span: Span


Expr: TypeAlias = (
    Literal | Name | Binary | Unary | Logical | Chain | Conditional | Call | Attribute | Index | Sequence | Mapping
    | Comprehension
)  # fmt: skip


class Column(NamedTuple):
    """The target `data['name']`."""

    name: str
    span: Span


class Element(NamedTuple):
    """The target `name.iloc[variable]`."""

    name: str
    position: Expr
    span: Span


Target: TypeAlias = Name | Column | Element


class Targets(NamedTuple):
    """The target `a, b = ...`."""

    items: tuple[Target, ...]
    span: Span


class Assign(NamedTuple):
    """`target = value`."""

    target: Target | Targets
    value: Expr
    span: Span


class Augmented(NamedTuple):
    """`target op= value`."""

    target: Target
    op: str
    value: Expr
    span: Span


class State(NamedTuple):
    """`var name = value`."""

    name: Name
    value: Expr
    span: Span


class If(NamedTuple):
    """`if test: ... else: ...`."""

    test: Expr
    body: tuple["Stmt", ...]
    orelse: tuple["Stmt", ...]
    span: Span


class For(NamedTuple):
    """`for names in values: ...`."""

    names: tuple[str, ...]
    values: Expr
    body: tuple["Stmt", ...]
    span: Span


class Parameter(NamedTuple):
    """A parameter of a function; `default` is None when there is none."""

    name: str
    default: Expr | None
    span: Span


class Function(NamedTuple):
    """`def name(parameters): ...`."""

    name: str
    parameters: tuple[Parameter, ...]
    body: tuple["Stmt", ...]
    span: Span


class Return(NamedTuple):
    """`return value`."""

    value: Expr | None
    span: Span


class Raise(NamedTuple):
    """`raise ValueError("message")`."""

    name: str
    message: str
    span: Span


class Assert(NamedTuple):
    """`assert test, "message"`."""

    test: Expr
    message: str
    span: Span


class Evaluate(NamedTuple):
    """An expression for its effects."""

    value: Expr
    span: Span


class Pass(NamedTuple):
    """`pass`."""

    span: Span


Stmt: TypeAlias = Assign | Augmented | State | If | For | Function | Return | Raise | Assert | Evaluate | Pass
