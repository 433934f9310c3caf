"""The vector engine: one operation after the other over whole columns, memory freed after the last use."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from mysingle.dsl.engine.align import Aligner
from mysingle.dsl.engine.budget import Budget
from mysingle.dsl.engine.clock import CLOCK_FIELDS, clock_columns
from mysingle.dsl.engine.frames import Frame
from mysingle.dsl.engine.plan import REGION, Plan, numbers_of, series_count
from mysingle.dsl.errors import DSLError, DSLExecutionError
from mysingle.dsl.ir.kinds import Const, Kind, Phase
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.ir.program import Node
from mysingle.dsl.ir.scalars import SCALARS, TOLERANT
from mysingle.dsl.kernels.compare import ORDERINGS, tolerant
from mysingle.dsl.kernels.floats import Known, look, strict_floats
from mysingle.dsl.kernels.pointwise import LOGIC, POINTWISE
from mysingle.dsl.kernels.registry import Informed, kernel

__all__ = ["Instruction", "RunRegion", "VectorCode", "VectorRun", "as_operand"]

RunRegion: TypeAlias = "Callable[[VectorRun], Mapping[int, Any]]"
Compute: TypeAlias = "Callable[[VectorRun], Any]"
_SPARE: Final = 8
_LARGE: Final = 8_192
_ALIASES: Final = frozenset({"get", "shift", "broadcast", "align", "col", "tf_col", "to_float", "to_bool"})
_ALLOCATING: Final = frozenset({"where", "fillna", "to_float", "to_bool"})


def as_operand(value: Const) -> Const:
    """Give a bind-time value as series meet it: na is nan, whole numbers are floats."""
    if value is None:
        return np.nan
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Instruction(NamedTuple):
    """One step of a run: what is computed, and whose memory is free afterwards (True: it may be written again)."""

    node: int
    compute: Compute
    frees: tuple[tuple[int, bool], ...]


class VectorCode:
    """A plan made ready for runs: it knows each value's last use, and holds no data."""

    def __init__(self, plan: Plan, kept: Sequence[int]) -> None:
        self.plan = plan
        self.slots: list[Any] = [None] * len(plan.program.nodes)
        for index, value in plan.scalars.items():
            self.slots[index] = as_operand(value)
        self._arrays: set[int] = set()
        self._frees, self._shared = _last_uses(plan, kept), _shared(plan)
        self.instructions = tuple(Instruction(index, self._compile(index), self._freed(index)) for index in plan.order)
        self.position = {instruction.node: at for at, instruction in enumerate(self.instructions)}
        self._region = frozenset(plan.region.nodes if plan.region else ())

    def until(self, target: int) -> int:
        """Give how many instructions a value needs."""
        if target in self._region:
            target = REGION
        return self.position[target] + 1 if target in self.position else 0

    def _freed(self, index: int) -> tuple[tuple[int, bool], ...]:
        frees = self._frees.get(index)
        if not frees:
            return ()
        taken = self._overwritten(index)
        return tuple([(free, free != taken and free not in self._shared) for free in frees])

    def _overwritten(self, index: int) -> int | None:
        """Give the operand that nobody needs after a logical operation: its memory takes the result."""
        nodes = self.plan.program.nodes
        if index == REGION or nodes[index].op not in LOGIC:
            return None
        for place in self._frees.get(index, ()):
            is_mask = place in self._arrays and nodes[place].op in POINTWISE and POINTWISE[nodes[place].op].is_logical
            if is_mask and place not in self._shared and nodes[place].grid == nodes[index].grid:
                return place
        return None

    def _compile(self, index: int) -> Compute:
        if index == REGION:
            assert self.plan.region is not None
            self._arrays.update(self.plan.region.nodes)
            return _run_region
        node = self.plan.program.nodes[index]
        if node.phase is Phase.RUN:
            return self._once(index, node)
        if node.op in POINTWISE and not any(self.plan.target(arg) in self._arrays for arg in node.args):
            return self._one_value(node)
        self._arrays.add(index)
        if node.op in POINTWISE:
            return self._pointwise(index, node)
        if node.op == "col":
            return _column(index, str(node.imm[0]))
        if node.op == "get":
            return self._get(index, node)
        special = _SPECIALS.get(node.op)
        if special is not None:
            return lambda run: special(run, node)
        return self._kernel(index, node)

    def _once(self, index: int, node: Node) -> Compute:
        """Give a value that is the same for the whole run."""
        if node.op == "n_bars":
            return lambda run: run.frame.size
        if node.op not in SCALARS:
            return self._kernel(index, node)
        function = TOLERANT.get(node.op) or SCALARS[node.op]
        places, known = [self.plan.target(arg) for arg in node.args], self.plan.scalars

        def compute(run: VectorRun) -> Any:
            values = (known[place] if place in known else _none_for_na(run.slots[place]) for place in places)
            found = function(*values)
            return np.nan if found is None else found

        return compute

    def _one_value(self, node: Node) -> Compute:
        """Give a series of one value: every operand is a taken branch that is a number."""
        places, number = [self.plan.target(arg) for arg in node.args], POINTWISE[node.op].number
        return lambda run: number(*(run.slots[place] for place in places))

    def _pointwise(self, index: int, node: Node) -> Compute:
        op, grid, places = POINTWISE[node.op], node.grid, tuple(self.plan.target(arg) for arg in node.args)
        columns = op.columns
        if node.op in _ALLOCATING:
            return lambda run: columns(*[run.slots[place] for place in places])
        taken = self._overwritten(index)
        if taken is not None:
            return _in_place(LOGIC[node.op], places, taken)
        if node.op in ORDERINGS and all(place in self._arrays for place in places):
            return _ordering(node.op, places, grid)
        kind = "b" if op.is_logical else "f"
        if len(places) == 2:
            a, b = places
            return lambda run: columns(run.slots[a], run.slots[b], out=run.spare(kind, grid))
        return lambda run: columns(*[run.slots[place] for place in places], out=run.spare(kind, grid))

    def _get(self, index: int, node: Node) -> Compute:
        """Give one output of a record, and what is known of it."""
        source = self.plan.target(node.args[0])
        at = node.imm[0]
        place = OPS[self.plan.program.nodes[source].op].output_index(at) if isinstance(at, str) else int(at or 0)

        def compute(run: VectorRun) -> Any:
            known = run.known.get(source)
            if known is not None:
                run.known[index] = known[place]
            return run.slots[source][place]

        return compute

    def _kernel(self, index: int, node: Node) -> Compute:
        op = OPS[node.op]
        columns, numbers = kernel(op.kernel).columns, numbers_of(self.plan, node)
        series = node.args[: series_count(op)]
        places = tuple(self.plan.target(arg) for arg in series)
        if not all(place in self._arrays for place in places):
            return lambda run: columns([run.series(arg) for arg in series], numbers, run.budget.charge)
        informed = kernel(op.kernel).prepare(numbers)
        if informed is not None:
            return _informed(index, informed, places)
        return lambda run: columns([run.slots[place] for place in places], numbers, run.budget.charge)


