"""Arithmetic, comparison and logic on compile-time values."""

from mysingle.dsl.ir.kinds import NUMERIC, Kind, Phase
from mysingle.dsl.ir.ops import MIRRORED, OPS
from mysingle.dsl.lang.check import as_bool, as_node, as_number, describe, truth
from mysingle.dsl.lang.context import Context
from mysingle.dsl.lang.source import Span
from mysingle.dsl.lang.values import BarVariable, DictValue, Fill, ListValue, Ref, Value
from mysingle.dsl.limits import LIMITS

__all__ = ["arithmetic", "both", "compare", "logical", "negate"]


def arithmetic(ctx: Context, op: str, left: Value, right: Value, span: Span) -> Value:
    """Return `left op right`; `and`, `or`, `xor` are the element-wise logic of `& | ^`."""
    if not (isinstance(left, Ref) and isinstance(right, Ref)):
        special = _lists(ctx, op, left, right, span) or _bar_index(ctx, op, left, right, span)
        if special is not None:
            return special
    if op in {"and", "or", "xor"}:
        return Ref(ctx.emit(span, op, as_bool(ctx, left, span), as_bool(ctx, right, span)))
    times = _times(ctx, left, right, span) if op == "sub" else None
    if times is not None:
        return times
    first, second = as_number(ctx, left, span), as_number(ctx, right, span)
    if op == "pow":
        _check_power(ctx, first, second, span)
    return Ref(ctx.emit(span, op, first, second))


def _check_power(ctx: Context, base: int, exponent: int, span: Span) -> None:
    if not (ctx.is_const(base) and ctx.is_const(exponent)):
        return
    for name, node, limit in (
        ("base of a constant power", base, LIMITS.power_base),
        ("constant exponent", exponent, LIMITS.power_exponent),
    ):
        value = ctx.value_of(node)
        if isinstance(value, int | float) and abs(value) > limit:
            raise ctx.refuse("limit", span, limit=name, value=limit, actual=value)


def _lists(ctx: Context, op: str, left: Value, right: Value, span: Span) -> Value | None:
    if isinstance(right, ListValue) and not isinstance(left, ListValue):
        left, right = right, left
    if not isinstance(left, ListValue):
        return None
    if op == "add" and isinstance(right, ListValue):
        return _limited(ctx, left.items + right.items, left, span)
    if op != "mul" or not isinstance(right, Ref):
        raise ctx.refuse("wanted", span, wanted="a number or series", found="a list", hint="")
    if ctx.builder.nodes[right.node].op == "n_bars" and len(left.items) == 1:
        return Fill(left.items[0])
    times = ctx.value_of(right)
    if not isinstance(times, int) or isinstance(times, bool):
        raise ctx.refuse("list_repeat", span)
    if len(left.items) * times > LIMITS.list_elements:
        raise ctx.refuse("limit", span, limit="list elements", value=LIMITS.list_elements,
                         actual=len(left.items) * times)  # fmt: skip
    return _limited(ctx, left.items * max(times, 0), left, span)


def _limited(ctx: Context, items: tuple[Value, ...], like: ListValue, span: Span) -> ListValue:
    if len(items) > LIMITS.list_elements:
        raise ctx.refuse("limit", span, limit="list elements", value=LIMITS.list_elements, actual=len(items))
    return ListValue(items, like.is_tuple)


def _bar_index(ctx: Context, op: str, left: Value, right: Value, span: Span) -> Value | None:
    """Keep `i - k` a position; anything else makes the bar index a number."""
    if not isinstance(left, BarVariable) or op not in {"add", "sub"}:
        return None
    value = ctx.value_of(right)
    if isinstance(value, int) and not isinstance(value, bool):
        back = left.back + (value if op == "sub" else -value)
        if back > LIMITS.window:
            raise ctx.refuse("limit", span, limit="history", value=LIMITS.window, actual=back)
        return BarVariable(back)
    return None


