"""The order in which a bound program is computed: only what is demanded, branches on parameters already taken."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from mysingle.dsl.errors import DSLParameterError
from mysingle.dsl.ir.kinds import Const, Kind, Phase
from mysingle.dsl.ir.ops import OPS, Arg, Op
from mysingle.dsl.ir.program import Node, Program
from mysingle.dsl.ir.regions import Region, region_of
from mysingle.dsl.ir.scalars import SCALARS

__all__ = ["META_DEFAULTS", "REGION", "Plan", "check_numbers", "make_plan", "numbers_of", "series_count"]

REGION: Final = -1
"""Stands in an order for the whole bar region."""

META_DEFAULTS: Final[Mapping[str, Const]] = {
    "input.symbol": "unknown",
    "input.interval": "unknown",
    "universe.sector": "unknown",
    "universe.market_cap": 0.0,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compute for some roots of a program, with these parameters."""

    program: Program
    order: tuple[int, ...]
    """Nodes of phase RUN and SERIES in order; `REGION` where the bar region runs."""
    scalars: Mapping[int, Const]
    """The value of every node that is known at bind; None is na."""
    taken: Mapping[int, int]
    """A `select` and the branch it takes."""
    region: Region | None

    def target(self, index: int) -> int:
        """Give the node that stands for this one after the branches are taken."""
        while index in self.taken:
            index = self.taken[index]
        return index


def series_count(op: Op) -> int:
    """Give how many of an op's first arguments are series."""
    return _shape(op.name).series


class _Shape(NamedTuple):
    series: int
    numbers: tuple[tuple[int, Arg], ...]
    """Place and declaration of every argument that is a number known at bind."""


@cache
def _shape(name: str) -> _Shape:
    args = OPS[name].args
    return _Shape(
        sum(arg.phase is Phase.SERIES and not arg.variadic for arg in args),
        tuple((at, arg) for at, arg in enumerate(args) if arg.phase <= Phase.PARAM and arg.kind in ("int", "float")),
    )


class _Planner:
    def __init__(self, program: Program, params: Mapping[str, Const], meta: Mapping[str, Const]) -> None:
        self.program, self.params, self.meta = program, params, meta
        self.region = region_of(program)
        self.inside = frozenset(self.region.nodes if self.region else ())
        self.done: set[int] = set()
        self.order: list[int] = []
        self.scalars: dict[int, Const] = {}
        self.taken: dict[int, int] = {}

    def visit(self, root: int) -> None:
        """Add a root and what it needs, without recursion: programs may be 4 096 nodes deep."""
        stack = [root]
        while stack:
            index = stack[-1]
            if index in self.done:
                stack.pop()
                continue
            needs = self._needs(index)
            if not self.done.issuperset(needs):
                stack += [need for need in reversed(needs) if need not in self.done]
                continue
            self._finish(index)
            stack.pop()

    def _needs(self, index: int) -> Sequence[int]:
        if index == REGION:
            return self._region_inputs()
        if index in self.inside:
            return (REGION,)
        node = self.program.nodes[index]
        if node.op == "select":
            return self._branch(node)
        return node.args

    def _branch(self, node: Node) -> Sequence[int]:
        condition = node.args[0]
        if condition not in self.done:
            return (condition,)
        return (node.args[1] if _is_true(self._scalar(condition)) else node.args[2],)

    def _region_inputs(self) -> Sequence[int]:
        assert self.region is not None
        nodes = self.program.nodes
        found = [arg for index in self.region.nodes for arg in nodes[index].args]
        for state in self.program.states:
            found += [state.init, state.update]
        if self.region.has_broker:
            for order in self.program.orders:
                found += [i for i in (order.mask, order.qty, order.limit, order.stop, order.qty_percent) if i >= 0]
        return [arg for arg in dict.fromkeys(found) if arg not in self.inside]

    def _finish(self, index: int) -> None:
        self.done.add(index)
        if index in self.inside:
            return
        if index == REGION:
            self.order.append(index)
            return
        node = self.program.nodes[index]
        if node.op == "select":
            self.taken[index] = self._needs(index)[0]
        elif node.phase <= Phase.PARAM:
            self.scalars[index] = self._at_bind(node)
        else:
            self._refuse_numbers(node)
            self.order.append(index)

    def _scalar(self, index: int) -> Const:
        while index in self.taken:
            index = self.taken[index]
        return self.scalars[index]

    def _refuse_numbers(self, node: Node) -> None:
        for at, arg in _shape(node.op).numbers:
            if at < len(node.args) and self.program.nodes[node.args[at]].phase <= Phase.PARAM:
                _check_number(OPS[node.op], arg, self._scalar(node.args[at]))

    def _at_bind(self, node: Node) -> Const:
        match node.op:
            case "const":
                return node.imm[0]
            case "param":
                return self.params[str(node.imm[0])]
            case "meta":
                name = str(node.imm[0])
                return self.meta.get(name, META_DEFAULTS.get(name))
            case _:
                return SCALARS[node.op](*(self._scalar(arg) for arg in node.args))


def _is_true(value: Const) -> bool:
    return value is not None and bool(value) and value == value


def _check_number(op: Op, arg: Arg, value: Const) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DSLParameterError(f"{op.signature}: {arg.name} must be a number, got {value!r}")
    if arg.kind == "int" and not float(value).is_integer():
        raise DSLParameterError(f"{op.signature}: {arg.name} must be a whole number, got {value!r}")
    if (arg.low is not None and value < arg.low) or (arg.high is not None and value > arg.high):
        raise DSLParameterError(f"{op.signature}: {arg.name} must be between {arg.low} and {arg.high}, got {value!r}")


def check_numbers(plan: Plan, node: Node) -> None:
    """
    Check again the numbers of a node whose parameters changed.

    Raises:
        DSLParameterError: a window or another number is impossible.
    """
    for at, arg in _shape(node.op).numbers:
        if at < len(node.args) and (target := plan.target(node.args[at])) in plan.scalars:
            _check_number(OPS[node.op], arg, plan.scalars[target])


def numbers_of(plan: Plan, node: Node) -> tuple[Const, ...]:
    """Give the arguments of a kernel that are no series, whole numbers as int."""
    op = OPS[node.op]
    first = series_count(op)
    found: list[Const] = []
    for at in range(first, len(node.args)):
        value = plan.scalars[plan.target(node.args[at])]
        kind = op.args[min(at, len(op.args) - 1)].kind
        found.append(int(value) if kind == "int" and isinstance(value, int | float) else value)
    if node.op == "shift":
        found[1] = _fill(node, found[1])
    return tuple(found)


def _fill(node: Node, value: Const) -> Const:
    if value is None:
        return False if node.kind is Kind.BOOL else math.nan
    return float(value) if node.kind is Kind.FLOAT and isinstance(value, int) else value


def make_plan(
    program: Program, params: Mapping[str, Const], roots: Sequence[int], meta: Mapping[str, Const] | None = None
) -> Plan:
    """
    Order what the roots need, first root first.

    Raises:
        DSLParameterError: a parameter makes a window or another number impossible.
    """
    planner = _Planner(program, params, meta or {})
    for root in roots:
        planner.visit(root)
    return Plan(program, tuple(planner.order), planner.scalars, planner.taken, planner.region)
