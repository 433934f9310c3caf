"""How far into the future each value looks, and what of that reaches a result."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from mysingle.dsl.ir.kinds import Const, Phase
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.ir.program import Node, Program
from mysingle.dsl.ir.row import no_bars

__all__ = ["Finding", "called", "find_lookahead", "leads", "values_of"]


_LOOKING: Final = frozenset(name for name, row in OPS.items() if row.lead is not no_bars)
"""The ops that may need bars of the future."""


_CALLED: Final = {"at": ".iloc[k]", "n_bars": "len(data)", "lead": "chikou", "rank_all": "rank"}


def called(op: str) -> str:
    """Return how sources write an op that needs bars of the future."""
    return _CALLED.get(op, op.removeprefix("red_"))


class Finding(NamedTuple):
    """A place of the source whose value needs bars of the future, and what it reaches."""

    line: int
    column: int
    lead: float
    op: str
    reaches: str
    """result, order, alert, state, plot or guard; the first four are refused in strict mode."""

    @property
    def is_harmful(self) -> bool:
        """Whether a decision depends on it."""
        return self.reaches in {"result", "order", "alert", "state"}

    @property
    def message(self) -> str:
        """What a person reads."""
        bars = "the whole data" if self.lead == float("inf") else f"{int(self.lead)} bars of the future"
        return f"'{called(self.op)}' needs {bars} and reaches {self.reaches}"


def values_of(
    nodes: tuple[Node, ...] | list[Node], node: Node, known: Mapping[str, Const] | None = None
) -> tuple[Const, ...]:
    """Return the arguments as numbers where they are constants or known parameters, None for all others."""
    found: list[Const] = []
    for arg in node.args:
        source = nodes[arg]
        if source.op == "const":
            found.append(source.imm[0])
        else:
            found.append(known.get(str(source.imm[0])) if known and source.op == "param" else None)
    return tuple(found)


def leads(program: Program) -> tuple[float, ...]:
    """Return how many bars each node looks ahead: the maximum along its arguments; nothing cancels."""
    if _LOOKING.isdisjoint(node.op for node in program.nodes):
        return (0.0,) * len(program.nodes)
    found: list[float] = []
    for node in program.nodes:
        own = max(OPS[node.op].lead(values_of(program.nodes, node)), 0) if node.op in _LOOKING else 0.0
        found.append(
            max((found[arg] for arg in node.args), default=0.0)
            if not own
            else max(own, *(found[arg] for arg in node.args), 0.0)
        )
    return tuple(found)


def find_lookahead(program: Program) -> tuple[Finding, ...]:
    """Return the causes of look-ahead, each once for the worst thing that it reaches."""
    lead = leads(program)
    if not any(lead):
        return ()
    worst: dict[int, str] = {}
    for reaches, roots in _reached(program):
        for cause in _causes(program, roots, lead):
            worst.setdefault(cause, reaches)
    return tuple(
        Finding(*program.locs[i], lead[i], program.nodes[i].op, worst[i])
        for i in sorted(worst, key=lambda item: program.locs[item])
    )


def _reached(program: Program) -> list[tuple[str, list[int]]]:
    orders = [i for order in program.orders
              for i in (order.mask, order.qty, order.limit, order.stop, order.qty_percent) if i >= 0]  # fmt: skip
    return [
        ("result", [output.node for output in program.outputs]),
        ("order", orders),
        ("alert", [alert.mask for alert in program.alerts]),
        ("state", [i for state in program.states for i in (state.update, state.init)]),
        ("plot", [i for plot in program.plots for i in (plot.node, plot.mask) if i >= 0]),
        ("guard", [guard.mask for guard in program.guards]),
    ]


def _causes(program: Program, roots: list[int], lead: tuple[float, ...]) -> set[int]:
    """Return the nodes at which a lead begins."""
    found, seen, stack = set(), set(roots), list(roots)
    while stack:
        index = stack.pop()
        if not lead[index]:
            continue
        node = program.nodes[index]
        if OPS[node.op].lead(values_of(program.nodes, node)) > 0 or (node.phase is Phase.RUN and not node.args):
            found.add(index)
        fresh = [arg for arg in node.args if arg not in seen]
        seen.update(fresh)
        stack += fresh
    return found