def _column(index: int, name: str) -> Compute:
    def compute(run: VectorRun) -> Any:
        run.known[index] = run.frame.known.get(name)
        return run.frame.columns[name]

    return compute


def _in_place(ufunc: np.ufunc, places: Sequence[int], taken: int) -> Compute:
    if len(places) == 1:
        return lambda run: ufunc(run.slots[taken], run.slots[taken])
    a, b = places
    return lambda run: ufunc(run.slots[a], run.slots[b], run.slots[taken])


def _ordering(op: str, places: Sequence[int], grid: int) -> Compute:
    a, b = places

    def compute(run: VectorRun) -> Any:
        known = run.known.get(a) or run.known.get(b) or run.look(a)
        return tolerant(op, run.slots[a], run.slots[b], run.spare("b", grid), known and known.bound)

    return compute


def _informed(index: int, informed: Informed, places: Sequence[int]) -> Compute:
    def compute(run: VectorRun) -> Any:
        arrays, known = [run.slots[place] for place in places], [run.look(place) for place in places]
        found, run.known[index] = informed(arrays, known, run.budget.charge)
        return found

    return compute


def _run_region(run: "VectorRun") -> Any:
    assert run.region is not None
    for index, values in run.region(run).items():
        run.slots[index] = values


def _none_for_na(value: Any) -> Const:
    return None if value != value else value


def _last_uses(plan: Plan, kept: Sequence[int]) -> dict[int, list[int]]:
    """Give, for each instruction, the values that nobody needs after it."""
    nodes = plan.program.nodes
    staying = {plan.target(index) for index in (*kept, *_region_feeds(plan))} | set(plan.scalars)
    last: dict[int, int] = {}
    for index in plan.order:
        if index != REGION:
            last.update((plan.target(arg), index) for arg in nodes[index].args)
    frees: dict[int, list[int]] = {}
    for value, index in last.items():
        if value not in staying:
            frees.setdefault(index, []).append(value)
    return frees


def _region_feeds(plan: Plan) -> list[int]:
    """Everything that the bar region may read is kept."""
    if plan.region is None:
        return []
    nodes = plan.program.nodes
    found = [arg for index in plan.region.nodes for arg in nodes[index].args] + list(plan.region.nodes)
    for state in plan.program.states:
        found += [state.init, state.update]
    for order in plan.program.orders:
        found += [i for i in (order.mask, order.qty, order.limit, order.stop, order.qty_percent) if i >= 0]
    return found


def _shared(plan: Plan) -> frozenset[int]:
    # Arrays that another node may hold as its own value are never written again.
    nodes, found = plan.program.nodes, set()
    for index in plan.order:
        if index == REGION:
            continue
        node = nodes[index]
        if node.op in _ALIASES or node.phase is not Phase.SERIES or node.kind is Kind.RECORD:
            found.add(index)
            found.update(plan.target(arg) for arg in node.args)
        elif node.op not in POINTWISE and not OPS[node.op].kernel:
            found.add(index)
    return frozenset(found)


