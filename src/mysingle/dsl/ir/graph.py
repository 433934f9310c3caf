"""A program as a graph document: what tools draw and remote callers read. It is a projection, nothing runs it."""

from typing import Any

from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.ir.program import Program

__all__ = ["to_graph"]


def to_graph(program: Program) -> dict[str, Any]:
    """Return nodes, edges and what is seen outside, as values that JSON knows; equal programs give equal documents."""
    return {
        "lang": f"{program.lang[0]}.{program.lang[1]}",
        "profile": program.profile,
        "nodes": [_node(program, index) for index in range(len(program.nodes))],
        "edges": _edges(program),
        "params": [spec.name for spec in program.params],
        "columns": list(program.columns),
        "states": [{"name": item.name, "init": item.init, "update": item.update} for item in program.states],
        "outputs": [item._asdict() for item in program.outputs],
        "guards": [item._asdict() for item in program.guards],
        "orders": [item._asdict() for item in program.orders],
        "plots": [item._asdict() for item in program.plots],
        "alerts": [item._asdict() for item in program.alerts],
    }


def _node(program: Program, index: int) -> dict[str, Any]:
    node, (line, column) = program.nodes[index], program.locs[index]
    names = [item.name for item in program.names if item.node == index]
    return {
        "id": index, "op": node.op, "kind": node.kind.value, "phase": node.phase.name.lower(), "grid": node.grid,
        "immediates": list(node.imm), "names": names, "line": line, "column": column,
    }  # fmt: skip


def _edges(program: Program) -> list[dict[str, Any]]:
    """Give one edge for each argument, with the argument's name in the op table."""
    found = []
    for index, node in enumerate(program.nodes):
        rows = OPS[node.op].args
        for place, arg in enumerate(node.args):
            found.append({"from": arg, "to": index, "argument": rows[min(place, len(rows) - 1)].name})
    return found
