"""In which order a sweep visits its combinations: what is dear to compute changes seldom."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mysingle.dsl.ir.kinds import Const, Phase
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.ir.program import Program

__all__ = ["REMEMBERED", "depends_on", "slowest_first", "sortable"]

REMEMBERED: Final = 64
"""Of how many values of the same parameters the results are kept."""


def depends_on(program: Program, names: Sequence[str]) -> list[frozenset[str]]:
    """Give, for each node, the parameters among the names that it depends on."""
    swept = frozenset(names)
    found: list[frozenset[str]] = []
    for node in program.nodes:
        own = {str(node.imm[0])} & swept if node.op == "param" else set()
        found.append(frozenset(own.union(*(found[arg] for arg in node.args))))
    return found


def slowest_first(
    program: Program, names: Sequence[str], bars: int, bounds: Sequence[Mapping[str, Const]]
) -> list[str]:
    """
    Order parameters by the work that is saved when they change seldom.

    The values of a parameter that has few are remembered whatever the order; among those the one that feeds most
    work comes first.
    """
    depends = depends_on(program, names)
    weight = dict.fromkeys(names, 0.0)
    for index, node in enumerate(program.nodes):
        if node.phase is Phase.SERIES:
            gas = OPS[node.op].gas
            for name in depends[index]:
                weight[name] += gas.call + gas.bar * bars

    def saved(name: str) -> float:
        count = len({bound[name] for bound in bounds})
        forgotten = len(bounds) * max(1.0 - REMEMBERED / count, 0.0)
        return weight[name] * max(forgotten - count, 0.0)

    return sorted(names, key=lambda name: (-saved(name), -weight[name]))


def sortable(value: Const) -> tuple[str, Any]:
    """Give what values of any type are sorted by."""
    return ("", float(value)) if isinstance(value, int | float) else (type(value).__name__, str(value))
