"""Passes over a whole program; each leaves every value as it was, bit for bit."""

from dataclasses import replace

from mysingle.dsl.ir.program import Alert, Guard, Named, Node, Order, Output, Plot, Program, State

__all__ = ["prune"]


def prune(program: Program) -> Program:
    """Return the program without nodes, states, parameters and columns that nothing seen outside needs."""
    live = _live_states(program) if program.states else []
    roots = set(program.roots())
    if len(live) < len(program.states):
        roots = set(replace(program, states=tuple(program.states[i] for i in live)).roots())
    kept = sorted(_reachable(program, roots))
    new = {old: index for index, old in enumerate(kept)}
    state_of = {old: index for index, old in enumerate(live)}
    all_nodes = program.nodes
    nodes = tuple([
        _moved(node, new, state_of) if (node := all_nodes[i]).args or node.op == "state" else node for i in kept
    ])  # fmt: skip
    used = {str(node.imm[0]) for node in nodes if node.op == "param"}
    columns = {str(node.imm[0 if node.op == "col" else 1]) for node in nodes if node.op in {"col", "tf_col"}}
    return replace(
        program,
        nodes=nodes,
        locs=tuple([program.locs[i] for i in kept]),
        params=tuple(spec for spec in program.params if spec.name in used or not (spec.implicit or spec.required)),
        columns=tuple(sorted(columns)),
        states=tuple(_moved_state(program.states[i], new) for i in live),
        outputs=tuple(Output(item.name, new[item.node]) for item in program.outputs),
        guards=tuple(Guard(new[item.mask], *item[1:]) for item in program.guards),
        orders=tuple(_moved_order(item, new) for item in program.orders),
        plots=tuple(_moved_plot(item, new) for item in program.plots),
        alerts=tuple(Alert(new[item.mask], *item[1:]) for item in program.alerts),
        names=tuple([Named(item.name, new[item.node], item.line) for item in program.names if item.node in new]),
    )


def _live_states(program: Program) -> list[int]:
    """Return the states that something outside depends on, directly or through other states."""
    wanted = _reachable(program, set(replace(program, states=()).roots()))
    live: set[int] = set()
    while True:
        found = {int(program.nodes[i].imm[0] or 0) for i in wanted if program.nodes[i].op == "state"}
        if found == live:
            return sorted(live)
        live = found
        ends = {i for number in live for i in (program.states[number].init, program.states[number].update)}
        wanted = _reachable(program, wanted | ends)


def _reachable(program: Program, roots: set[int]) -> set[int]:
    found = set(roots)
    for index in range(len(program.nodes) - 1, -1, -1):
        if index in found:
            found.update(program.nodes[index].args)
    return found


def _moved(node: Node, new: dict[int, int], state_of: dict[int, int]) -> Node:
    op, kind, phase, grid, args, imm = node
    if op == "state":
        return Node(op, kind, phase, grid, args, (state_of[int(imm[0] or 0)],))
    return Node(op, kind, phase, grid, tuple([new[arg] for arg in args]), imm)


def _moved_state(state: State, new: dict[int, int]) -> State:
    return state._replace(init=new[state.init], update=new[state.update])


def _moved_order(order: Order, new: dict[int, int]) -> Order:
    return order._replace(**{
        name: new.get(value, -1)
        for name, value in zip(("mask", "qty", "limit", "stop", "qty_percent"),
                               (order.mask, order.qty, order.limit, order.stop, order.qty_percent), strict=True)
    })  # type: ignore[arg-type]  # fmt: skip  # all five are indices


def _moved_plot(plot: Plot, new: dict[int, int]) -> Plot:
    return plot._replace(node=new[plot.node], mask=new.get(plot.mask, -1))