def _times(ctx: Context, left: Value, right: Value, span: Span) -> Value | None:
    kinds = [ctx.type(item.node).kind for item in (left, right) if isinstance(item, Ref)]
    if kinds != [Kind.TIME, Kind.TIME]:
        return None
    return Ref(ctx.emit(span, "time_diff", as_node(ctx, left, span), as_node(ctx, right, span)))


def negate(ctx: Context, op: str, value: Value, span: Span) -> Value:
    """Return `-x`, `+x`, `~x` or `not x`."""
    if op == "pos":
        return Ref(as_number(ctx, value, span))
    if op == "neg":
        return Ref(ctx.emit(span, "neg", as_number(ctx, value, span)))
    return Ref(ctx.emit(span, "not", as_bool(ctx, value, span)))


def both(ctx: Context, left: int, right: int, span: Span) -> int:
    """Return the conjunction of two bool nodes."""
    return ctx.emit(span, "and", left, right)


def logical(ctx: Context, op: str, left: Value, right: Value, span: Span) -> Value:
    """Return `left and right` or `left or right`: logic on series, Python's value semantics on scalars."""
    if ctx.is_series(left) or ctx.is_series(right) or isinstance(left, Fill) or isinstance(right, Fill):
        return Ref(ctx.emit(span, op, as_bool(ctx, left, span), as_bool(ctx, right, span)))
    known = truth(ctx, left)
    if known is not None:
        return right if known is (op == "and") else left
    first, second = as_node(ctx, left, span), as_node(ctx, right, span)
    if ctx.type(first).kind is Kind.BOOL and ctx.type(second).kind is Kind.BOOL:
        return Ref(ctx.emit(span, op, first, second))
    if max(ctx.type(first).phase, ctx.type(second).phase) is Phase.RUN:
        chosen = (second, first) if op == "and" else (first, second)
        return Ref(ctx.choose(span, as_bool(ctx, left, span), *chosen))
    second = _same_family(ctx, first, second, span)
    return Ref(ctx.emit(span, "and_then" if op == "and" else "or_else", first, second))


def _same_family(ctx: Context, first: int, second: int, span: Span) -> int:
    """Give a parameter that nobody typed the kind of its fallback."""
    kinds = ctx.type(first).kind, ctx.type(second).kind
    if kinds[0] is Kind.FLOAT and kinds[1] is Kind.BOOL:
        return ctx.emit(span, "to_float", second)
    if kinds[1] is Kind.NONE:
        return ctx.na()
    return second


def compare(ctx: Context, op: str, left: Value, right: Value, span: Span) -> int:
    """Return one comparison as a bool node."""
    if op in {"is", "is_not"}:
        return _identity(ctx, op, left, right, span)
    if op in {"in", "not_in"}:
        return _member(ctx, op, left, right, span)
    first, second = as_node(ctx, left, span), as_node(ctx, right, span)
    kinds = {ctx.type(first).kind, ctx.type(second).kind}
    if kinds <= NUMERIC:
        return _numbers(ctx, op, first, second, span)
    if Kind.STR in kinds:
        return _texts(ctx, op, first, second, span)
    if op in {"eq", "ne"} and kinds == {Kind.BOOL}:
        differs = ctx.emit(span, "xor", first, second)
        return differs if op == "ne" else ctx.emit(span, "not", differs)
    if Kind.NONE in kinds:
        raise ctx.refuse("compare_none", span)
    if Kind.TIME in kinds:
        return ctx.emit(span, f"{op}_exact", first, second)
    return _numbers(ctx, op, as_number(ctx, left, span), as_number(ctx, right, span), span)


def _numbers(ctx: Context, op: str, left: int, right: int, span: Span) -> int:
    """Compare; a difference against zero becomes a comparison of its parts, which the tolerance needs."""
    pair = _difference(ctx, left, span) if _is_zero(ctx, right) else None
    if pair is None and _is_zero(ctx, left):
        pair = _difference(ctx, right, span)
        op = MIRRORED[op] if pair else op
    left, right = pair or (left, right)
    return ctx.emit(span, op, left, right)


