"""The bar region: what depends on its own past, computed bar by bar as plain steps over registers."""

import math
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

import numpy as np

from mysingle.dsl.engine.broker import Broker, Request
from mysingle.dsl.engine.plan import Plan
from mysingle.dsl.engine.vector import VectorRun, as_operand
from mysingle.dsl.ir.kinds import Kind
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.ir.program import Order
from mysingle.dsl.kernels.compare import TOLERANCE
from mysingle.dsl.kernels.pointwise import POINTWISE
from mysingle.dsl.kernels.registry import kernel

__all__ = ["RegionCode", "Registers", "Step", "order_nodes", "point_step", "run_region", "state_number"]

Registers: TypeAlias = list[Any]
Step: TypeAlias = Callable[[Registers], None]
_BLOCK: Final = 4_096


class RegionCode:
    """The steps of a region: inputs are the first registers, then states, constants and the region's own nodes."""

    def __init__(self, plan: Plan, broker: Broker | None) -> None:
        assert plan.region is not None
        self.plan, self.region, self.broker = plan, plan.region, broker
        self._places: dict[int, int] = {}
        self.inputs: list[int] = []
        self.registers: Registers = []
        self._reserve()
        self.steps: list[Step] = [step for node in self.region.nodes if (step := self._step(node)) is not None]
        self.states = tuple(
            (self._state_place(at), self.place(state.update)) for at, state in enumerate(plan.program.states)
        )
        self.orders = (
            tuple(order for order in plan.program.orders) if broker is not None and self.region.has_broker else ()
        )

    def place(self, index: int) -> int:
        """Give the register of a node."""
        return self._places[self.plan.target(index)]

    def _reserve(self) -> None:
        nodes, inside = self.plan.program.nodes, frozenset(self.region.nodes)
        needed = [self.plan.target(arg) for index in self.region.nodes for arg in nodes[index].args]
        for state in self.plan.program.states:
            needed += [self.plan.target(state.update), self.plan.target(state.init)]
        for order in self.plan.program.orders if self.region.has_broker else ():
            needed += [self.plan.target(i) for i in order_nodes(order)]
        outside = [index for index in dict.fromkeys(needed) if index not in inside]
        self.inputs = [index for index in outside if index not in self.plan.scalars]
        for index in self.inputs:
            self._new(index, None)
        for index in outside:
            if index in self.plan.scalars:
                self._new(index, as_operand(self.plan.scalars[index]))
        for index in self.region.nodes:
            self._new(index, None)

    def _new(self, index: int, value: Any) -> None:
        self._places[index] = len(self.registers)
        self.registers.append(value)

    def _state_place(self, at: int) -> int:
        # A state that nobody reads still needs a place to be kept in.
        for index in self.region.nodes:
            node = self.plan.program.nodes[index]
            if node.op == "state" and state_number(self.plan, node.imm[0]) == at:
                return self._places[index]
        self.registers.append(None)
        return len(self.registers) - 1

    def _step(self, index: int) -> Step | None:
        node = self.plan.program.nodes[index]
        target = self._places[index]
        if node.op == "state":
            return None
        if node.op == "broker":
            return self._read_broker(target, str(node.imm[0]))
        if node.op == "select":
            return _copy(target, self._chosen(index))
        return point_step(node.op, target, [self.place(arg) for arg in node.args])

    def _chosen(self, index: int) -> int:
        condition, yes, no = self.plan.program.nodes[index].args
        value = self.plan.scalars[self.plan.target(condition)]
        return self.place(yes if value is not None and value == value and value else no)

    def _read_broker(self, target: int, name: str) -> Step:
        assert self.broker is not None
        read = self.broker.read

        def step(r: Registers) -> None:
            r[target] = read(name)

        return step

    def start(self, first: Callable[[int], Any]) -> None:
        """Give every state its value before the first bar; `first` reads a node at bar 0."""
        for (place, _), state in zip(self.states, self.plan.program.states, strict=True):
            self.registers[place] = first(state.init)

    def requests(self, r: Registers) -> None:
        """Hand the orders of this bar to the broker."""
        for order in self.orders:
            if r[self.place(order.mask)]:
                request = self._request(order, r)
                if request is not None:
                    self.broker.place(request)  # type: ignore[union-attr]  # orders are empty without a broker

    def _request(self, order: Order, r: Registers) -> Request | None:
        given = {name: r[self.place(at)] for name, at in order.prices.items()}
        if any(value != value for value in given.values()):
            return None
        percent = r[self.place(order.qty_percent)] if order.qty_percent >= 0 else 100.0
        return Request(order.action, order.id, order.direction, order.from_entry, qty_percent=percent, **given)


