"""What a variable is after an `if`: the value of the branch that was taken; and which blocks return."""

from typing import Any, Final

from mysingle.dsl.ir.kinds import Kind
from mysingle.dsl.lang import nodes as n
from mysingle.dsl.lang.check import as_node, describe
from mysingle.dsl.lang.context import Context
from mysingle.dsl.lang.diagnostics import Refusal
from mysingle.dsl.lang.source import Span
from mysingle.dsl.lang.values import (
    DictValue,
    Frame,
    ListValue,
    Record,
    Ref,
    Value,
)

__all__ = ["RETURNED", "always_returns", "has_return", "merged", "returns"]

RETURNED: Final = "return"
"""Where a function keeps its value; no name of a source is a keyword."""


def merged(
    ctx: Context, span: Span, cond: int, before: dict[str, Value], left: dict[str, Value], right: dict[str, Value]
) -> dict[str, Value]:
    """Return the scope after both branches: each variable that they bind differently is chosen by the condition."""
    found = dict(before)
    for name in {**left, **right}:
        ours, theirs = left.get(name), right.get(name)
        if ours is theirs or (ours == theirs):
            found[name] = ours if ours is not None else Ref(ctx.na())
            continue
        try:
            found[name] = _merge(ctx, span, cond, name, ours, theirs)
        except Refusal:
            found[name] = Ref(ctx.na())
    return found


def _merge(ctx: Context, span: Span, cond: int, name: str, ours: Value | None, theirs: Value | None) -> Value:
    ctx.spend(1, span)
    if ours is None or theirs is None:
        given = ours or theirs
        assert given is not None
        outer = ctx.module.get(name)
        empty = outer if outer is not None and name != RETURNED else Ref(_empty(ctx, given, span, name))
        ours, theirs = ours or empty, theirs or empty
    for kind in (Record, DictValue, Frame, ListValue):
        if isinstance(ours, kind) and isinstance(theirs, kind):
            return _merge_fields(ctx, span, cond, name, ours, theirs)
    if not isinstance(ours, Ref) and not isinstance(theirs, Ref) and type(ours) is not type(theirs):
        raise ctx.refuse("branch_kinds", span, left=describe(ctx, ours), right=describe(ctx, theirs))
    return Ref(ctx.choose(span, cond, as_node(ctx, ours, span), as_node(ctx, theirs, span)))


def _empty(ctx: Context, given: Value, span: Span, name: str) -> int:
    """Return na or False for a variable that one path does not assign."""
    node = as_node(ctx, given, span)
    kind = ctx.type(node).kind
    if kind not in {Kind.FLOAT, Kind.INT, Kind.BOOL, Kind.NONE}:
        raise ctx.refuse("one_path", span, name=name, found=kind.value)
    ctx.warn("one_path_warning", span, name=name, empty="False" if kind is Kind.BOOL else "na")
    return ctx.const(False) if kind is Kind.BOOL else ctx.na()


def _merge_fields(ctx: Context, span: Span, cond: int, name: str, ours: Value, theirs: Value) -> Value:
    left, right = _parts(ours), _parts(theirs)
    if left.keys() != right.keys():
        raise ctx.refuse("branch_fields", span, name=name)
    merged = {key: _merge(ctx, span, cond, name, left[key], right[key]) for key in left}
    if isinstance(ours, ListValue):
        return ListValue(tuple(merged.values()), ours.is_tuple)
    return DictValue(merged) if isinstance(ours, DictValue) else type(ours)(merged)  # type: ignore[arg-type,call-arg]  # Record or Frame


def _parts(value: Value) -> dict[Any, Value]:
    if isinstance(value, ListValue):
        return dict(enumerate(value.items))
    if isinstance(value, DictValue):
        return dict(value.entries)
    assert isinstance(value, Record | Frame)
    return dict(value.fields)


def returns(body: tuple[n.Stmt, ...]) -> bool:
    """Say whether a block returns somewhere; what a loop returns would be that of its last round."""
    for item in body:
        inner = (*item.body, *item.orelse) if isinstance(item, n.If) else item.body if isinstance(item, n.For) else ()
        if isinstance(item, n.Return) or returns(inner):
            return True
    return False


def has_return(node: n.If) -> bool:
    """Say whether a branch returns."""
    return any(
        isinstance(item, n.Return) or (isinstance(item, n.If) and has_return(item))
        for item in (*node.body, *node.orelse)
    )


def always_returns(body: tuple[n.Stmt, ...]) -> bool:
    """Say whether a block ends in a return on every path."""
    last = body[-1] if body else None
    if isinstance(last, n.If):
        return always_returns(last.body) and always_returns(last.orelse)
    return isinstance(last, n.Return)
