"""Build a program node by node: hash-consed, folded where everything is constant, with the exact simplifications."""

from collections.abc import Callable
from typing import Final

from mysingle.dsl.ir.kinds import Const, Kind, Phase, Type
from mysingle.dsl.ir.program import Node
from mysingle.dsl.ir.scalars import SCALARS
from mysingle.dsl.ir.typing import constant_kind, infer_by_name
from mysingle.dsl.limits import LIMITS

__all__ = ["Builder", "TooManyNodesError"]

_CONST: Final = Phase.CONST  # asking the enumeration costs more than comparing


class TooManyNodesError(ValueError):
    """The program has more nodes than `LIMITS.nodes`."""


class Builder:
    """A growing list of nodes; equal nodes are one node."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.types: list[Type] = []
        self.locs: list[tuple[int, int]] = []
        self.place = (0, 0)
        self._known: dict[object, int] = {}

    def type_of(self, index: int) -> Type:
        """Return the type of a node."""
        return self.types[index]

    def constant(self, index: int) -> Const:
        """Return the value of a constant node; None when it is not one, or na."""
        node = self.nodes[index]
        return node.imm[0] if node.op == "const" else None

    def is_constant(self, index: int) -> bool:
        """Say whether the node is a constant."""
        return self.nodes[index].op == "const"

    def const(self, value: Const, kind: Kind | None = None) -> int:
        """Return the node of a constant; None of kind FLOAT is na."""
        found = kind or constant_kind(value)
        # 1, 1.0 and True are equal in Python, and so are 0.0 and -0.0
        key = (value, found, str(value) if isinstance(value, float) else type(value))
        known = self._known.get(key)
        if known is not None:
            return known
        return self._add(key, Node("const", found, _CONST, 0, (), (value,)), Type(found, _CONST))

    def emit(self, name: str, *args: int, imm: tuple[Const, ...] = (), declared: Type | None = None) -> int:
        """
        Return the node of `name(args)`, which may be an older or a simpler one.

        Raises:
            ReadTypeError: the op does not take these arguments.
            TooManyNodesError: the program is too large.
        """
        types = self.types
        found = infer_by_name(name, tuple([types[arg] for arg in args]), declared)
        if args:
            if found.phase is _CONST and name in SCALARS:
                return self._folded(SCALARS[name](*(self.constant(arg) for arg in args)), found.kind)
            rule = _RULES.get(name)
            simple = rule(self, args) if rule else None
            if simple is not None:
                return simple
        node = Node(name, found.kind, found.phase, found.grid, args, imm)
        known = self._known.get(node)
        return self._add(node, node, found) if known is None else known

    def _folded(self, value: Const, kind: Kind) -> int:
        """Return a computed constant; whole numbers beyond 2^53 have become floats, or na."""
        if kind is Kind.FLOAT and isinstance(value, int):
            return self.const(float(value), kind)
        if kind is Kind.INT and not isinstance(value, int):
            return self.const(value, Kind.FLOAT)
        return self.const(value, kind)

    def _add(self, key: object, node: Node, found: Type) -> int:
        index = len(self.nodes)
        if index >= LIMITS.nodes:
            raise TooManyNodesError
        self.nodes.append(node)
        self.types.append(found)
        self.locs.append(self.place)
        self._known[key] = index
        return index


def _select(builder: Builder, args: tuple[int, ...]) -> int | None:
    cond, left, right = args
    if left == right:
        return left
    if builder.is_constant(cond):
        chosen = left if builder.constant(cond) else right
        return chosen if builder.type_of(left).kind is builder.type_of(right).kind else None
    return None


def _logic(neutral: bool) -> Callable[[Builder, tuple[int, ...]], int | None]:
    def rule(builder: Builder, args: tuple[int, ...]) -> int | None:
        left, right = args
        if left == right:
            return left
        for this, other in ((left, right), (right, left)):
            if builder.is_constant(this) and bool(builder.constant(this)) is neutral:
                return other
        return None

    return rule


def _not(builder: Builder, args: tuple[int, ...]) -> int | None:
    inner = builder.nodes[args[0]]
    return inner.args[0] if inner.op == "not" else None


def _shift(builder: Builder, args: tuple[int, ...]) -> int | None:
    return args[0] if builder.is_constant(args[1]) and builder.constant(args[1]) == 0 else None


_RULES = {
    "select": _select, "where": _select, "and": _logic(True), "or": _logic(False), "not": _not, "shift": _shift,
}  # fmt: skip