def point_step(op: str, target: int, places: Sequence[int]) -> Step:
    """Give the step of an operation that needs one bar only."""
    special = _FAST.get(op)
    if special is not None:
        return special(target, *places)
    if op == "broadcast":
        return _copy(target, places[0])
    if op == "isin_exact":
        return _call(target, lambda value, *values: value in values, places)
    if op in POINTWISE:
        return _call(target, POINTWISE[op].number, places)
    return _call(target, kernel(OPS[op].kernel).cell(()).step, places)


def order_nodes(order: Order) -> list[int]:
    """Give the nodes that an order statement reads."""
    return [i for i in (order.mask, order.qty, order.limit, order.stop, order.qty_percent) if i >= 0]


def state_number(plan: Plan, imm: Any) -> int:
    """Give the place of a state among the states of the program."""
    if isinstance(imm, str):
        return next(at for at, state in enumerate(plan.program.states) if state.name == imm)
    return int(imm)


def _copy(target: int, source: int) -> Step:
    def step(r: Registers) -> None:
        r[target] = r[source]

    return step


def _call(target: int, function: Callable[..., Any], places: Sequence[int]) -> Step:
    if len(places) == 1:
        (a,) = places

        def one(r: Registers) -> None:
            r[target] = function(r[a])

        return one
    if len(places) == 2:
        a, b = places

        def two(r: Registers) -> None:
            r[target] = function(r[a], r[b])

        return two

    def many(r: Registers) -> None:
        r[target] = function(*[r[place] for place in places])

    return many


def _add(t: int, a: int, b: int) -> Step:
    def step(r: Registers) -> None:
        value = r[a] + r[b]
        r[t] = value if value - value == 0.0 else math.nan

    return step


def _sub(t: int, a: int, b: int) -> Step:
    def step(r: Registers) -> None:
        value = r[a] - r[b]
        r[t] = value if value - value == 0.0 else math.nan

    return step


def _mul(t: int, a: int, b: int) -> Step:
    def step(r: Registers) -> None:
        value = r[a] * r[b]
        r[t] = value if value - value == 0.0 else math.nan

    return step


def _where(t: int, c: int, a: int, b: int) -> Step:
    def step(r: Registers) -> None:
        r[t] = r[a] if r[c] else r[b]

    return step


def _and(t: int, a: int, b: int) -> Step:
    def step(r: Registers) -> None:
        r[t] = r[a] and r[b]

    return step


def _or(t: int, a: int, b: int) -> Step:
    def step(r: Registers) -> None:
        r[t] = r[a] or r[b]

    return step


def _not(t: int, a: int) -> Step:
    def step(r: Registers) -> None:
        r[t] = not r[a]

    return step


def _isna(t: int, a: int) -> Step:
    def step(r: Registers) -> None:
        value = r[a]
        r[t] = value != value

    return step


def _maximum(t: int, a: int, b: int) -> Step:
    def step(r: Registers) -> None:
        x, y = r[a], r[b]
        r[t] = x if x >= y else (y if y > x else math.nan)

    return step


def _minimum(t: int, a: int, b: int) -> Step:
    def step(r: Registers) -> None:
        x, y = r[a], r[b]
        r[t] = x if x <= y else (y if y < x else math.nan)

    return step


def _gt(t: int, a: int, b: int) -> Step:
    def step(r: Registers) -> None:
        x, y = r[a], r[b]
        # Nothing to settle when x is not even greater.
        r[t] = x > y and x - y > TOLERANCE * (max(x, -y))

    return step


