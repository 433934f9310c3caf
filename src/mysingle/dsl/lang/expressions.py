"""The value of an expression: one visit per node, each visit counted."""

from collections.abc import Callable
from typing import Any, Final

from mysingle.dsl.ir.kinds import Kind, Phase
from mysingle.dsl.lang import nodes as n
from mysingle.dsl.lang.calls import dispatch
from mysingle.dsl.lang.check import as_bool, as_node, column_name, describe
from mysingle.dsl.lang.context import Context
from mysingle.dsl.lang.diagnostics import Refusal
from mysingle.dsl.lang.library import Maker
from mysingle.dsl.lang.methods import SERIES_METHODS
from mysingle.dsl.lang.operators import arithmetic, compare, logical, negate
from mysingle.dsl.lang.resolve import data_column, refuse_unknown_owner, resolve_attribute, resolve_name, series_of
from mysingle.dsl.lang.source import Span
from mysingle.dsl.lang.states import older_leaf
from mysingle.dsl.lang.tables import OHLCV
from mysingle.dsl.lang.values import (
    BarVariable,
    Builtin,
    CallSite,
    DictValue,
    Frame,
    ListValue,
    Located,
    Namespace,
    Record,
    Ref,
    Timeframe,
    UserFunction,
    Value,
    count_members,
)
from mysingle.dsl.limits import LIMITS

__all__ = ["evaluate", "iterate"]

_OLDEST_STATE: Final = 16
_MEMBER_COST: Final = 3


def evaluate(ctx: Context, node: n.Expr) -> Value:
    """Return the value of an expression."""
    ctx.fuel -= 1
    if ctx.fuel < 0:
        ctx.spend(0, node.span)
    found = _RULES[type(node)](ctx, node)
    if type(found) in _COLLECTIONS and type(node) in _BUILDING:
        _weigh(ctx, found, node.span)
    return found


_COLLECTIONS: Final = frozenset({ListValue, DictValue})
_BUILDING: Final = frozenset({n.Sequence, n.Mapping, n.Comprehension, n.Binary, n.Call})
"""The expressions that make a collection, others only name one."""


def _weigh(ctx: Context, value: Value, span: Span) -> None:
    """Limit what nested lists hold in all, and charge for it: they are short to write."""
    count = count_members(value, LIMITS.members)
    if count > LIMITS.members:
        ctx.exhaust("members of nested lists", LIMITS.members, count, span)
    ctx.spend(_MEMBER_COST * count, span)


def _literal(ctx: Context, node: n.Literal) -> Value:
    return Ref(ctx.const(node.value))


def _name(ctx: Context, node: n.Name) -> Value:
    return resolve_name(ctx, node.id, node.span)


def _binary(ctx: Context, node: n.Binary) -> Value:
    left = evaluate(ctx, node.left)
    return arithmetic(ctx, node.op, left, evaluate(ctx, node.right), node.span)


def _unary(ctx: Context, node: n.Unary) -> Value:
    return negate(ctx, node.op, evaluate(ctx, node.operand), node.span)


def _logical(ctx: Context, node: n.Logical) -> Value:
    found = evaluate(ctx, node.values[0])
    for item in node.values[1:]:
        found = logical(ctx, node.op, found, evaluate(ctx, item), node.span)
    return found


def _chain(ctx: Context, node: n.Chain) -> Value:
    left = evaluate(ctx, node.left)
    found: int | None = None
    for op, item in zip(node.ops, node.rights, strict=True):
        right = evaluate(ctx, item)
        one = compare(ctx, op, left, right, node.span)
        found = one if found is None else ctx.emit(node.span, "and", found, one)
        left = right
    assert found is not None
    return Ref(found)


def _conditional(ctx: Context, node: n.Conditional) -> Value:
    cond = as_bool(ctx, evaluate(ctx, node.test), node.test.span)
    if ctx.is_const(cond):
        return evaluate(ctx, node.body if ctx.value_of(cond) else node.orelse)
    with ctx.under(node.span, cond):
        body = evaluate(ctx, node.body)
    with ctx.under(node.span, ctx.emit(node.span, "not", cond)):
        orelse = evaluate(ctx, node.orelse)
    left, right = as_node(ctx, body, node.body.span), as_node(ctx, orelse, node.orelse.span)
    return Ref(ctx.choose(node.span, cond, left, right))


def _sequence(ctx: Context, node: n.Sequence) -> Value:
    return ListValue(tuple(evaluate(ctx, item) for item in node.items), node.is_tuple)


def _mapping(ctx: Context, node: n.Mapping) -> Value:
    entries = {}
    for key, value in zip(node.keys, node.values, strict=True):
        found = evaluate(ctx, key)
        if not ctx.is_const(found):
            raise ctx.refuse("constant_key", key.span)
        entries[ctx.value_of(found)] = evaluate(ctx, value)
    return DictValue(entries)


