"""Many parameters over one data set: what does not change from one combination to the next is not computed again."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

import numpy as np

from mysingle.dsl.engine.bind import bind
from mysingle.dsl.engine.budget import Budget
from mysingle.dsl.engine.chains import regroup
from mysingle.dsl.engine.frames import Frame, read_frame
from mysingle.dsl.engine.metrics import METRICS, Market, holdings
from mysingle.dsl.engine.plan import REGION, Plan, check_numbers, make_plan, numbers_of, series_count
from mysingle.dsl.engine.run import Runner, RunOptions
from mysingle.dsl.engine.vector import Compute, VectorCode, VectorRun, as_operand
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

_REMEMBERED: Final = 64
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


class _Group:
    """The nodes that depend on exactly the same parameters."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.scalars: list[int] = []
        self.nodes: list[tuple[int, Compute]] = []
        self.exported: list[int] = []
        self.current: int = -1
        self.known: OrderedDict[int, tuple[list[Any], list[float], list[Const], dict[int, Any]]] = OrderedDict()
        self._ids: dict[tuple[Any, ...], int] = {}

    def key(self, bound: Mapping[str, Const]) -> int:
        """Give a small number for the values of the group's parameters: tuples are slow keys."""
        values = tuple((type(bound[name]), bound[name]) for name in self.names)
        return self._ids.setdefault(values, len(self._ids))


