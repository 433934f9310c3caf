"""From which bar on a value exists, and from which bar on the start of the data no longer matters."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from mysingle.dsl.ir.causality import values_of
from mysingle.dsl.ir.kinds import Const, Phase
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.ir.program import Program
from mysingle.dsl.ir.row import UNBOUNDED, Arg, Values, no_bars

__all__ = ["WarmUp", "bars_of", "warm_up"]


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
        seen = far = 0.0
        if node.phase is _SERIES:  # a number is there from the beginning
            for arg in node.args:
                if first[arg] > seen:
                    seen = first[arg]
                if horizon[arg] > far:
                    far = horizon[arg]
            if node.op in _SLOW:
                own, fades = bars_of(node.op, values_of(program.nodes, node, known))
                seen, far = seen + own, far + max(own, fades)
        first.append(seen)
        horizon.append(far)
    return first, horizon


_SERIES: Final = Phase.SERIES
_SLOW: Final = frozenset(
    row.name for row in OPS.values() if row.first is not no_bars or row.horizon is not None or row.name == "align"
)
"""The ops whose values do not exist from the first bar on, or remember more than one bar."""


def _within(arg: Arg, value: Const) -> Const:
    """
    Return a number that the formulas can take: a parameter's default is judged when it is bound, not here.

    One bar is always such a number, also for a window that is longer: a branch that is not taken adds no bars then.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    low, high = value if arg.low is None else min(arg.low, 1), value if arg.high is None else arg.high
    return type(value)(min(max(value, low), high))


@lru_cache(maxsize=4096)
def bars_of(name: str, values: Values) -> tuple[float, float]:
    """Return what an op adds to the first valid bar and to the horizon; rules are formulas, so remember the answers."""
    row = OPS[name]
    if len(values) == len(row.args):
        values = tuple([_within(arg, value) for arg, value in zip(row.args, values, strict=True)])
    first = row.first(values)
    if name == "align":
        return first, UNBOUNDED  # how many base bars a bucket has is known at run time only
    return first, row.horizon(values) if row.horizon else first
