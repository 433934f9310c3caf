"""The state of one compile: the growing program, the scope, the path of conditions, and what has been spent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from mysingle.dsl.ir.build import Builder, TooManyNodesError
from mysingle.dsl.ir.kinds import Const, Kind, Phase, Type, merge_kinds
from mysingle.dsl.ir.ops import OPS, Flag
from mysingle.dsl.ir.program import Alert, Grid, Guard, Order, Plot
from mysingle.dsl.ir.typing import ReadTypeError
from mysingle.dsl.lang.diagnostics import Exhausted, Refusal, Reporter
from mysingle.dsl.lang.params import ParamTable
from mysingle.dsl.lang.source import Span
from mysingle.dsl.lang.values import Ref, UserFunction, Value
from mysingle.dsl.limits import LIMITS

__all__ = ["BarLoop", "Context", "StateDraft"]

Scope: TypeAlias = dict[str, Value]
_SERIES: Final = Phase.SERIES
_ANY_PHASE: Final = frozenset(row.name for row in OPS.values() if row.has(Flag.BAR) or row.has(Flag.SPECIAL))
"""The ops that take scalars and series alike."""
_WANTS_SERIES: Final = {row.name: tuple(arg.phase is Phase.SERIES for arg in row.args) for row in OPS.values()}
"""Of each op, which arguments have a meaning as series only."""


@dataclass
class StateDraft:
    """A state variable whose update is not known yet."""

    name: str
    kind: Kind
    init: int
    leaf: int
    update: int = -1
    title: str = ""
    older: list[int] = field(default_factory=list)
    """Leaves of the values two, three ... bars ago."""


@dataclass
class BarLoop:
    """A `for i in range(len(data))` that is being compiled."""

    variable: str
    assigned: frozenset[str]
    states: dict[str, int] = field(default_factory=dict)


@dataclass
class Context:
    """Everything that the passes share; one object for each compile."""

    reporter: Reporter
    profile: str = "standard"
    mode: str = "strict"
    known_columns: frozenset[str] = frozenset()
    builder: Builder = field(default_factory=Builder)
    params: ParamTable = field(default_factory=ParamTable)
    scope: Scope = field(default_factory=dict)
    module: Scope = field(default_factory=dict)
    assigned: frozenset[str] = frozenset()
    """Names that the module assigns somewhere."""
    path: int | None = None
    fuel: int = LIMITS.compile_fuel
    statements: int = LIMITS.statements
    calls: list[str] = field(default_factory=list)
    states: list[StateDraft] = field(default_factory=list)
    state_of: dict[str, int] = field(default_factory=dict)
    grids: list[Grid] = field(default_factory=lambda: [Grid(1, "")])
    guards: list[Guard] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    loop: BarLoop | None = None
    block_depth: int = 0
    inline: Callable[["Context", UserFunction, tuple[Value, ...], dict[str, Value], Span], Value] | None = None

    # spending

    def spend_statement(self, span: Span) -> None:
        """Count one executed statement, unrolled ones each time."""
        self.statements -= 1
        if self.statements < 0:
            self.exhaust("statements", LIMITS.statements, LIMITS.statements + 1, span)

    def exhaust(self, limit: str, value: int, actual: int, span: Span | None = None) -> None:
        """Report a limit and end the compile."""
        self.reporter.report("limit", span, limit=limit, value=value, actual=actual)
        raise Exhausted

    def refuse(self, key: str, span: Span | None = None, *, fix: str = "", **values: Any) -> Refusal:
        """Report an error and return what gives the expression up."""
        return self.reporter.refuse(key, span, fix=fix, **values)

    def warn(self, key: str, span: Span | None = None, **values: Any) -> None:
        """Report something that does not stop the compile; the message's own severity holds."""
        self.reporter.report(key, span, **values)

    def spend(self, amount: int, span: Span) -> None:
        """Count expressions that are visited (S9)."""
        self.fuel -= amount
        if self.fuel < 0:
            self.exhaust("compile fuel (visited expressions)", LIMITS.compile_fuel, LIMITS.compile_fuel + 1, span)

    # nodes

    def emit(self, span: Span, op: str, *args: int, imm: tuple[Const, ...] = (), declared: Type | None = None) -> int:
        """Add a node at a place; timeframes are aligned to the base bars when they meet."""
        self.builder.place = span[:2]
        try:
            if args and op not in _ANY_PHASE:
                args = self._as_series(op, args)
            if len(self.grids) > 1:
                args = self._on_one_grid(op, args)
            return self.builder.emit(op, *args, imm=imm, declared=declared)
        except ReadTypeError as error:
            raise self.refuse("type", span, text=str(error).removeprefix("fn.")) from None
        except TooManyNodesError:
            self.exhaust("nodes", LIMITS.nodes, LIMITS.nodes + 1, span)
            raise Refusal from None

    def _as_series(self, op: str, args: tuple[int, ...]) -> tuple[int, ...]:
        """Make series of the scalars that stand where only a series has a meaning, such as `crossover(x, 30)`."""
        builder, wanted = self.builder, _WANTS_SERIES[op]
        types = builder.types
        scalars = [index for index, arg in enumerate(args) if types[arg].phase is not _SERIES]
        if not any(wanted[min(index, len(wanted) - 1)] for index in scalars):
            return args
        return tuple([
            builder.emit("broadcast", arg)
            if index in scalars and wanted[min(index, len(wanted) - 1)] else arg
            for index, arg in enumerate(args)
        ])  # fmt: skip

    def _on_one_grid(self, op: str, args: tuple[int, ...]) -> tuple[int, ...]:
        series = [arg for arg in args if self.type(arg).phase is Phase.SERIES]
        grids = {self.type(arg).grid for arg in series}
        if len(grids) <= 1 or op == "align":
            return args
        return tuple(self.on_base(arg) if arg in series else arg for arg in args)

    def on_base(self, node: int) -> int:
        """Return the series as the base bars see it."""
        found = self.type(node)
        return self.builder.emit("align", node) if found.phase is Phase.SERIES and found.grid else node

    def type(self, node: int) -> Type:
        """Return the type of a node."""
        return self.builder.types[node]

    def const(self, value: Const, kind: Kind | None = None) -> int:
        """Return a constant node."""
        return self.builder.const(value, kind)

    def na(self) -> int:
        """Return the constant na."""
        return self.builder.const(None, Kind.FLOAT)

    def value_of(self, value: Value | int) -> Const:
        """Return the constant behind a value; None when it is not one."""
        node = value.node if isinstance(value, Ref) else value if isinstance(value, int) else -1
        return self.builder.constant(node) if node >= 0 else None

    def is_const(self, value: Value | int) -> bool:
        """Say whether the value is a constant."""
        node = value if isinstance(value, int) else value.node if isinstance(value, Ref) else -1
        return node >= 0 and self.builder.is_constant(node)

    def is_series(self, value: Value) -> bool:
        """Say whether the value changes from bar to bar."""
        return isinstance(value, Ref) and self.type(value.node).phase is Phase.SERIES

    def output(self, span: Span, record: int, index: int) -> int:
        """Return one output of a record node."""
        op = OPS[self.builder.nodes[record].op]
        kind = Kind(op.outputs[index].kind)
        return self.emit(span, "get", record, imm=(index,), declared=Type(kind, Phase.SERIES))

    def choose(self, span: Span, cond: int, left: int, right: int) -> int:
        """Return `left` where `cond` holds, else `right`; what is known at bind is chosen lazily."""
        left, right = self._alike(span, cond, left, right)
        lazy = self.type(cond).phase <= Phase.PARAM
        return self.emit(span, "select" if lazy else "where", cond, left, right)

    def _alike(self, span: Span, cond: int, left: int, right: int) -> tuple[int, int]:
        kinds = self.type(left).kind, self.type(right).kind
        if kinds[0] is Kind.NONE and kinds[1] is not Kind.NONE:
            left = self._nothing(kinds[1])
        elif kinds[1] is Kind.NONE and kinds[0] is not Kind.NONE:
            right = self._nothing(kinds[0])
        elif kinds == (Kind.STR, Kind.STR) and self.type(cond).phase is Phase.SERIES:
            raise self.refuse("text_per_bar", span)
        elif merge_kinds(*kinds) is None:
            raise self.refuse("branch_kinds", span, left=kinds[0].value, right=kinds[1].value)
        return left, right

    def _nothing(self, kind: Kind) -> int:
        empty: dict[Kind, Const] = {Kind.BOOL: False, Kind.STR: ""}
        return self.const(empty[kind], kind) if kind in empty else self.na()

    def column(self, name: str, span: Span) -> int:
        """Return a column of the data."""
        self.builder.place = span[:2]
        return self.builder.emit("col", imm=(name,))

    def parameter(self, name: str) -> int:
        """Return a parameter's node, of the kind that the table says now."""
        if self.params.is_full:
            self.exhaust("parameters", LIMITS.parameters, len(self.params.specs))
        spec = self.params.specs[name]
        return self.builder.emit("param", imm=(name,), declared=Type(spec.kind, Phase.PARAM))

    def mask(self) -> int:
        """Return the path of conditions as a node."""
        return self.const(True) if self.path is None else self.path

    @contextmanager
    def under(self, span: Span, cond: int) -> Iterator[None]:
        """Compile under one more condition."""
        before = self.path
        self.path = cond if before is None else self.emit(span, "and", before, cond)
        try:
            yield
        finally:
            self.path = before
