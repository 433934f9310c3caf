"""The typed verifier: after it an engine needs no dynamic type checks, and nothing it refuses can run (S12)."""

from collections.abc import Iterable, Sequence
from typing import Final

from mysingle.dsl.errors import DSLContainerError
from mysingle.dsl.ir.causality import find_lookahead
from mysingle.dsl.ir.kinds import Const, Kind, Phase, Type
from mysingle.dsl.ir.ops import OPS, Arg, Op
from mysingle.dsl.ir.program import Node, ParamSpec, Program
from mysingle.dsl.ir.regions import blockers
from mysingle.dsl.ir.typing import BROKER, META, ReadTypeError, infer_by_name
from mysingle.dsl.limits import LIMITS

__all__ = ["verify"]

_ACTIONS: Final = frozenset({"entry", "exit", "close", "close_all", "cancel"})
_AGGREGATIONS: Final = frozenset({"last", "sum", "max", "min", "first", "mean"})
_UNITS: Final = frozenset({"s", "m", "h", "D", "W", "M"})
_SHAPES: Final = frozenset({"none", "scalar", "series", "frame"})
_VALUES: Final = frozenset({Kind.FLOAT, Kind.INT, Kind.BOOL, Kind.TIME, Kind.NONE})
_NUMBERS: Final = frozenset({Kind.FLOAT, Kind.INT})


def verify(program: Program) -> None:
    """
    Check every node, table and effect of a program.

    Raises:
        DSLContainerError: the first violation.
    """
    _check_counts(program)
    _check_tables(program)
    _check_nodes(program)
    _check_outside(program)
    if blockers(program):
        raise DSLContainerError("The bar region contains an operation that needs more than one bar")
    if program.mode == "strict" and any(finding.is_harmful for finding in find_lookahead(program)):
        raise DSLContainerError("The program looks ahead although it was compiled in strict mode")


def _invalid(message: str) -> DSLContainerError:
    return DSLContainerError(f"The program is not valid: {message}")


def _need(is_right: bool, message: str) -> None:  # private
    if not is_right:
        raise _invalid(message)


def _check_counts(program: Program) -> None:
    for name, actual, limit in (
        ("nodes", len(program.nodes), LIMITS.nodes),
        ("parameters", len(program.params), LIMITS.parameters),
        ("plots", len(program.plots), LIMITS.plots),
        ("order ids", len({order.id for order in program.orders if order.id}), LIMITS.order_ids),
        ("states", len(program.states), LIMITS.states),
        ("timeframes", len(program.grids) - 1, LIMITS.timeframes),
        ("orders", len(program.orders), LIMITS.nodes),
        ("outputs", len(program.outputs), LIMITS.list_elements),
    ):
        _need(actual <= limit, f"{actual} {name}, the limit is {limit}")
    _need(len(program.locs) == len(program.nodes), "each node needs a place")
    _need(program.shape in _SHAPES, "unknown shape of the result")
    _need(bool(program.outputs) == (program.shape != "none") or program.shape == "frame", "result and shape differ")


# tables


def _check_tables(program: Program) -> None:
    names = [spec.name for spec in program.params]
    _need(len(set(names)) == len(names), "a parameter is there twice")
    for spec in program.params:
        _check_param(spec)
    for column in program.columns:
        _check_name(column)
    _need(list(program.columns) == sorted(set(program.columns)), "columns are not in order")
    for grid in program.grids[1:]:
        _need(1 <= grid.size <= 9_999 and grid.unit in _UNITS, "unknown timeframe")


def _check_name(name: str) -> None:
    _need(name.isidentifier() and not name.startswith("_") and len(name) <= LIMITS.identifier, "bad name")


def _check_param(spec: ParamSpec) -> None:
    _need(0 < len(spec.name) <= LIMITS.string, "a parameter without a name")
    _need(spec.kind in {Kind.FLOAT, Kind.INT, Kind.BOOL, Kind.STR}, "a parameter of an unknown kind")
    for value in (spec.default, *spec.options):
        _need(value is None or _fits(spec.kind, value), "a parameter's default has another kind")
    _need(spec.required or spec.default is not None or spec.nullable, "a parameter without a default")


_CLASSES: Final[dict[Kind, tuple[type, ...]]] = {
    Kind.FLOAT: (float, int), Kind.INT: (int,), Kind.BOOL: (bool,), Kind.STR: (str,), Kind.NONE: (type(None),),
}  # fmt: skip
_CONSTANTS: Final = _CLASSES | {Kind.FLOAT: (float, type(None))}
"""Na is a constant, and a constant float is no integer."""


def _fits(kind: Kind, value: Const) -> bool:
    return type(value) in _CLASSES[kind]


# nodes


def _check_nodes(program: Program) -> None:
    """Check each node once, in order: a load spends most of its time here, so what a row decides is looked up."""
    nodes, grids = program.nodes, len(program.grids)
    types: list[Type] = []
    for index, node in enumerate(nodes):
        name, kind, phase, grid, args, imm = node
        op, special, is_declared, is_ranged = _ROWS[name]
        if (args and not 0 <= min(args) <= max(args) < index) or not 0 <= grid < grids or len(imm) != op.imm:
            raise _misplaced(program, op, index, node)
        if special is not None:
            special(program, node)
        try:
            declared = Type(kind, phase, grid) if is_declared else None
            found = infer_by_name(name, tuple([types[arg] for arg in args]), declared)
        except ReadTypeError as error:
            raise _invalid(str(error)) from None
        if found != (kind, phase, grid):
            raise _invalid(f"node {index} ({name}) is not what it says it is")
        types.append(found)
        if is_ranged:
            _check_ranges(nodes, op, args)