class VectorRun:
    """One run of a plan over a frame."""

    def __init__(self, code: VectorCode, frame: Frame, budget: Budget, region: "RunRegion | None" = None) -> None:
        self.code, self.plan, self.frame, self.budget, self.region = code, code.plan, frame, budget, region
        self.slots = code.slots.copy()
        self.known: dict[int, Any] = {}
        """What has been seen of the values in the slots: of a record one item for each output."""
        self._spare: dict[str, list[Any]] = {"f": [], "b": []}
        self._recycles = frame.size >= _LARGE  # small arrays come from the allocator as fast as from here
        self.counted = 0
        self._aligner: Aligner | None = None

    def advance(self, root: int) -> Any:
        """Compute as far as a root needs, and give its value."""
        target = self.plan.target(root)
        until = self.code.until(target)
        if self.counted < until:
            with strict_floats():
                self._go(until)
        return self.slots[target]

    def _go(self, until: int) -> None:
        slots, check, recycles = self.slots, self.budget.check, self._recycles
        for instruction in self.code.instructions[self.counted : until]:
            check()
            index, compute, frees = instruction
            try:
                found = compute(self)
            except DSLError:
                raise
            except Exception as error:
                raise self._failure(index) from error
            if index != REGION:
                slots[index] = found
            for free, is_own in frees:
                if is_own and recycles:
                    self._recycle(slots[free])
                slots[free] = None
        self.counted = until

    def look(self, index: int) -> Known | None:
        """Tell what is known of an array, after a look at it if need be."""
        if index not in self.known:
            self.known[index] = look(self.slots[index])
        found: Known | None = self.known[index]
        return found

    def _recycle(self, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.size == self.frame.size and value.flags.owndata:
            spare = self._spare["b" if value.dtype.char == "?" else "f"]
            if len(spare) < _SPARE:
                spare.append(value)

    def spare(self, kind: str, grid: int) -> Any:
        """Give an array to write into."""
        if grid:
            return np.empty(self.aligner.size(grid), dtype=np.float64 if kind == "f" else np.bool_)
        spare = self._spare[kind]
        return spare.pop() if spare else np.empty(self.frame.size, dtype=np.float64 if kind == "f" else np.bool_)

    def _failure(self, index: int) -> DSLExecutionError:
        line = self.plan.program.locs[index][0] if index != REGION else 0
        name = self.plan.program.nodes[index].op if index != REGION else "state"
        return DSLExecutionError(f"The operation {name!r} failed on this data", line=line or None)

    def series(self, index: int) -> Any:
        """Give a node's value as an array on its grid."""
        value = self.slots[self.plan.target(index)]
        if isinstance(value, np.ndarray | tuple):
            return value
        node = self.plan.program.nodes[index]
        size = self.frame.size if node.grid == 0 else self.aligner.size(node.grid)
        return np.full(size, value, dtype=np.bool_ if isinstance(value, bool) else np.float64)

    @property
    def aligner(self) -> Aligner:
        """The map between the bars of the data and the higher timeframes."""
        if self._aligner is None:
            self._aligner = Aligner(self.frame, self.plan.program.grids)
        return self._aligner


def _clock(run: VectorRun, node: Node) -> Any:
    return clock_columns(node.op, run.frame.time, run.frame.zone)


def _new_bar(run: VectorRun, _: Node) -> Any:
    return np.ones(run.frame.size, dtype=np.bool_)


def _bar_index(run: VectorRun, _: Node) -> Any:
    return np.arange(run.frame.size, dtype=np.float64)


def _isin(run: VectorRun, node: Node) -> Any:
    values = [run.slots[run.plan.target(arg)] for arg in node.args[1:]]
    found = np.zeros(run.frame.size, dtype=np.bool_)
    series = run.series(node.args[0])
    for value in values:
        found |= series == value
    return found


def _broadcast(run: VectorRun, node: Node) -> Any:
    value = run.slots[run.plan.target(node.args[0])]
    if isinstance(value, np.ndarray):
        return value
    return np.full(run.frame.size, value, dtype=np.bool_ if node.kind is Kind.BOOL else np.float64)


def _align(run: VectorRun, node: Node) -> Any:
    return run.aligner.to_base(run.series(node.args[0]), run.plan.program.nodes[node.args[0]].grid)


def _higher_column(run: VectorRun, node: Node) -> Any:
    grid, column, how = node.imm
    return run.aligner.column(int(grid or 0), str(column), str(how))


_SPECIALS: Mapping[str, Callable[[VectorRun, Node], Any]] = {
    **dict.fromkeys(CLOCK_FIELDS, _clock),
    "is_new_bar": _new_bar,
    "bar_index": _bar_index,
    "isin_exact": _isin,
    "broadcast": _broadcast,
    "align": _align,
    "tf_col": _higher_column,
}
