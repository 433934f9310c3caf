"""Make columns of bare names that turned out to be columns of the data: the same program with other types."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from mysingle.dsl.errors import DSLValidationError
from mysingle.dsl.ir.build import Builder
from mysingle.dsl.ir.kinds import Phase, Type
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.ir.passes import prune
from mysingle.dsl.ir.program import Node, Order, Program
from mysingle.dsl.ir.typing import ReadTypeError

__all__ = ["specialise"]

_DECLARED: Final = frozenset({"const", "param", "meta", "state", "get", "tf_col"})


def specialise(program: Program, columns: Iterable[str]) -> Program:
    """
    Return the program in which implicit parameters of these names are columns.

    Raises:
        DSLValidationError: such a name stands where a number is needed, such as a window.
    """
    names = frozenset(columns)
    if not names:
        return program
    builder = Builder()
    new: dict[int, int] = {}
    for index, node in enumerate(program.nodes):
        builder.place = program.locs[index]
        try:
            new[index] = _rebuilt(builder, node, new, names)
        except ReadTypeError as error:
            line, column = program.locs[index]
            raise DSLValidationError(f"A column stands where a number is needed: {error}", None, line, column) from None
    return prune(_moved(program, builder, new))


def _rebuilt(builder: Builder, node: Node, new: Mapping[int, int], names: frozenset[str]) -> int:
    args = [new[arg] for arg in node.args]
    if node.op == "param" and node.imm[0] in names:
        return builder.emit("col", imm=node.imm)
    if node.op == "const":
        return builder.const(node.imm[0], node.kind)
    if node.op == "broadcast" and builder.type_of(args[0]).phase is Phase.SERIES:
        return args[0]
    name = node.op
    if name == "select" and builder.type_of(args[0]).phase > Phase.PARAM:
        name = "where"
    declared = Type(node.kind, node.phase, node.grid) if OPS[name].name in _DECLARED else None
    return builder.emit(name, *args, imm=node.imm, declared=declared)


def _moved(program: Program, builder: Builder, new: Mapping[int, int]) -> Program:
    scalar = program.shape == "scalar" and any(
        builder.type_of(new[item.node]).phase is Phase.SERIES for item in program.outputs
    )
    return replace(
        program,
        nodes=tuple(builder.nodes),
        locs=tuple(builder.locs),
        shape="series" if scalar else program.shape,
        states=tuple(item._replace(init=new[item.init], update=new[item.update]) for item in program.states),
        outputs=tuple(item._replace(node=new[item.node]) for item in program.outputs),
        guards=tuple(item._replace(mask=new[item.mask]) for item in program.guards),
        orders=tuple(_order(item, new) for item in program.orders),
        plots=tuple(item._replace(node=new[item.node], mask=new.get(item.mask, -1)) for item in program.plots),
        alerts=tuple(item._replace(mask=new[item.mask]) for item in program.alerts),
        names=tuple(item._replace(node=new[item.node]) for item in program.names),
    )


def _order(item: Order, new: Mapping[int, int]) -> Order:
    return item._replace(
        mask=new[item.mask],
        qty=new.get(item.qty, -1),
        limit=new.get(item.limit, -1),
        stop=new.get(item.stop, -1),
        qty_percent=new.get(item.qty_percent, -1),
    )