def _lt(t: int, a: int, b: int) -> Step:
    return _gt(t, b, a)


_FAST: Mapping[str, Callable[..., Step]] = {
    "add": _add, "sub": _sub, "mul": _mul, "where": _where, "and": _and, "or": _or, "not": _not, "isna": _isna,
    "maximum": _maximum, "minimum": _minimum, "gt": _gt, "lt": _lt,
}  # fmt: skip


def run_region(run: VectorRun, broker: Broker | None) -> Mapping[int, Any]:
    """Run the bar region over the whole data, block by block, and give the values of its nodes."""
    code, nodes, size = RegionCode(run.plan, broker), run.plan.program.nodes, run.frame.size
    columns = [run.series(index) for index in code.inputs]
    wanted = sorted(_visible(run.plan) & set(code.region.nodes))
    found: dict[int, Any] = {
        index: np.empty(size, dtype=np.bool_ if nodes[index].kind is Kind.BOOL else np.float64) for index in wanted
    }
    pick = itemgetter(*(code.place(index) for index in wanted), 0)
    prices = _prices(run) if code.broker is not None and code.region.has_broker else None
    code.start(lambda index: _first(run, index))
    for begin in range(0, size, _BLOCK):
        run.budget.check()
        part = slice(begin, min(begin + _BLOCK, size))  # Python's numbers take four times the room of a column's
        rows = _loop(code, part, columns, prices, pick)
        for array, values in zip(found.values(), zip(*rows, strict=True), strict=False):
            array[part] = values
    return found


def _visible(plan: Plan) -> set[int]:
    """Give what is read from outside the region."""
    program = plan.program
    found = [arg for index in plan.order if index >= 0 for arg in program.nodes[index].args]
    found += [output.node for output in program.outputs] + [guard.mask for guard in program.guards]
    found += [index for order in program.orders for index in order_nodes(order)]
    found += [index for plot in program.plots for index in (plot.node, plot.mask) if index >= 0]
    found += [alert.mask for alert in program.alerts] + [item.node for item in program.names]
    return {plan.target(index) for index in found}


def _carry(states: Sequence[tuple[int, int]]) -> Step:
    """Give the step that ends a bar: every state takes its update, all at once."""
    if {place for place, _ in states} & {update for _, update in states}:

        def swap(r: Registers) -> None:
            for place, value in [(place, r[update]) for place, update in states]:
                r[place] = value

        return swap

    def step(r: Registers) -> None:
        for place, update in states:
            r[place] = r[update]

    return step


def _loop(
    code: RegionCode, part: slice, columns: Sequence[Any], prices: Sequence[Any] | None,
    pick: Callable[[Registers], Any],
) -> list[Any]:  # fmt: skip
    r, steps, carry, count, broker = code.registers, code.steps, _carry(code.states), len(columns), code.broker
    bars = _bars(columns, part)
    account = None if prices is None else list(zip(*(values[part].tolist() for values in prices), strict=True))
    rows: list[Any] = []
    for at in range(part.stop - part.start):
        if account is not None:
            broker.open_bar(part.start + at, account[at])  # type: ignore[union-attr]  # there is one with an account
        r[:count] = next(bars)
        for step in steps:
            step(r)
        rows.append(pick(r))
        if account is not None:
            code.requests(r)
        carry(r)
    return rows


def _bars(columns: Sequence[Any], part: slice) -> Any:
    if not columns:
        return iter([()] * (part.stop - part.start))
    return iter(zip(*(values[part].tolist() for values in columns), strict=True))


def _first(run: VectorRun, index: int) -> Any:
    value = run.slots[run.plan.target(index)]
    return value[0].item() if isinstance(value, np.ndarray) else value


def _prices(run: VectorRun) -> list[Any]:
    close = run.frame.columns.get("close", np.full(run.frame.size, np.nan))
    return [run.frame.columns.get(name, close) for name in ("open", "high", "low", "close")]
