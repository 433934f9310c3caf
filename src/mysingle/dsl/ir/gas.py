"""What a run costs, before it runs: nominal nanoseconds and live bytes, the same on every machine."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from mysingle.dsl.errors import DSLMemoryError, DSLTimeoutError
from mysingle.dsl.ir.kinds import Const, Kind, Phase
from mysingle.dsl.ir.ops import OPS, Flag, Op
from mysingle.dsl.ir.program import Node, Program
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
    region = region_of(program)
    inside = frozenset(region.nodes if region else ())
    roots = program.roots()
    live = _reachable(program, roots)
    by_line: dict[int, int] = {}
    for index in live:
        node = program.nodes[index]
        if index in inside:
            amount = int(_REGION_PER_NODE * n_bars)
        elif node.phase is not _SERIES and node.op not in _REDUCTIONS:
            amount = _SCALAR
        else:
            amount = _gas(program, node, n_bars, known)
        line = program.locs[index][0]
        by_line[line] = by_line.get(line, 0) + amount
    return Cost(sum(by_line.values()), _peak_bytes(program, live, roots, inside, n_bars) / 1_048_576, by_line)


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


def _gas(program: Program, node: Node, n_bars: int, known: dict[str, Const]) -> int:
    call, bar, per_window, places = _PRICES[node.op]
    windows = 0.0
    for place in places:
        if place < len(node.args):
            windows += _window(program.nodes[node.args[place]], known)
    return int(call + (bar + per_window * windows) * n_bars)


def _window(source: Node, known: dict[str, Const]) -> float:
    value = source.imm[0] if source.op == "const" else known.get(str(source.imm[0])) if source.op == "param" else None
    if isinstance(value, int | float):
        return min(abs(float(value)), LIMITS.window)
    return LIMITS.window if value is None else 0.0


def _windows(row: Op) -> tuple[int, ...]:
    """Return where an op whose cost grows with its windows has them."""
    return tuple(at for at, arg in enumerate(row.args) if arg.is_window) if row.gas.per_window else ()


_PRICES: Final = {
    row.name: (_NODE + row.gas.call, row.gas.bar, row.gas.per_window, _windows(row)) for row in OPS.values()
}
"""Gas of a call, of a bar, of a bar and a window; and which arguments are windows."""
_REDUCTIONS: Final = frozenset(row.name for row in OPS.values() if Flag.REDUCTION in row.flags)
_SERIES: Final = Phase.SERIES
_BOOL: Final = Kind.BOOL
_RECORD: Final = Kind.RECORD


def _reachable(program: Program, roots: tuple[int, ...]) -> list[int]:
    nodes, found = program.nodes, set(roots)
    for index in range(len(nodes) - 1, -1, -1):
        if index in found:
            found.update(nodes[index].args)
    return sorted(found)


def _width(node: Node) -> int:
    if node.phase is not _SERIES or node.op == "col":
        return 0
    if node.kind is _RECORD:
        return 8 * len(OPS[node.op].outputs)
    return 1 if node.kind is _BOOL else 8


def _peak_bytes(program: Program, live: list[int], roots: tuple[int, ...], inside: frozenset[int], n_bars: int) -> int:
    """Walk in SSA order and free after the last use: what the vector engine does. A bar region keeps its inputs."""
    nodes, kept = program.nodes, set(roots)
    kept.update(arg for index in inside for arg in nodes[index].args if arg not in inside)
    last: dict[int, int] = {}
    for index in live:
        last[index] = index
        for arg in nodes[index].args:
            last[arg] = index
    peak = current = 0
    ends: dict[int, int] = {}
    for index in live:
        width = _width(nodes[index])
        if width:
            current += width
            if current > peak:
                peak = current
            if index not in kept:
                ends[last[index]] = ends.get(last[index], 0) + width
        if index in ends:
            current -= ends[index]
    return peak * n_bars
