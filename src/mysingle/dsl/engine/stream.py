"""The same program bar by bar: after any number of bars every value equals the vector result, bit for bit."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from mysingle.dsl.engine.bars import Registers, Step, point_step, state_number
from mysingle.dsl.engine.broker import Broker, FixedBroker, Request
from mysingle.dsl.engine.clock import CLOCK_FIELDS, clock_number
from mysingle.dsl.engine.plan import REGION, Plan, numbers_of, series_count
from mysingle.dsl.engine.result import AlertRow, OrderRow
from mysingle.dsl.engine.vector import as_operand
from mysingle.dsl.errors import DSLDataError, DSLExecutionError, DSLLookaheadError
from mysingle.dsl.ir.kinds import Phase
from mysingle.dsl.ir.ops import OPS, Flag
from mysingle.dsl.ir.program import Node, Order
from mysingle.dsl.kernels.pointwise import POINTWISE
from mysingle.dsl.kernels.registry import kernel

__all__ = ["Checkpoint", "Stream", "StreamCode", "Tick"]

_NO_TIME = math.nan


class Tick(NamedTuple):
    """What one bar says."""

    bar: int
    values: Mapping[str, Any]
    orders: tuple[OrderRow, ...] = ()
    alerts: tuple[AlertRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where a stream is. C state cannot be stored, so it is restored by replaying the bars since `start`."""

    program_hash: str
    params_hash: str
    start: float
    bars: int


class StreamCode:
    """The steps of one bar. Registers hold values, and cells in places of their own."""

    def __init__(self, plan: Plan, zone: str = "UTC") -> None:
        self.plan, self.zone = plan, zone
        self.columns: dict[str, int] = {}
        self.cells: list[int] = []
        self.time = 0
        self.closed = 1
        self.bar = 2
        self.account = 3
        self.registers: Registers = [_NO_TIME, True, 0.0, None]
        self._places: dict[int, int] = {}
        for index, value in plan.scalars.items():
            self._places[index] = self._new(as_operand(value))
        self._nodes = self._order()
        self.trades = bool(plan.program.orders) or any(node.op == "broker" for node in plan.program.nodes)
        """Whether there is an account to keep."""
        for index in self._nodes:
            self._places[index] = self._new(None)
        self.steps: list[Step] = []
        for index in self._nodes:
            self._add(index)
        self.states = tuple(
            (self._state_place(at), self.place(state.update), self.place(state.init))
            for at, state in enumerate(plan.program.states)
        )

    def place(self, index: int) -> int:
        """Give the register of a node."""
        return self._places[self.plan.target(index)]

    def _new(self, value: Any) -> int:
        self.registers.append(value)
        return len(self.registers) - 1

    def _order(self) -> list[int]:
        inside = self.plan.region.nodes if self.plan.region else ()
        return [node for index in self.plan.order for node in (inside if index == REGION else (index,))]

    def _add(self, index: int) -> None:
        node = self.plan.program.nodes[index]
        if node.phase is Phase.RUN or OPS[node.op].has(Flag.REDUCTION) or node.op == "lead":
            line = self.plan.program.locs[index][0]
            raise DSLLookaheadError(
                f"{node.op!r} needs bars of the future: it cannot run as a stream", line=line or None
            )
        if node.grid or node.op in ("align", "tf_col"):
            raise DSLExecutionError("A strategy with timeframes cannot run as a stream yet: run it over the data")
        step = self._step(index, node)
        if step is not None:
            self.steps.append(step)

    def _step(self, index: int, node: Node) -> Step | None:
        target = self._places[index]
        if node.op == "col":
            self.columns[str(node.imm[0])] = target
        if node.op in ("col", "state"):
            return None
        if node.op in CLOCK_FIELDS:
            return self._clock(target, node.op)
        if node.op in POINTWISE or node.op in ("broadcast", "isin_exact"):
            return point_step(node.op, target, [self.place(arg) for arg in node.args])
        return self._special(target, node) or self._kernel(target, node)

    def _special(self, target: int, node: Node) -> Step | None:
        match node.op:
            case "broker":
                return self._broker(target, str(node.imm[0]))
            case "bar_index":
                return _copy(target, self.bar)
            case "is_new_bar":
                return _copy(target, self.closed)
            case "get":
                return _get(target, self.place(node.args[0]), self._output(node))
            case "select":
                return _copy(target, self._chosen(node))
            case _:
                return None

    def _output(self, node: Node) -> int:
        record = self.plan.program.nodes[self.plan.target(node.args[0])]
        at = node.imm[0]
        return OPS[record.op].output_index(at) if isinstance(at, str) else int(at or 0)

    def _chosen(self, node: Node) -> int:
        value = self.plan.scalars[self.plan.target(node.args[0])]
        return self.place(node.args[1] if value is not None and value == value and value else node.args[2])

    def _broker(self, target: int, name: str) -> Step:
        account = self.account

        def step(r: Registers) -> None:
            r[target] = r[account].read(name)

        return step

    def _clock(self, target: int, op: str) -> Step:
        time, zone = self.time, self.zone

        def step(r: Registers) -> None:
            r[target] = r[time] if op == "time" else clock_number(op, r[time], zone)

        return step

    def _kernel(self, target: int, node: Node) -> Step:
        op = OPS[node.op]
        cell = self._new(kernel(op.kernel).cell(numbers_of(self.plan, node)))
        self.cells.append(cell)
        places = [self.place(arg) for arg in node.args[: series_count(op)]]
        if len(places) == 1:
            (a,) = places

            def one(r: Registers) -> None:
                r[target] = r[cell].step(r[a])

            return one
        if len(places) == 2:
            a, b = places

            def two(r: Registers) -> None:
                r[target] = r[cell].step(r[a], r[b])

            return two

        def many(r: Registers) -> None:
            r[target] = r[cell].step(*[r[place] for place in places])

        return many

    def _state_place(self, at: int) -> int:
        for index in self._nodes:
            node = self.plan.program.nodes[index]
            if node.op == "state" and state_number(self.plan, node.imm[0]) == at:
                return self._places[index]
        return self._new(None)