def _is_zero(ctx: Context, node: int) -> bool:
    value = ctx.value_of(node)
    return isinstance(value, int | float) and not isinstance(value, bool) and value == 0


def _difference(ctx: Context, node: int, span: Span) -> tuple[int, int] | None:
    found = ctx.builder.nodes[node]
    if found.phase is not Phase.SERIES:
        return None
    if found.op == "sub":
        return found.args[0], found.args[1]
    if found.op != "get":
        return None
    record = found.args[0]
    op = OPS[ctx.builder.nodes[record].op]
    parts = op.outputs[int(found.imm[0] or 0)].difference_of
    if parts is None:
        return None
    first, second = (ctx.output(span, record, op.output_index(name)) for name in parts)
    return first, second


def _texts(ctx: Context, op: str, left: int, right: int, span: Span) -> int:
    left, right = _as_text_parameter(ctx, left), _as_text_parameter(ctx, right)
    if op not in {"eq", "ne"} or ctx.type(left).kind is not ctx.type(right).kind:
        other = left if ctx.type(left).kind is not Kind.STR else right
        raise ctx.refuse("compare_text", span, found=describe(ctx, Ref(other)))
    same = ctx.emit(span, "str_eq", left, right)
    return same if op == "eq" else ctx.emit(span, "not", same)


def _as_text_parameter(ctx: Context, node: int) -> int:
    """Make a text of a parameter that nobody declared and that is compared with one."""
    found = ctx.builder.nodes[node]
    if found.op != "param" or found.kind is Kind.STR:
        return node
    spec = ctx.params.specs[str(found.imm[0])]
    if not (spec.implicit or (spec.default is None and (spec.required or spec.nullable))):
        return node
    ctx.params.retype(spec.name, Kind.STR)
    return ctx.parameter(spec.name)


def _identity(ctx: Context, op: str, left: Value, right: Value, span: Span) -> int:
    nones = [isinstance(item, Ref) and ctx.type(item.node).kind is Kind.NONE for item in (left, right)]
    if not any(nones):
        raise ctx.refuse("is_none_only", span)
    value = right if nones[0] else left
    if all(nones):
        found = ctx.const(True)
    elif not isinstance(value, Ref):
        found = ctx.const(False)
    elif ctx.type(value.node).phase is Phase.SERIES:
        is_number = ctx.type(value.node).kind is Kind.FLOAT
        found = ctx.emit(span, "isna", value.node) if ctx.states and is_number else ctx.const(False)
    elif ctx.type(value.node).phase is Phase.PARAM:
        found = ctx.emit(span, "is_none", value.node)
    else:
        found = ctx.const(False)
    return found if op == "is" else ctx.emit(span, "not", found)


def _member(ctx: Context, op: str, left: Value, right: Value, span: Span) -> int:
    if isinstance(right, DictValue):
        items: tuple[Value, ...] = tuple(Ref(ctx.const(key)) for key in right.entries)
    elif isinstance(right, ListValue):
        items = right.items
    else:
        raise ctx.refuse("in_constants", span)
    found = ctx.const(False)
    for item in items:
        if not ctx.is_const(item):
            raise ctx.refuse("in_constants", span)
        if _comparable(ctx, left, item):
            found = ctx.emit(span, "or", found, compare(ctx, "eq", left, item, span))
    return found if op == "in" else ctx.emit(span, "not", found)


def _comparable(ctx: Context, left: Value, item: Value) -> bool:
    """Leave out members of another kind: they are never equal."""
    if not isinstance(left, Ref) or not isinstance(item, Ref):
        return True
    kinds = {ctx.type(left.node).kind is Kind.STR, ctx.type(item.node).kind is Kind.STR}
    return len(kinds) == 1 or ctx.builder.nodes[left.node].op == "param"
