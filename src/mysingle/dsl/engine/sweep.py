"""Many parameters over one data set: what does not change from one combination to the next is not computed again."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from mysingle.dsl.engine.bind import Binder
from mysingle.dsl.engine.budget import Budget
from mysingle.dsl.engine.chains import regroup
from mysingle.dsl.engine.frames import Frame, read_frame
from mysingle.dsl.engine.metrics import METRICS, Market, holdings
from mysingle.dsl.engine.plan import REGION, Plan, check_numbers, make_plan, numbers_of, series_count
from mysingle.dsl.engine.run import Runner, RunOptions
from mysingle.dsl.engine.sweep_order import REMEMBERED, depends_on, slowest_first, sortable
from mysingle.dsl.engine.vector import Compute, Instruction, VectorCode, VectorRun, as_operand
from mysingle.dsl.errors import DSLParameterError
from mysingle.dsl.ir.causality import values_of
from mysingle.dsl.ir.gas import cost_of, refuse_over_budget
from mysingle.dsl.ir.kinds import Const, Phase
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.ir.program import Node, Program
from mysingle.dsl.ir.scalars import SCALARS
from mysingle.dsl.ir.warmup import bars_of
from mysingle.dsl.kernels.floats import strict_floats
from mysingle.dsl.kernels.registry import kernel

__all__ = ["Sweep", "SweepResult", "combinations_of", "sweep", "sweep_program"]

Combination = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """The best combinations, best first, and the metric of all of them in the order they were given."""

    best: tuple[dict[str, Any], ...]
    values: Any
    combinations: tuple[dict[str, Any], ...]
    evaluated: int
    """How many operations were computed."""


def combinations_of(space: Mapping[str, Iterable[Any]] | Iterable[Combination]) -> list[dict[str, Any]]:
    """Give every combination of a grid, or the list itself."""
    if isinstance(space, Mapping):
        names = list(space)
        return [dict(zip(names, values, strict=True)) for values in product(*(list(space[name]) for name in names))]
    return [dict(item) for item in space]


class _SweepCode(VectorCode):
    """Instructions whose numbers may change between combinations."""

    def __init__(self, plan: Plan, kept: Sequence[int], changing: Sequence[int]) -> None:
        self.changing = frozenset(changing)
        super().__init__(plan, kept)

    def _kernel(self, index: int, node: Node) -> Compute:
        op = OPS[node.op]
        numbers = node.args[series_count(op) :]
        if not any(self.plan.target(arg) in self.changing for arg in numbers):
            return super()._kernel(index, node)
        found, series, plan = kernel(op.kernel), node.args[: series_count(op)], self.plan
        places = [plan.target(arg) for arg in series]

        def compute(run: VectorRun) -> Any:
            numbers, arrays = numbers_of(plan, node), [run.series(arg) for arg in series]
            informed = found.prepare(numbers)
            if informed is None or not all(isinstance(run.slots[place], np.ndarray) for place in places):
                return found.columns(arrays, numbers, run.budget.charge)
            values, run.known[index] = informed(arrays, [run.look(place) for place in places], run.budget.charge)
            return values

        return compute


class _Step(NamedTuple):
    """One operation of a group: what it needs to be computed and to know its first valid bar."""

    node: int
    compute: Compute
    operands: tuple[int, ...]
    own_bars: float | None
    """What it adds to the first valid bar; None when a swept parameter says so."""
    is_checked: bool


class _Group:
    """The nodes that depend on exactly the same parameters."""

    def __init__(self, places: tuple[int, ...]) -> None:
        self.scalars: list[int] = []
        self.steps: list[_Step] = []
        self.exported: list[int] = []
        self.passing: list[int] = []
        """What nobody outside the group needs."""
        self.current: Any = None
        self.room = 1
        self.known: OrderedDict[Any, tuple[list[Any], list[float], list[Const], dict[int, Any]]] = OrderedDict()
        self.key: Callable[[Sequence[int]], Any] = itemgetter(*places) if places else lambda _: 0
        """The group's values among the numbers that stand for the values of all parameters."""
        self.is_remembered = False
        """Whether the same values may come again later: not without parameters, and not with all of them."""
        self.rank = len(places)


