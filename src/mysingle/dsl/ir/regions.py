"""The bar region of a program: what must be computed bar by bar because it depends on itself one bar ago."""

from collections.abc import Iterable
from typing import NamedTuple

from mysingle.dsl.ir.ops import OPS, Flag
from mysingle.dsl.ir.program import Program

__all__ = ["Region", "blockers", "region_of"]


class Region(NamedTuple):
    """Nodes in SSA order that are evaluated for each bar, and the state variables that they carry along."""

    nodes: tuple[int, ...]
    states: tuple[int, ...]
    has_broker: bool

    @property
    def length(self) -> int:
        """How many instructions a bar needs."""
        return len(self.nodes)


def region_of(program: Program) -> Region | None:
    """
    Return the bar region; None when the program has no state and reads no broker.

    A node is inside when it depends on a state or on the broker, and an update of a state or, with a broker, an order
    depends on it. Everything else is a vector: before the region when it feeds it, after it when it is fed by it.
    """
    seeds = [i for i, node in enumerate(program.nodes) if node.op in {"state", "broker"}]
    if not seeds:
        return None
    has_broker = any(program.nodes[i].op == "broker" for i in seeds)
    inside = _dependents(program, seeds) & _needed(program, _targets(program, has_broker))
    inside |= set(seeds)
    return Region(tuple(sorted(inside)), tuple(range(len(program.states))), has_broker)


def blockers(program: Program) -> tuple[int, ...]:
    """Return the nodes of the region that need more than one bar, such as a window of a state: none may exist."""
    region = region_of(program)
    if region is None:
        return ()
    return tuple(
        i for i in region.nodes
        if program.nodes[i].op not in {"state", "broker"} and not OPS[program.nodes[i].op].has(Flag.BAR)
    )  # fmt: skip


def _targets(program: Program, has_broker: bool) -> list[int]:  # private
    found = [state.update for state in program.states]
    if has_broker:
        for order in program.orders:
            found += [i for i in (order.mask, order.qty, order.limit, order.stop, order.qty_percent) if i >= 0]
    return found


def _dependents(program: Program, seeds: Iterable[int]) -> set[int]:
    found = set(seeds)
    for i, node in enumerate(program.nodes):
        if any(arg in found for arg in node.args):
            found.add(i)
    return found


def _needed(program: Program, targets: Iterable[int]) -> set[int]:
    found = set(targets)
    for i in range(len(program.nodes) - 1, -1, -1):
        if i in found:
            found.update(program.nodes[i].args)
    return found