def _comprehension(ctx: Context, node: n.Comprehension) -> Value:
    found = []
    before = dict(ctx.scope)
    for item in iterate(ctx, evaluate(ctx, node.values), node.values.span):
        ctx.spend_statement(node.span)
        for name, value in _unpacked(ctx, node.names, item, node.span).items():
            ctx.scope[name] = value
        tests = [evaluate(ctx, condition) for condition in node.conditions]
        if not all(ctx.is_const(test) for test in tests):
            raise ctx.refuse("comprehension_form", node.span)
        if all(ctx.value_of(test) for test in tests):
            found.append(evaluate(ctx, node.element))
    ctx.scope = before
    return ListValue(tuple(found))


def _unpacked(ctx: Context, names: tuple[str, ...], item: Value, span: Span) -> dict[str, Value]:
    if len(names) == 1:
        return {names[0]: item}
    if not isinstance(item, ListValue) or len(item.items) != len(names):
        raise ctx.refuse("unpack", span, count=len(names))
    return dict(zip(names, item.items, strict=True))


def iterate(ctx: Context, value: Value, span: Span) -> tuple[Value, ...]:
    """Return the members of a compile-time collection."""
    if isinstance(value, ListValue):
        items: tuple[Value, ...] = value.items
    elif isinstance(value, DictValue):
        items = tuple(Ref(ctx.const(key)) for key in value.entries)
    else:
        raise ctx.refuse("iterate", span, found=describe(ctx, value))
    if len(items) > LIMITS.unroll:
        raise ctx.refuse("limit", span, limit="iterations of a loop", value=LIMITS.unroll, actual=len(items))
    return items


def _attribute(ctx: Context, node: n.Attribute) -> Value:
    return resolve_attribute(ctx, evaluate(ctx, node.value), node)


# subscripts


def _index(ctx: Context, node: n.Index) -> Value:
    value = evaluate(ctx, node.value)
    index = evaluate(ctx, node.key)
    rule = _ITEMS.get(type(value))
    if rule is None:
        raise ctx.refuse("wanted", node.span, wanted="a series, record or list", found=describe(ctx, value))
    return rule(ctx, value, index, node)


def _entry(ctx: Context, value: DictValue, index: Value, node: n.Index) -> Value:
    key = ctx.value_of(index)
    if not ctx.is_const(index) or key not in value.entries:
        raise ctx.refuse("unknown_key", node.key.span, missing=key, names=", ".join(map(str, value.entries)))
    return value.entries[key]


def _timeframe_item(ctx: Context, value: Timeframe, index: Value, node: n.Index) -> Value:
    name = str(ctx.value_of(index))
    return resolve_attribute(ctx, value, n.Attribute(node.value, name, node.span, node.key.span))


def _namespace_item(ctx: Context, value: Namespace, index: Value, node: n.Index) -> Value:
    key = ctx.value_of(index)
    if not isinstance(key, str):
        example = "params['n']" if value.name == "params" else "data['close']; the bar before it is close[1]"
        raise ctx.refuse("constant_key", node.key.span, hint=f"write {example}")
    if value.name in {"data", "input"}:
        return data_column(ctx, column_name(ctx, key, node.key.span), node.span)
    if value.name == "params":
        if not key:
            raise ctx.refuse("param_name", node.key.span)
        ctx.params.need(key, implicit=False)
        return Ref(ctx.parameter(key))
    raise ctx.refuse("no_subscript", node.span, name=value.name)


def _field(ctx: Context, value: Record | Frame, index: Value, node: n.Index) -> Value:
    key = ctx.value_of(index)
    names = list(value.fields)
    if isinstance(key, int) and not isinstance(key, bool) and -len(names) <= key < len(names):
        return value.fields[names[key]]
    if key not in value.fields:
        raise ctx.refuse("unknown_key", node.key.span, missing=key, names=", ".join(names))
    return value.fields[str(key)]


def _list_item(ctx: Context, value: ListValue, index: Value, node: n.Index) -> Value:
    key = ctx.value_of(index)
    if not isinstance(key, int) or isinstance(key, bool) or not -len(value.items) <= key < len(value.items):
        raise ctx.refuse("list_index", node.key.span, count=len(value.items))
    return value.items[key]


def _history(ctx: Context, value: Ref, index: Value, node: n.Index) -> Value:
    """`x[k]`: the value k bars ago."""
    if ctx.type(value.node).kind is Kind.STR:
        raise ctx.refuse("no_subscript", node.span, name="a text")
    given, value = value, series_of(ctx, value, node.span)
    if isinstance(index, BarVariable):
        return _at_bar(ctx, value, index, node)
    if isinstance(index, Ref) and ctx.type(index.node).kind is Kind.STR:
        refuse_unknown_owner(ctx, given, node.value)
        raise ctx.refuse("no_subscript", node.span, name="a series")
    if ctx.is_series(index):
        raise ctx.refuse("mask_subscript", node.key.span)
    if isinstance(node.value, n.Name) and node.value.id in ctx.state_of:
        return _state_history(ctx, node.value.id, index, node)
    _check_history(ctx, index, node)
    site = CallSite("series.shift", value, (index,), {}, node.span, (node.key.span,), {})
    return SERIES_METHODS["shift"].run(ctx, site, "x[k]")