class Sweep:
    """A sweep made ready: evaluates combinations in any order, fastest when neighbours share values."""

    def __init__(
        self, program: Program, frame: Frame, names: Sequence[str], first: Mapping[str, Const], options: RunOptions
    ) -> None:
        self.program = regroup(program, _depends(program, names))
        self.names = tuple(names)
        self._frame, self._options = frame, options
        self._scalars: dict[int, Const] = {}
        self._depends = _depends(self.program, names)
        roots = [output.node for output in self.program.outputs]
        base = make_plan(self.program, first, roots, options.meta)
        self._scalars.update(base.scalars)
        self.plan = replace(base, scalars=self._scalars)
        changing = [index for index in base.scalars if self._depends[index]]
        self._code = _SweepCode(self.plan, [*range(len(self.program.nodes))], changing)
        self._run = VectorRun(self._code, frame, Budget(options.tier.gas, options.limits, options.cancel))
        self._first: list[float] = [0.0] * len(self.program.nodes)
        self._targets = [(output.name, self.plan.target(output.node)) for output in self.program.outputs]
        self._groups = self._make_groups()
        self.evaluated = 0

    def _make_groups(self) -> list[_Group]:
        groups: dict[frozenset[str], _Group] = {}
        for index in sorted(self.plan.scalars):
            if self._depends[index]:
                self._group(groups, index).scalars.append(index)
        for instruction in self._code.instructions:
            self._group(groups, instruction.node).nodes.append((instruction.node, instruction.compute))
        wanted = {target for _, target in self._targets}
        for index in (instruction.node for instruction in self._code.instructions):
            node = self.program.nodes[index]
            targets = [self.plan.target(arg) for arg in node.args]
            wanted.update(arg for arg in targets if self._depends[arg] != self._depends[index])
        for group in groups.values():
            group.exported = [index for index, _ in group.nodes if index in wanted]
        return sorted(groups.values(), key=lambda group: len(group.names))

    def _group(self, groups: dict[frozenset[str], _Group], index: int) -> _Group:
        names = self._depends[index]
        if names not in groups:
            groups[names] = _Group(tuple(name for name in self.names if name in names))
        return groups[names]

    def evaluate(self, bound: Mapping[str, Const]) -> dict[str, Any]:
        """Give the outputs for bound parameters; the arrays are read-only until the next call."""
        with strict_floats():
            for group in self._groups:
                key = group.key(bound)
                if key != group.current:
                    self._refresh(group, key, bound)
        return {name: self._shown(index) for name, index in self._targets}

    def _refresh(self, group: _Group, key: int, bound: Mapping[str, Const]) -> None:
        remembered = group.known.get(key)
        slots, known = self._run.slots, self._run.known
        if remembered is None:
            self._compute(group, bound)
            if group.names:
                firsts = [self._first[index] for index in group.exported]
                values = [self._scalars[index] for index in group.scalars]
                seen = {index: known[index] for index in group.exported if index in known}
                group.known[key] = [slots[index] for index in group.exported], firsts, values, seen
                if len(group.known) > self._memory(group):
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
        return max(min(_REMEMBERED, self._options.tier.memory_bytes // 2 // size), 1)

    def _compute(self, group: _Group, bound: Mapping[str, Const]) -> None:
        self._run.budget.check()
        slots, nodes = self._run.slots, self.program.nodes
        for index in group.scalars:
            node = nodes[index]
            value = bound[str(node.imm[0])] if node.op == "param" else self._at_bind(node)
            self._scalars[index] = value
            slots[index] = as_operand(value)
        exported = set(group.exported)
        for index, compute in group.nodes:
            check_numbers(self.plan, nodes[index])
            self._run.known.pop(index, None)
            slots[index] = compute(self._run)
            self._first[index] = self._warm_up(nodes[index], bound)
        for index, _ in group.nodes:
            if index not in exported:
                slots[index] = None
        self.evaluated += len(group.nodes)

    def _at_bind(self, node: Node) -> Const:
        return SCALARS[node.op](*(self._scalars[self.plan.target(arg)] for arg in node.args))

    def _warm_up(self, node: Node, bound: Mapping[str, Const]) -> float:
        if node.phase is not Phase.SERIES:
            return 0.0
        own = bars_of(node.op, values_of(self.program.nodes, node, bound))[0]
        return max([self._first[self.plan.target(arg)] for arg in node.args], default=0.0) + own

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
    return bool(values.any() if values.dtype == np.bool_ else (values == values).any())


def _depends(program: Program, names: Sequence[str]) -> list[frozenset[str]]:
    swept = frozenset(names)
    found: list[frozenset[str]] = []
    for node in program.nodes:
        own = {str(node.imm[0])} & swept if node.op == "param" else set()
        found.append(frozenset(own.union(*(found[arg] for arg in node.args))))
    return found


def _is_plannable(program: Program, depends: Sequence[frozenset[str]], plan: Plan) -> bool:
    """Branches on swept parameters and bar regions are run one by one."""
    if REGION in plan.order or program.guards or any(node.grid for node in program.nodes):
        return False
    return not any(node.op == "select" and depends[node.args[0]] for node in program.nodes)


def _slowest_first(program: Program, names: Sequence[str], frame: Frame, first: Mapping[str, Const]) -> list[str]:
    """Order parameters by the work that depends on them: the one that feeds most changes least often."""
    depends = _depends(program, names)
    weight = dict.fromkeys(names, 0.0)
    for index, node in enumerate(program.nodes):
        if node.phase is Phase.SERIES:
            gas = OPS[node.op].gas
            for name in depends[index]:
                weight[name] += gas.call + gas.bar * frame.size
    return sorted(names, key=lambda name: -weight[name])


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
    bounds = [bind(program, combination, is_lenient=chosen.is_lenient) for combination in combinations]
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
    if not _is_plannable(program, _depends(program, names), plan):
        yield from _one_by_one(program, data, combinations, options)
        return
    refuse_over_budget(cost_of(program, frame.size, _dearest(bounds)), options.tier)
    names = _slowest_first(program, names, frame, bounds[0])
    ready = Sweep(program, frame, names, bounds[0], options)
    for at in sorted(range(len(bounds)), key=lambda i: [_sortable(bounds[i][name]) for name in names]):
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


def _sortable(value: Const) -> tuple[str, Any]:
    return ("", float(value)) if isinstance(value, int | float) else (type(value).__name__, str(value))


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
