"""Chains of `and` or `or`, combined so that operands that change together come together; exact for booleans."""

from collections.abc import Sequence
from dataclasses import replace

from mysingle.dsl.ir.kinds import Phase
from mysingle.dsl.ir.program import Node, Program

__all__ = ["regroup"]


def regroup(program: Program, depends: Sequence[frozenset[str]]) -> Program:
    """Give an equal program whose chains combine the operands that depend on few parameters first."""
    builder = _Regrouping(program, depends)
    for index in range(len(program.nodes)):
        builder.add(index)
    outputs = tuple(output._replace(node=builder.moved[output.node]) for output in program.outputs)
    # Only outputs are swept; everything else would need the same renaming.
    return replace(
        program, nodes=tuple(builder.nodes), locs=tuple(builder.locs), outputs=outputs, guards=(), orders=(), plots=(),
        alerts=(), names=(), states=(),
    )  # fmt: skip


class _Regrouping:
    def __init__(self, program: Program, depends: Sequence[frozenset[str]]) -> None:
        self._program, self._depends = program, depends
        self.nodes: list[Node] = []
        self.locs: list[tuple[int, int]] = []
        self.moved: dict[int, int] = {}
        self._inner = self._links()

    def _links(self) -> set[int]:
        """Nodes that only ever serve a longer chain of the same kind are never needed for themselves."""
        nodes = self._program.nodes
        users: dict[int, list[int]] = {}
        for index, node in enumerate(nodes):
            for arg in node.args:
                users.setdefault(arg, []).append(index)
        outputs = {output.node for output in self._program.outputs}
        return {
            index
            for index, node in enumerate(nodes)
            if _is_link(node) and index not in outputs and len(users.get(index, [])) == 1
            and _is_link(nodes[users[index][0]]) and nodes[users[index][0]].op == node.op
        }  # fmt: skip

    def add(self, index: int) -> None:
        """Copy a node, or a whole chain when this is its end."""
        node = self._program.nodes[index]
        if index in self._inner:
            return
        if not _is_link(node):
            self._emit(index, node._replace(args=tuple(self.moved[arg] for arg in node.args)))
            return
        self._chain(index, node)

    def _chain(self, index: int, node: Node) -> None:
        groups: dict[frozenset[str], list[int]] = {}
        for operand in self._operands(index):
            groups.setdefault(self._depends[operand], []).append(self.moved[operand])
        parts = [self._fold(index, node, groups[names]) for names in sorted(groups, key=len)]
        self.moved[index] = self._fold(index, node, parts)

    def _operands(self, index: int) -> list[int]:
        found: list[int] = []
        stack = [*reversed(self._program.nodes[index].args)]
        while stack:
            arg = stack.pop()
            if arg in self._inner and self._program.nodes[arg].op == self._program.nodes[index].op:
                stack += reversed(self._program.nodes[arg].args)
            else:
                found.append(arg)
        return found

    def _fold(self, index: int, node: Node, operands: Sequence[int]) -> int:
        total = operands[0]
        for operand in operands[1:]:
            self.nodes.append(node._replace(args=(total, operand)))
            self.locs.append(self._program.locs[index])
            total = len(self.nodes) - 1
        return total

    def _emit(self, index: int, node: Node) -> None:
        self.nodes.append(node)
        self.locs.append(self._program.locs[index])
        self.moved[index] = len(self.nodes) - 1


def _is_link(node: Node) -> bool:
    return node.op in ("and", "or") and node.phase is Phase.SERIES