def _check_history(ctx: Context, index: Value, node: n.Index) -> None:
    """Refuse what is no number of bars in the words of `x[k]`, not of the shift that it becomes."""
    if not ctx.is_const(index):
        return
    back = ctx.value_of(index)
    if isinstance(back, bool) or not isinstance(back, int | float) or back != int(back):
        raise ctx.refuse("history_index", node.key.span, found=back)
    if back < 0:
        raise ctx.refuse("future_history", node.key.span, actual=back)


def _state_history(ctx: Context, name: str, index: Value, node: n.Index) -> Value:
    back = ctx.value_of(index)
    if not isinstance(back, int) or isinstance(back, bool) or back < 0 or back > _OLDEST_STATE:
        raise ctx.refuse("state_history", node.key.span, most=_OLDEST_STATE)
    if back == 0:
        return ctx.scope.get(name) or ctx.module[name]
    return Ref(older_leaf(ctx, ctx.state_of[name], back))


def _located(ctx: Context, value: Located, index: Value, node: n.Index) -> Value:
    if isinstance(index, BarVariable):
        series = value.series
        name = (
            node.value.value.id if isinstance(node.value, n.Attribute) and isinstance(node.value.value, n.Name) else ""
        )
        return _at_bar(ctx, series, index, node, name)
    position = ctx.value_of(index)
    if not isinstance(position, int) or isinstance(position, bool):
        key = "label" if isinstance(position, str) else "position"
        raise ctx.refuse(key, node.key.span, name=value.name)
    series_node = as_node(ctx, value.series, node.span)
    return Ref(ctx.emit(node.span, "at", series_node, ctx.const(position)))


def _at_bar(ctx: Context, value: Value, index: BarVariable, node: n.Index, name: str = "") -> Value:
    if index.back < 0:
        raise ctx.refuse("future_bar", node.key.span, ahead=-index.back)
    if index.back == 0:
        return value
    loop = ctx.loop
    if loop is not None and name in loop.states:
        return Ref(older_leaf(ctx, loop.states[name], index.back))
    series = as_node(ctx, value, node.span)
    if ctx.type(series).phase < Phase.SERIES:
        return value
    return Ref(Maker(ctx, node.span).shift(series, ctx.const(index.back)))


_ITEMS: Final[dict[type, Callable[[Context, Any, Value, n.Index], Value]]] = {
    Namespace: _namespace_item, Record: _field, Frame: _field, ListValue: _list_item, DictValue: _entry,
    Timeframe: _timeframe_item, Located: _located, Ref: _history,
}  # fmt: skip


# calls


def _call(ctx: Context, node: n.Call) -> Value:
    if isinstance(node.function, n.Name) and node.function.id == "input":
        raise ctx.refuse("forbidden_name", node.function.span, name="input", construct="input",
                         hint="declare a parameter: x = param.int(14)")  # fmt: skip
    function = evaluate(ctx, node.function)
    args = tuple(evaluate(ctx, item) for item in node.args)
    keywords: dict[str, Value] = {}
    for key, item, _ in node.keywords:
        if key in keywords:
            name = _called(node.function)
            raise ctx.refuse("argument_twice", item.span, name=name, argument=key)
        keywords[key] = evaluate(ctx, item)
    if isinstance(function, UserFunction):
        assert ctx.inline is not None
        return ctx.inline(ctx, function, args, keywords, node.span)
    if isinstance(function, Namespace) and function.name.startswith("indicator."):
        function = Builtin(function.name)
    if not isinstance(function, Builtin):
        raise _not_callable(ctx, node, function)
    site = CallSite(
        function.key, function.receiver, args, keywords, node.span, tuple(item.span for item in node.args),
        {key: at for key, _, at in node.keywords},
    )  # fmt: skip
    title = node.function.id if isinstance(node.function, n.Name) else ""
    return dispatch(ctx, site, title)


def _called(function: n.Expr) -> str:
    if isinstance(function, n.Name):
        return function.id
    return function.name if isinstance(function, n.Attribute) else "the function"


def _not_callable(ctx: Context, node: n.Call, value: Value) -> Refusal:
    if isinstance(node.function, n.Name):
        name = node.function.id
        if name in OHLCV:
            return ctx.refuse("forbidden_call", node.function.span, name=name, construct=name)
        found = ctx.builder.nodes[value.node] if isinstance(value, Ref) else None
        if found is not None and found.op == "param":
            return ctx.refuse("unknown_function", node.function.span, name=name)
    return ctx.refuse("not_callable", node.span, found=describe(ctx, value))


_RULES: Final[dict[type, Callable[[Context, Any], Value]]] = {
    n.Literal: _literal, n.Name: _name, n.Binary: _binary, n.Unary: _unary, n.Logical: _logical, n.Chain: _chain,
    n.Conditional: _conditional, n.Call: _call, n.Attribute: _attribute, n.Index: _index, n.Sequence: _sequence,
    n.Mapping: _mapping, n.Comprehension: _comprehension,
}  # fmt: skip
