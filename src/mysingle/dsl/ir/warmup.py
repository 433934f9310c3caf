"""From which bar on a value exists, and from which bar on the start of the data no longer matters."""

from collections.abc import Mapping
from typing import NamedTuple

from mysingle.dsl.ir.causality import values_of
from mysingle.dsl.ir.kinds import Const, Phase
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.ir.program import Program
from mysingle.dsl.ir.row import UNBOUNDED, no_bars

__all__ = ["WarmUp", "warm_up"]


class WarmUp(NamedTuple):
    """Bar indices: of the first valid value and of convergence to 1e-10; infinity means it depends on the start."""

    first_valid: float
    converged: float
    by_output: dict[str, tuple[float, float]]


def warm_up(program: Program, params: Mapping[str, Const] | None = None) -> WarmUp:
    """
    Return the warm-up of the result, the orders and the alerts.

    Args:
        program: a verified program.
        params: values of parameters; defaults, then maxima, stand in for those that are not given.
    """
    known = {spec.name: _stand_in(spec.default, spec.maximum) for spec in program.params} | dict(params or {})
    first, horizon = _walk(program, known)
    by_output = {name: (first[i], horizon[i]) for name, i in _decisions(program)}
    firsts, horizons = zip(*by_output.values(), strict=True) if by_output else ((0,), (0,))
    return WarmUp(max(firsts), max(horizons), by_output)


def _stand_in(default: Const, maximum: Const) -> Const:
    return maximum if default is None else default


def _decisions(program: Program) -> list[tuple[str, int]]:
    found = [(output.name, output.node) for output in program.outputs]
    found += [(f"{order.action} {order.id}".strip(), order.mask) for order in program.orders]
    return found + [(f"alert {alert.message}", alert.mask) for alert in program.alerts]


def _walk(program: Program, known: dict[str, Const]) -> tuple[list[float], list[float]]:
    first: list[float] = []
    horizon: list[float] = []
    for node in program.nodes:
        op = OPS[node.op]
        inputs = [arg for arg in node.args if program.nodes[arg].phase is Phase.SERIES]
        if node.phase is not Phase.SERIES:
            first.append(0)
            horizon.append(0)
            continue
        own = far = 0.0
        if op.first is not no_bars or op.horizon is not None:
            values = values_of(program.nodes, node, known)
            own = op.first(values)
            far = op.horizon(values) if op.horizon else own
        if node.op == "align":
            far = UNBOUNDED  # how many base bars a bucket has is known at run time only
        first.append(max((first[arg] for arg in inputs), default=0) + own)
        horizon.append(max((horizon[arg] for arg in inputs), default=0) + max(own, far))
    return first, horizon