def _misplaced(program: Program, op: Op, index: int, node: Node) -> DSLContainerError:
    """Say what a node refers to in vain."""
    if len(node.imm) != op.imm:
        return _invalid(f"node {index} has {len(node.imm)} immediates, {op.name} takes {op.imm}")
    if not 0 <= node.grid < len(program.grids):
        return _invalid(f"node {index} is on an unknown timeframe")
    return _invalid(f"node {index} uses a value that does not exist yet")


def _is_ranged(row: Op) -> bool:
    """Say whether an op does not take every number."""
    return any(arg.low is not None or arg.high is not None or arg.kind == "int" for arg in row.args)


def _check_ranges(nodes: Sequence[Node], op: Op, args: Iterable[int]) -> None:
    for place, arg in enumerate(args):
        source = nodes[arg]
        if source.op == "const":
            _check_range(op, op.args[min(place, len(op.args) - 1)], source.imm[0])


def _check_range(op: Op, row: Arg, value: Const) -> None:
    if row.kind == "int" and row.phase <= Phase.PARAM and type(value) is not int:
        raise _invalid(f"{op.name}: {row.name} is no whole number")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if row.low is not None and not value >= row.low:
            raise _invalid(f"{op.name}: {row.name} is too small")
        if row.high is not None and not value <= row.high:
            raise _invalid(f"{op.name}: {row.name} is too large")


def _const(_program: Program, node: Node) -> None:
    if type(node.imm[0]) not in _CONSTANTS.get(node.kind, ()):
        raise _invalid("a constant has another kind")


def _param(program: Program, node: Node) -> None:
    kinds = {spec.name: spec.kind for spec in program.params}
    _need(isinstance(node.imm[0], str) and kinds.get(node.imm[0]) is node.kind, "an unknown parameter")


def _col(program: Program, node: Node) -> None:
    _need(node.imm[0] in program.columns, "a column that is not in the table")


def _meta(_program: Program, node: Node) -> None:
    _need(isinstance(node.imm[0], str) and META.get(node.imm[0]) is node.kind, "unknown metadata")


def _broker(_program: Program, node: Node) -> None:
    _need(node.imm[0] in BROKER, "an unknown account figure")


def _state(program: Program, node: Node) -> None:
    number = node.imm[0]
    _need(type(number) is int and 0 <= number < len(program.states), "an unknown state")
    _need(isinstance(number, int) and program.states[number].kind is node.kind, "a state of another kind")


def _get(program: Program, node: Node) -> None:
    index = node.imm[0]
    source = program.nodes[node.args[0]] if node.args else node
    outputs = OPS[source.op].outputs
    _need(source.kind is Kind.RECORD, "an output of something that has one only")
    _need(type(index) is int and 0 <= index < len(outputs), "an output that does not exist")
    _need(isinstance(index, int) and outputs[index].kind == node.kind.value, "an output of another kind")


def _tf_col(program: Program, node: Node) -> None:
    grid, name, agg = node.imm
    _need(type(grid) is int and 1 <= grid < len(program.grids) and grid == node.grid, "an unknown timeframe")
    _need(name in program.columns and agg in _AGGREGATIONS, "an unknown column or aggregation")


def _align(program: Program, node: Node) -> None:
    _need(bool(node.args) and program.nodes[node.args[0]].grid > 0, "alignment of a base series")


_SPECIALS: Final = {
    "const": _const, "param": _param, "col": _col, "meta": _meta, "broker": _broker, "state": _state, "get": _get,
    "tf_col": _tf_col, "align": _align,
}  # fmt: skip

_ROWS: Final = {
    row.name: (row, _SPECIALS.get(row.name), row.result == "declared" or row.name == "tf_col", _is_ranged(row))
    for row in OPS.values()
}
"""Row, own check, whether immediates decide its type, whether numbers have a range."""


# what is seen outside


def _check_outside(program: Program) -> None:
    for output in program.outputs:
        _node(program, output.node, _VALUES)
    for mask in (*(guard.mask for guard in program.guards), *(alert.mask for alert in program.alerts)):
        _node(program, mask, {Kind.BOOL})
    for order in program.orders:
        _need(order.action in _ACTIONS and order.direction in {"", "long", "short"}, "an unknown order")
        _node(program, order.mask, {Kind.BOOL})
        for index in (order.qty, order.limit, order.stop, order.qty_percent):
            _optional(program, index, _NUMBERS)
    for plot in program.plots:
        _need(plot.kind in {"plot", "hline"}, "an unknown plot")
        _node(program, plot.node, _NUMBERS | {Kind.BOOL})
        _optional(program, plot.mask, {Kind.BOOL})
    for name in program.names:
        _need(0 <= name.node < len(program.nodes), "a name of nothing")
    _check_states(program)


def _check_states(program: Program) -> None:
    leaves = [node.imm[0] for node in program.nodes if node.op == "state"]
    _need(len(set(leaves)) == len(leaves), "a state is read through two nodes")
    for state in program.states:
        _need(state.kind in {Kind.FLOAT, Kind.BOOL}, "a state of an unknown kind")
        allowed = {Kind.BOOL} if state.kind is Kind.BOOL else _NUMBERS
        _node(program, state.init, allowed)
        _node(program, state.update, allowed)
        _need(program.nodes[state.update].phase is Phase.SERIES, "a state without an update for each bar")


def _optional(program: Program, index: int, kinds: Iterable[Kind]) -> None:
    if index != -1:
        _node(program, index, kinds)


def _node(program: Program, index: int, kinds: Iterable[Kind]) -> Type:
    _need(0 <= index < len(program.nodes), "something seen outside does not exist")
    found = program.nodes[index].type
    _need(found.kind in kinds and found.grid == 0, "something seen outside has the wrong kind or timeframe")
    return found
