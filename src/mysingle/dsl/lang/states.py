"""State variables: what is carried from one bar to the next."""

from mysingle.dsl.ir.kinds import Kind, Phase, Type
from mysingle.dsl.lang.check import as_node
from mysingle.dsl.lang.context import Context, StateDraft
from mysingle.dsl.lang.source import Span
from mysingle.dsl.lang.values import CallSite, Ref, Value
from mysingle.dsl.limits import LIMITS

__all__ = ["finish_state", "new_state", "older_leaf", "read_store"]


def new_state(ctx: Context, name: str, init: int, span: Span, title: str = "") -> int:
    """Add a state variable and return its number; its update is not known yet."""
    if len(ctx.states) >= LIMITS.states:
        raise ctx.refuse("limit", span, limit="state variables", value=LIMITS.states, actual=len(ctx.states) + 1)
    found = ctx.type(init)
    kinds = {Kind.INT: Kind.FLOAT, Kind.NONE: Kind.FLOAT, Kind.FLOAT: Kind.FLOAT, Kind.BOOL: Kind.BOOL}
    if found.kind not in kinds:
        raise ctx.refuse("state_kind", span, name=name, found=found.kind.value)
    kind = kinds[found.kind]
    init = ctx.na() if found.kind is Kind.NONE else ctx.on_base(init)
    number = len(ctx.states)
    leaf = ctx.emit(span, "state", imm=(number,), declared=Type(kind, Phase.SERIES))
    ctx.states.append(StateDraft(name, kind, init, leaf, leaf, title))
    return number


def finish_state(ctx: Context, number: int, value: Value, span: Span) -> None:
    """Say what the variable is at the end of a bar."""
    draft = ctx.states[number]
    node = ctx.on_base(as_node(ctx, value, span))
    kind = ctx.type(node).kind
    if kind is Kind.NONE:
        node = ctx.na()
    elif (kind is Kind.BOOL) != (draft.kind is Kind.BOOL) or kind not in {Kind.FLOAT, Kind.INT, Kind.BOOL}:
        raise ctx.refuse("state_kind", span, name=draft.name, found=kind.value)
    if ctx.type(node).phase < Phase.SERIES:
        node = ctx.emit(span, "broadcast", node)
    draft.update = node


def older_leaf(ctx: Context, number: int, back: int) -> int:
    """Return the node of the value `back` bars ago: each bar further is a state that remembers the one before."""
    draft = ctx.states[number]
    leaves = [draft.leaf, *draft.older]
    while len(leaves) < back:
        empty = ctx.const(False) if draft.kind is Kind.BOOL else ctx.na()
        older = new_state(ctx, f"{draft.name}[{len(leaves)}]", empty, Span(0, 0, 0, 0))
        ctx.states[older].update = leaves[-1]
        leaves.append(ctx.states[older].leaf)
    draft.older = leaves[1:]
    return leaves[back - 1]


def read_store(ctx: Context, site: CallSite) -> Value:
    """`var("name")`: the variable that was declared under that name."""
    name = ctx.value_of(site.args[0]) if site.args else None
    for target, number in ctx.state_of.items():
        if ctx.states[number].name == name:
            return ctx.scope.get(target) or ctx.module.get(target) or Ref(ctx.states[number].leaf)
    raise ctx.refuse("var_unknown", site.span, name=name)