def _copy(target: int, source: int) -> Step:
    def step(r: Registers) -> None:
        r[target] = r[source]

    return step


def _get(target: int, source: int, at: int) -> Step:
    def step(r: Registers) -> None:
        r[target] = r[source][at]

    return step


class Stream:
    """
    A running program.

    Args:
        code: the steps; shared by forks.
        broker: the account that `strategy.equity` and the like read.
        hidden: bars before which an output says nothing, by its name.
        program_hash: for checkpoints.
    """

    def __init__(
        self,
        code: StreamCode,
        broker: Broker | None = None,
        hidden: Mapping[str, float] | None = None,
        program_hash: str = "",
    ) -> None:
        self._code, self._broker = code, broker or FixedBroker({})
        self._hidden = dict(hidden or {})
        self._program_hash = program_hash
        self._registers = code.registers.copy()
        self._registers[code.account] = self._broker
        for cell in code.cells:
            self._registers[cell] = code.registers[cell].copy()
        self._bars, self._start = 0, math.nan

    @property
    def position(self) -> float:
        """The size of the position, below 0 when short."""
        return self._broker.read("position_size")

    @property
    def bars(self) -> int:
        """How many bars were taken."""
        return self._bars

    def update(self, bar: Mapping[str, Any]) -> Tick:
        """
        Take the next closed bar.

        Raises:
            DSLDataError: a column is missing or no number.
            DSLExecutionError: a guard ended the run.
        """
        return self._take(bar, is_closed=True)

    def peek(self, bar: Mapping[str, Any]) -> Tick:
        """Say what a bar that is still forming would give; nothing changes."""
        return self.fork()._take(bar, is_closed=False)  # noqa: SLF001  # one of us

    def fork(self) -> "Stream":
        """Give an independent stream in the same state."""
        twin = Stream(self._code, self._broker.copy(), self._hidden, self._program_hash)
        twin._registers = self._registers.copy()
        for cell in self._code.cells:
            twin._registers[cell] = self._registers[cell].copy()
        twin._registers[self._code.account] = twin._broker
        twin._bars, twin._start = self._bars, self._start
        return twin

    def checkpoint(self) -> Checkpoint:
        """Say where the stream is."""
        values = repr(sorted((index, repr(value)) for index, value in self._code.plan.scalars.items()))
        digest = sha256(values.encode()).hexdigest()
        return Checkpoint(program_hash=self._program_hash, params_hash=digest, start=self._start, bars=self._bars)

    def value(self, node: int) -> Any:
        """Give the value of a node at the last bar."""
        return self._registers[self._code.place(node)]

    def _take(self, bar: Mapping[str, Any], *, is_closed: bool) -> Tick:
        r, code = self._registers, self._code
        for name, place in code.columns.items():
            r[place] = _number(bar, name)
        r[code.time] = _time(bar)
        r[code.closed], r[code.bar] = is_closed, float(self._bars)
        if self._bars == 0:
            self._start = r[code.time]
        if code.trades:
            self._broker.open_bar(self._bars, self._prices(bar))
        self._run_steps(r)
        tick = self._tick(r)
        for place, value in [(place, r[update]) for place, update, _ in code.states]:
            r[place] = value
        self._bars += 1
        return tick

    def _run_steps(self, r: Registers) -> None:
        if self._bars == 0:
            self._begin_states(r)
        for step in self._code.steps:
            step(r)

    def _begin_states(self, r: Registers) -> None:
        # What a state starts from may be a series: its value at the first bar, computed without the states.
        if not self._code.states:
            return
        trial = r.copy()
        for cell in self._code.cells:
            trial[cell] = r[cell].copy()
        for place, _, _ in self._code.states:
            trial[place] = math.nan
        for step in self._code.steps:
            step(trial)
        for place, _, init in self._code.states:
            r[place] = trial[init]

    def _prices(self, bar: Mapping[str, Any]) -> tuple[float, float, float, float]:
        close = _optional(bar, "close", math.nan)
        return tuple(_optional(bar, name, close) for name in ("open", "high", "low", "close"))  # type: ignore[return-value]  # four names

    def _tick(self, r: Registers) -> Tick:
        program, code = self._code.plan.program, self._code
        for guard in program.guards:
            if r[code.place(guard.mask)] is True:
                raise DSLExecutionError(guard.message, line=guard.line or None, column=guard.column or None)
        values = {output.name: self._shown(output.name, r[code.place(output.node)]) for output in program.outputs}
        orders = tuple(row for at, order in enumerate(program.orders) if (row := self._order(r, order, at)) is not None)
        alerts = tuple(
            AlertRow(self._bars, alert.message, alert.freq, alert.line)
            for alert in program.alerts
            if r[code.place(alert.mask)] and not self._is_hidden(f"alert {alert.message}")
        )
        return Tick(self._bars, values, orders, alerts)

    def _is_hidden(self, name: str) -> bool:
        return self._bars < self._hidden.get(name, 0)

    def _shown(self, name: str, value: Any) -> Any:
        if not self._is_hidden(name):
            return value
        return False if isinstance(value, bool) else math.nan

    def _order(self, r: Registers, order: Order, at: int) -> OrderRow | None:
        if not r[self._code.place(order.mask)] or self._is_hidden(f"{order.action} {order.id}".strip()):
            return None
        given = {name: r[self._code.place(node)] for name, node in order.prices.items()}
        if any(value != value for value in given.values()):
            return None
        numbers = {name: float(given.get(name, math.nan)) for name in ("qty", "limit", "stop")}
        percent = float(r[self._code.place(order.qty_percent)]) if order.qty_percent >= 0 else 100.0
        self._broker.place(
            Request(order.action, order.id, order.direction, order.from_entry, qty_percent=percent, **numbers)
        )
        return OrderRow(
            self._bars, order.id, order.action, order.direction, numbers["qty"], numbers["limit"], numbers["stop"],
            order.comment, order.line, order.from_entry, percent, at,
        )  # fmt: skip


def _number(bar: Mapping[str, Any], name: str) -> float:
    try:
        value = bar[name]
        number = math.nan if value is None else float(value)
    except (KeyError, TypeError, ValueError) as error:
        raise DSLDataError(f"The bar needs a number {name!r}") from error
    return number if number - number == 0.0 else math.nan


def _optional(bar: Mapping[str, Any], name: str, default: float) -> float:
    return _number(bar, name) if name in bar else default


def _time(bar: Mapping[str, Any]) -> float:
    value = bar.get("time", math.nan)
    stamp: Callable[[], float] | None = getattr(value, "timestamp", None)
    return stamp() * 1000.0 if callable(stamp) else float(value)
