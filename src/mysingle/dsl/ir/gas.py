"""What a run costs, before it runs: nominal nanoseconds and live bytes, the same on every machine."""

from collections.abc import Mapping
from typing import NamedTuple

from mysingle.dsl.errors import DSLMemoryError, DSLTimeoutError
from mysingle.dsl.ir.causality import values_of
from mysingle.dsl.ir.kinds import Const, Kind, Phase
from mysingle.dsl.ir.ops import OPS, Flag
from mysingle.dsl.ir.program import Program
from mysingle.dsl.ir.regions import region_of
from mysingle.dsl.limits import LIMITS, Tier

__all__ = ["Cost", "cost_of", "refuse_over_budget"]

_NODE: int = 1_500
_REGION_PER_NODE: float = 20.0
_SCALAR: int = 200


class Cost(NamedTuple):
    """Gas, peak memory in megabytes, and the gas of each line."""

    gas: int
    peak_mb: float
    by_line: dict[int, int]


def cost_of(program: Program, n_bars: int, params: Mapping[str, Const] | None = None) -> Cost:
    """Return the cost of one run; windows that are not known yet count with the parameter's maximum, else the limit."""
    known = {spec.name: _worst(spec.maximum, spec.kind) for spec in program.params} | dict(params or {})
    region = set(getattr(region_of(program), "nodes", ()))
    live = _reachable(program)
    by_line: dict[int, int] = {}
    for index in live:
        amount = int(_REGION_PER_NODE * n_bars) if index in region else _gas(program, index, n_bars, known)
        line = program.locs[index][0]
        by_line[line] = by_line.get(line, 0) + amount
    return Cost(sum(by_line.values()), _peak_bytes(program, live, n_bars) / 1_048_576, by_line)


def refuse_over_budget(cost: Cost, tier: Tier) -> None:
    """
    Check a cost against what a run may use.

    Raises:
        DSLTimeoutError: too much gas.
        DSLMemoryError: too much memory.
    """
    if cost.gas > tier.gas:
        raise DSLTimeoutError(
            f"The run needs {cost.gas} gas, the limit is {tier.gas}: use fewer bars or smaller windows"
        )
    if cost.peak_mb * 1_048_576 > tier.memory_bytes:
        limit = tier.memory_bytes // 1_048_576
        raise DSLMemoryError(f"The run needs {cost.peak_mb:.0f} MB, the limit is {limit} MB: use fewer bars")


def _worst(maximum: Const, kind: Kind) -> Const:
    return maximum if maximum is not None or kind not in {Kind.INT, Kind.FLOAT} else LIMITS.window


def _gas(program: Program, index: int, n_bars: int, known: dict[str, Const]) -> int:
    node = program.nodes[index]
    if node.phase is not Phase.SERIES and not OPS[node.op].has(Flag.REDUCTION):
        return _SCALAR
    op = OPS[node.op]
    windows = [
        LIMITS.window if value is None else min(abs(float(value)), LIMITS.window)
        for arg, value in zip(op.args, values_of(program.nodes, node, known), strict=False)
        if arg.is_window and (value is None or isinstance(value, int | float))
    ]
    return int(_NODE + op.gas.call + (op.gas.bar + op.gas.per_window * sum(windows)) * n_bars)


def _reachable(program: Program) -> list[int]:
    found = set(program.roots())
    for index in range(len(program.nodes) - 1, -1, -1):
        if index in found:
            found.update(program.nodes[index].args)
    return sorted(found)


def _width(program: Program, index: int) -> int:
    node = program.nodes[index]
    if node.phase is not Phase.SERIES or node.op == "col":
        return 0
    if node.kind is Kind.RECORD:
        return 8 * len(OPS[node.op].outputs)
    return 1 if node.kind is Kind.BOOL else 8


def _peak_bytes(program: Program, live: list[int], n_bars: int) -> int:
    """Walk in SSA order and free after the last use: what the vector engine does."""
    last = {index: index for index in live}
    for index in live:
        for arg in program.nodes[index].args:
            last[arg] = max(last[arg], index)
    kept = set(program.roots())
    peak = current = 0
    ends: dict[int, int] = {}
    for index in live:
        current += _width(program, index)
        peak = max(peak, current)
        if index not in kept:
            ends[last[index]] = ends.get(last[index], 0) + _width(program, index)
        current -= ends.pop(index, 0)
    return peak * n_bars
