"""`for i in range(len(data))`: which loops go over bars, and what they assign."""

from collections.abc import Iterable
from typing import NamedTuple

from mysingle.dsl.lang import nodes as n
from mysingle.dsl.lang.context import Context
from mysingle.dsl.lang.expressions import evaluate
from mysingle.dsl.limits import LIMITS

__all__ = ["Assigned", "BarRange", "assigned_names", "bar_range"]


class BarRange(NamedTuple):
    """A loop over bars from a first bar on."""

    start: int


class Assigned(NamedTuple):
    """What a loop assigns: names, and elements of series."""

    plain: frozenset[str]
    elements: frozenset[str]


def bar_range(ctx: Context, node: n.For) -> BarRange | None:
    """Return the bars of `range([start,] len(data))`, None when the loop is over constants."""
    call = node.values
    if not isinstance(call, n.Call) or not isinstance(call.function, n.Name) or call.function.id != "range":
        return None
    if "range" in ctx.scope or not call.args or not _mentions_length(call.args):
        return None
    if len(call.args) > 2 or not _is_length(call.args[-1]):
        raise ctx.refuse("bar_range", call.span)
    if len(call.args) == 1:
        return BarRange(0)
    start = ctx.value_of(evaluate(ctx, call.args[0]))
    if not isinstance(start, int) or isinstance(start, bool) or not 0 <= start <= LIMITS.window:
        raise ctx.refuse("bar_range", call.span)
    return BarRange(start)


def _is_length(node: n.Expr) -> bool:
    return (
        isinstance(node, n.Call)
        and isinstance(node.function, n.Name)
        and node.function.id == "len"
        and len(node.args) == 1
        and not isinstance(node.args[0], n.Sequence | n.Mapping | n.Literal)
    )


def _mentions_length(args: Iterable[n.Expr]) -> bool:
    for item in args:
        if _is_length(item):
            of = item.args[0] if isinstance(item, n.Call) else item
            return not isinstance(of, n.Sequence)
        if isinstance(item, n.Binary) and _mentions_length((item.left, item.right)):
            return True
    return False


def assigned_names(body: Iterable[n.Stmt]) -> Assigned:
    """Return what statements assign, nested ones included."""
    plain: set[str] = set()
    elements: set[str] = set()
    for statement in body:
        if isinstance(statement, n.Assign | n.Augmented):
            target = statement.target
            for item in target.items if isinstance(target, n.Targets) else (target,):
                (elements if isinstance(item, n.Element) else plain).add(_target_name(item))
        elif isinstance(statement, n.If | n.For):
            inner = assigned_names([*statement.body, *(statement.orelse if isinstance(statement, n.If) else ())])
            plain |= inner.plain
            elements |= inner.elements
    return Assigned(frozenset(plain) - {""}, frozenset(elements))


def _target_name(item: n.Target) -> str:
    return "" if isinstance(item, n.Column) else item.id if isinstance(item, n.Name) else item.name