class Sweep:
    """A sweep made ready: evaluates combinations in any order, fastest when neighbours share values."""

    def __init__(
        self, program: Program, frame: Frame, names: Sequence[str], first: Mapping[str, Const], options: RunOptions
    ) -> None:
        self.program = regroup(program, depends_on(program, names))
        self.names = tuple(names)
        self._frame, self._options, self._given = frame, options, first
        self._scalars: dict[int, Const] = {}
        self._depends = depends_on(self.program, names)
        roots = [output.node for output in self.program.outputs]
        base = make_plan(self.program, first, roots, options.meta)
        self._scalars.update(base.scalars)
        self.plan = replace(base, scalars=self._scalars)
        changing = [index for index in base.scalars if self._depends[index]]
        self._code = _SweepCode(self.plan, [*range(len(self.program.nodes))], changing)
        self._run = VectorRun(self._code, frame, Budget(options.tier.gas, options.limits, options.cancel))
        self._first: list[float] = [0.0] * len(self.program.nodes)
        self._changing = frozenset(changing)
        self._ids: list[dict[Any, int]] = [{} for _ in names]
        self._targets = [(output.name, self.plan.target(output.node)) for output in self.program.outputs]
        self._groups = self._make_groups()
        self.evaluated = 0

    def _make_groups(self) -> list[_Group]:
        groups: dict[frozenset[str], _Group] = {}
        for index in sorted(self.plan.scalars):
            if self._depends[index]:
                self._group(groups, index).scalars.append(index)
        for instruction in self._code.instructions:
            self._group(groups, instruction.node).steps.append(self._step(instruction))
        wanted = {target for _, target in self._targets}
        for index in (instruction.node for instruction in self._code.instructions):
            node = self.program.nodes[index]
            targets = [self.plan.target(arg) for arg in node.args]
            wanted.update(arg for arg in targets if self._depends[arg] != self._depends[index])
        for group in groups.values():
            group.exported = [step.node for step in group.steps if step.node in wanted]
            group.passing = [step.node for step in group.steps if step.node not in wanted]
            group.is_remembered, group.room = 0 < group.rank < len(self.names), self._memory(group)
        return sorted(groups.values(), key=lambda group: group.rank)

    def _step(self, instruction: Instruction) -> _Step:
        index, nodes = instruction.node, self.program.nodes
        node = nodes[index]
        args = [self.plan.target(arg) for arg in node.args]
        is_checked = any(
            arg.phase <= Phase.PARAM and place in self._changing
            for arg, place in zip(OPS[node.op].args, args, strict=False)
        )
        own = (
            None
            if any(arg in self._changing for arg in node.args)
            else bars_of(node.op, values_of(nodes, node, self._given))[0]
        )
        return _Step(index, instruction.compute, tuple(args), own if node.phase is Phase.SERIES else 0.0, is_checked)

    def _group(self, groups: dict[frozenset[str], _Group], index: int) -> _Group:
        names = self._depends[index]
        if names not in groups:
            groups[names] = _Group(tuple(at for at, name in enumerate(self.names) if name in names))
        return groups[names]

    def evaluate(self, bound: Mapping[str, Const]) -> dict[str, Any]:
        """Give the outputs for bound parameters; the arrays are read-only until the next call."""
        values = [bound[name] for name in self.names]
        # 1, 1.0 and True are equal and different arguments; small numbers are fast keys.
        ids = [known.setdefault((type(x), x), len(known)) for known, x in zip(self._ids, values, strict=True)]
        with strict_floats():
            for group in self._groups:
                key = group.key(ids)
                if key != group.current:
                    self._refresh(group, key, bound)
        return {name: self._shown(index) for name, index in self._targets}

    def _refresh(self, group: _Group, key: Any, bound: Mapping[str, Const]) -> None:
        remembered = group.known.get(key) if group.is_remembered else None
        slots, known = self._run.slots, self._run.known
        if remembered is None:
            self._compute(group, bound)
            if group.is_remembered:
                firsts = [self._first[index] for index in group.exported]
                values = [self._scalars[index] for index in group.scalars]
                seen = {index: known[index] for index in group.exported if index in known}
                group.known[key] = [slots[index] for index in group.exported], firsts, values, seen
                if len(group.known) > group.room:
                    group.known.popitem(last=False)
        else:
            group.known.move_to_end(key)
            arrays, firsts, values, seen = remembered
            for index, array, first in zip(group.exported, arrays, firsts, strict=True):
                slots[index], self._first[index] = array, first
                known.pop(index, None)
            known.update(seen)
            for index, value in zip(group.scalars, values, strict=True):
                self._scalars[index] = value
                slots[index] = as_operand(value)
        group.current = key

    def _memory(self, group: _Group) -> int:
        size = max(len(group.exported), 1) * max(self._frame.size, 1) * 8
        return max(min(REMEMBERED, self._options.tier.memory_bytes // 2 // size), 1)

    def _compute(self, group: _Group, bound: Mapping[str, Const]) -> None:
        self._run.budget.check()
        slots, nodes = self._run.slots, self.program.nodes
        for index in group.scalars:
            node = nodes[index]
            value = bound[str(node.imm[0])] if node.op == "param" else self._at_bind(node)
            self._scalars[index] = value
            slots[index] = as_operand(value)
        firsts, known, run = self._first, self._run.known, self._run
        for index, compute, operands, own_bars, is_checked in group.steps:
            if is_checked:
                check_numbers(self.plan, nodes[index])
            known.pop(index, None)
            slots[index] = compute(run)
            bars = bars_of(nodes[index].op, values_of(nodes, nodes[index], bound))[0] if own_bars is None else own_bars
            firsts[index] = max([firsts[place] for place in operands], default=0.0) + bars
        for index in group.passing:
            slots[index] = None
        self.evaluated += len(group.steps)

    def _at_bind(self, node: Node) -> Const:
        return SCALARS[node.op](*(self._scalars[self.plan.target(arg)] for arg in node.args))

    def _shown(self, index: int) -> Any:
        values = self._run.slots[index]
        if not isinstance(values, np.ndarray):
            values = self._run.series(index)
        hidden = 0 if self._options.warmup == "off" else int(min(self._first[index], values.size))
        if not hidden or not _says_something(values[:hidden]):
            return values
        values = values.copy()
        values[:hidden] = False if values.dtype == np.bool_ else np.nan
        return values


def _says_something(values: Any) -> bool:
    return bool(np.count_nonzero(values if values.dtype == np.bool_ else values == values))


def _is_plannable(program: Program, depends: Sequence[frozenset[str]], plan: Plan) -> bool:
    """Branches on swept parameters and bar regions are run one by one."""
    if REGION in plan.order or program.guards or any(node.grid for node in program.nodes):
        return False
    return not any(node.op == "select" and depends[node.args[0]] for node in program.nodes)


def sweep(
    program: Program,
    data: Any,
    space: Mapping[str, Iterable[Any]] | Iterable[Combination],
    metric: str | Callable[[Mapping[str, Any]], float] = "sharpe",
    top: int = 20,
    options: RunOptions | None = None,
) -> SweepResult:
    """
    Evaluate a metric for every combination of parameters.

    Args:
        program: a verified program with outputs.
        data: what `run_program` takes; named metrics need a column `close`.
        space: values by parameter name, or a list of combinations.
        metric: one of `METRICS`, or a function of the outputs' arrays.
        top: how many of the best are listed.
        options: warm-up, tier, limits and cancellation.

    Raises:
        DSLParameterError: no combination, an unknown metric, or a value that the program refuses.
    """
    chosen = options or RunOptions()
    combinations = combinations_of(space)
    if not combinations or not program.outputs:
        raise DSLParameterError("A sweep needs at least one combination and a strategy with a result")
    binder = Binder(program)
    bounds = [binder.bind(combination, is_lenient=chosen.is_lenient) for combination in combinations]
    frame = read_frame(data, tuple(dict.fromkeys((*program.columns, *(() if callable(metric) else ("close",))))))
    measure = _measure(metric, frame)
    found = np.full(len(bounds), np.nan)
    evaluated = 0
    for at, outputs, count in _outcomes(program, data, frame, combinations, bounds, chosen):
        found[at], evaluated = measure(outputs), count
    order = np.argsort(-np.where(np.isnan(found), -np.inf, found), kind="stable")[:top]
    best = tuple({**combinations[at], "metric": float(found[at])} for at in order.tolist())
    return SweepResult(best=best, values=found, combinations=tuple(combinations), evaluated=evaluated)


def sweep_program(
    program: Program,
    data: Any,
    space: Mapping[str, Iterable[Any]] | Iterable[Combination],
    metric: str | Callable[[Mapping[str, Any]], float] = "sharpe",
    top: int = 20,
    **options: Any,
) -> SweepResult:
    """Sweep with the options of a run given by name; raises what `sweep` raises."""
    return sweep(program, data, space, metric, top, RunOptions(**options))


def _outcomes(
    program: Program,
    data: Any,
    frame: Frame,
    combinations: Sequence[Combination],
    bounds: Sequence[Mapping[str, Const]],
    options: RunOptions,
) -> Iterator[tuple[int, dict[str, Any], int]]:
    names = list(dict.fromkeys(name for combination in combinations for name in combination))
    plan = make_plan(program, bounds[0], [output.node for output in program.outputs], options.meta)
    if not _is_plannable(program, depends_on(program, names), plan):
        yield from _one_by_one(program, data, combinations, options)
        return
    refuse_over_budget(cost_of(program, frame.size, _dearest(bounds)), options.tier)
    names = slowest_first(program, names, frame.size, bounds)
    ready = Sweep(program, frame, names, bounds[0], options)
    for at in sorted(range(len(bounds)), key=lambda i: [sortable(bounds[i][name]) for name in names]):
        yield at, ready.evaluate(bounds[at]), ready.evaluated


def _dearest(bounds: Sequence[Mapping[str, Const]]) -> dict[str, Const]:
    """Give the largest number of each parameter: no combination costs more."""
    found = dict(bounds[0])
    for bound in bounds:
        for name, value in bound.items():
            known = found[name]
            if isinstance(value, int | float) and isinstance(known, int | float) and value > known:
                found[name] = value
    return found


def _one_by_one(
    program: Program, data: Any, combinations: Sequence[Combination], options: RunOptions
) -> Iterator[tuple[int, dict[str, Any], int]]:
    runner, evaluated = Runner(program), 0
    for at, combination in enumerate(combinations):
        result = runner.run(data, combination, options)
        evaluated += int(result.metadata["operations"])
        yield at, _arrays(program, result.result), evaluated


def _arrays(program: Program, result: Any) -> dict[str, Any]:
    if program.shape == "series":
        return {program.outputs[0].name: np.asarray(result)}
    return {output.name: np.asarray(result[output.name]) for output in program.outputs}


def _measure(metric: str | Callable[[Mapping[str, Any]], float], frame: Frame) -> Callable[[Mapping[str, Any]], float]:
    if callable(metric):
        return lambda outputs: float(metric(outputs))
    if metric not in METRICS:
        raise DSLParameterError(f"Unknown metric {metric!r}; known are {', '.join(METRICS)}")
    compute, market = METRICS[metric], Market(frame.columns["close"])
    return lambda outputs: compute(holdings(outputs), market)
