"""
An immutable program: typed nodes in SSA order, and what of them is seen outside.

Semantics that every engine follows, and that the verifier has checked:

- `nodes[i].args` are indices smaller than `i`. Scalar arguments (windows, factors) are nodes too, so a window
  may be a constant or a parameter; `imm` holds what is never computed (a name, an index).
- A node's phase is the maximum of its arguments' phases. A node below SERIES is one Python scalar; a node of
  phase SERIES is one array on its grid (0 = the bars of the data, k = `grids[k]`).
- A record node (several outputs) is only ever used by `get`.
- `state` nodes are the values at the end of the previous bar. `states[k].update` is the value at the end of the
  bar. Every node on a way from a `state` or `broker` node to an update, or to an order while a `broker` node exists,
  belongs to the bar region (`ir.regions`) and is evaluated bar by bar; it contains pointwise ops only.
"""

from dataclasses import dataclass
from typing import NamedTuple

from mysingle.dsl.ir.kinds import Const, Kind, Phase, Type

__all__ = [
    "Alert",
    "Grid",
    "Guard",
    "Named",
    "Node",
    "Order",
    "Output",
    "ParamSpec",
    "Plot",
    "Program",
    "State",
]


class Node(NamedTuple):
    """One operation: the row's name in the op table, its type, its arguments and its immediates."""

    op: str
    kind: Kind
    phase: Phase
    grid: int
    args: tuple[int, ...]
    imm: tuple[Const, ...] = ()

    @property
    def type(self) -> Type:
        """Kind, phase and grid together."""
        return Type(self.kind, self.phase, self.grid)


class ParamSpec(NamedTuple):
    """A parameter: kind FLOAT, INT, BOOL or STR; `required` when there is no default; None only if `nullable`."""

    name: str
    kind: Kind
    required: bool
    default: Const = None
    minimum: float | int | None = None
    maximum: float | int | None = None
    step: float | int | None = None
    options: tuple[Const, ...] = ()
    nullable: bool = False
    implicit: bool = False
    """True for a bare name that nobody declared: a number or a bool, or a column of the data."""
    title: str = ""
    description: str = ""
    group: str = ""
    widget: str = ""


class Grid(NamedTuple):
    """A higher timeframe: `size` units of `unit` (s, m, h, D, W, M)."""

    size: int
    unit: str
    developing: bool = False


class State(NamedTuple):
    """A persistent variable: `init` is its value before the first bar (of a series: that of bar 0)."""

    name: str
    kind: Kind
    init: int
    update: int
    title: str = ""


class Output(NamedTuple):
    """One column of the result; the only one of a series is called `result`."""

    name: str
    node: int


class Guard(NamedTuple):
    """Ends the run with `message` verbatim when the mask is true (on any bar); `raised` is the exception's name."""

    mask: int
    message: str
    raised: str
    line: int
    column: int


class Order(NamedTuple):
    """One order statement in source order. `action` is entry, exit, close, close_all or cancel; -1 is not given."""

    action: str
    id: str
    mask: int
    direction: str = ""
    from_entry: str = ""
    qty: int = -1
    limit: int = -1
    stop: int = -1
    qty_percent: int = -1
    comment: str = ""
    line: int = 0
    column: int = 0

    @property
    def prices(self) -> dict[str, int]:
        """The nodes of quantity, limit and stop, where they are given."""
        found = {"qty": self.qty, "limit": self.limit, "stop": self.stop}
        return {name: node for name, node in found.items() if node >= 0}


class Plot(NamedTuple):
    """A series to draw. `kind` is plot or hline; `mask` is the path of an `if` around it."""

    kind: str
    node: int
    mask: int
    name: str
    title: str = ""
    color: str = ""
    style: str = ""
    linewidth: float = 0.0
    offset: int = 0
    line: int = 0
    column: int = 0


class Alert(NamedTuple):
    """One event for each bar on which `mask` is true."""

    mask: int
    message: str
    freq: str = "bar_close"
    line: int = 0
    column: int = 0


class Named(NamedTuple):
    """A variable of the source, for `explain`."""

    name: str
    node: int
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A verified program; nothing in it can be executed except through the op table."""

    nodes: tuple[Node, ...]
    locs: tuple[tuple[int, int], ...]
    """Line and column of each node, (0, 0) when it has no place of its own."""
    params: tuple[ParamSpec, ...] = ()
    columns: tuple[str, ...] = ()
    grids: tuple[Grid, ...] = (Grid(1, ""),)
    """Entry 0 stands for the bars of the data."""
    states: tuple[State, ...] = ()
    shape: str = "none"
    """series, frame or none: what `result` is."""
    outputs: tuple[Output, ...] = ()
    guards: tuple[Guard, ...] = ()
    orders: tuple[Order, ...] = ()
    plots: tuple[Plot, ...] = ()
    alerts: tuple[Alert, ...] = ()
    names: tuple[Named, ...] = ()
    lang: tuple[int, int] = (1, 0)
    profile: str = "standard"
    mode: str = "strict"
    source_sha256: str = ""

    def roots(self) -> tuple[int, ...]:
        """Return every node that is seen outside, guards first, without the names of variables."""
        found = [guard.mask for guard in self.guards]
        found += [item.node for item in self.outputs]
        for order in self.orders:
            found += [i for i in (order.mask, order.qty, order.limit, order.stop, order.qty_percent) if i >= 0]
        for plot in self.plots:
            found += [i for i in (plot.node, plot.mask) if i >= 0]
        found += [alert.mask for alert in self.alerts]
        for state in self.states:
            found += [state.init, state.update]
        return tuple(found)
