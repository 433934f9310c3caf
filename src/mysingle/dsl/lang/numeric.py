"""What `np`, `pd` and Python's own functions mean: tables of names, never the modules."""

import math
from collections.abc import Callable
from typing import Final, TypeAlias

from mysingle.dsl.ir.kinds import Const, Kind, Phase
from mysingle.dsl.ir.row import parse_args
from mysingle.dsl.ir.typing import constant_kind
from mysingle.dsl.lang.check import as_bool, as_node, as_number, bind, bound, describe
from mysingle.dsl.lang.context import Context
from mysingle.dsl.lang.values import Builtin, CallSite, DictValue, Fill, Frame, ListValue, Namespace, Record, Ref, Value
from mysingle.dsl.limits import LIMITS

__all__ = ["CONSTANTS", "NUMERIC"]

Handler: TypeAlias = Callable[[Context, CallSite], Value]

CONSTANTS: Final[dict[str, Const]] = {"nan": None, "NaN": None, "pi": math.pi, "e": math.e, "NA": None}
_DIGITS: Final = 15
_TYPES: Final = ("int", "float", "bool", "str")


def _point(op: str, signature: str = "x") -> Handler:
    args = parse_args(signature)
    return lambda ctx, call: Ref(ctx.emit(call.span, op, *bind(ctx, call, _title(call), args)))


def _title(call: CallSite) -> str:
    return call.key.replace("builtin.", "")


def _where(ctx: Context, call: CallSite) -> Value:
    return Ref(ctx.choose(call.span, *bind(ctx, call, _title(call), parse_args("condition:b, x:e, y:e"))))


def _select(ctx: Context, call: CallSite) -> Value:
    found = bound(ctx, call, "np.select", parse_args("condlist:e, choicelist:e, default:e=0"))
    conditions, choices = found["condlist"][0], found["choicelist"][0]
    if not isinstance(conditions, ListValue) or not isinstance(choices, ListValue):
        wrong = choices if isinstance(conditions, ListValue) else conditions
        assert wrong is not None
        raise ctx.refuse("wanted", call.span, wanted="two lists", found=describe(ctx, wrong))
    if len(conditions.items) != len(choices.items):
        raise ctx.refuse("unequal_lists", call.span)
    default, place = found["default"]
    result = ctx.const(0.0) if default is None else as_node(ctx, default, place)
    for condition, choice in zip(reversed(conditions.items), reversed(choices.items), strict=True):
        cond = as_bool(ctx, condition, call.span)
        result = ctx.choose(call.span, cond, as_node(ctx, choice, call.span), result)
    return Ref(result)


def _round(ctx: Context, call: CallSite) -> Value:
    number, decimals = bind(ctx, call, _title(call), parse_args("x, decimals:I(-15,15)=None"))
    if ctx.is_const(decimals) and ctx.value_of(decimals) is None:
        decimals = ctx.const(0)
        if ctx.is_const(number) and ctx.type(number).kind is not Kind.INT:
            value = ctx.value_of(number)
            return Ref(ctx.const(round(value)) if isinstance(value, float) else ctx.na())
    return Ref(ctx.emit(call.span, "round", number, decimals))


def _items(ctx: Context, value: Value, call: CallSite) -> tuple[Value, ...]:
    """Return the members of a compile-time collection."""
    if isinstance(value, ListValue):
        return value.items
    if isinstance(value, DictValue):
        return tuple(Ref(ctx.const(key)) for key in value.entries)
    raise ctx.refuse("wanted", call.span, wanted="a list of constants", found=describe(ctx, value))


def _extreme(op: str, reduction: str) -> Handler:
    def run(ctx: Context, call: CallSite) -> Value:
        if call.keywords or not call.args:
            raise ctx.refuse("wanted", call.span, wanted="two or more numbers", found="other arguments")
        items = call.args
        if len(items) == 1:
            if ctx.is_series(items[0]):
                return Ref(ctx.emit(call.span, f"red_{reduction}", as_number(ctx, items[0], call.span)))
            items = _items(ctx, items[0], call)
        if not items:
            raise ctx.refuse("empty_list", call.span)
        found = as_number(ctx, items[0], call.span)
        for item in items[1:]:
            found = ctx.emit(call.span, op, found, as_number(ctx, item, call.span))
        return Ref(found)

    return run


def _sum(ctx: Context, call: CallSite) -> Value:
    value = _one(ctx, call)
    if ctx.is_series(value):
        return Ref(ctx.emit(call.span, "red_sum", as_number(ctx, value, call.span)))
    found = ctx.const(0)
    for item in _items(ctx, value, call):
        found = ctx.emit(call.span, "add", found, as_number(ctx, item, call.span))
    return Ref(found)


def _quantified(op: str) -> Handler:
    def run(ctx: Context, call: CallSite) -> Value:
        value = _one(ctx, call)
        if ctx.is_series(value):
            return Ref(ctx.emit(call.span, f"red_{'any' if op == 'or' else 'all'}", as_bool(ctx, value, call.span)))
        found = ctx.const(op == "and")
        for item in _items(ctx, value, call):
            found = ctx.emit(call.span, op, found, as_bool(ctx, item, call.span))
        return Ref(found)

    return run


def _one(ctx: Context, call: CallSite) -> Value:
    value, _ = bound(ctx, call, _title(call), parse_args("x:e"))["x"]
    assert value is not None
    return value


def _reduce(name: str, extra: str = "") -> Handler:
    """np.mean and its like: folded over constants, look-ahead over a series."""
    args = parse_args("x:e" + extra)

    def run(ctx: Context, call: CallSite) -> Value:
        found = bound(ctx, call, _title(call), args)
        value = found["x"][0]
        if isinstance(value, ListValue):
            numbers = [_constant(ctx, item, call) for item in value.items]
            more = [_constant(ctx, item, call) for item, _ in list(found.values())[1:] if item is not None]
            return Ref(_folded(ctx, name, numbers, more, call))
        series, *rest = bind(ctx, call, _title(call), args)
        if name == "quantile":
            rest = [ctx.emit(call.span, "div", rest[0], ctx.const(100.0))]
        return Ref(ctx.emit(call.span, f"red_{name}", as_number(ctx, Ref(series), call.span), *rest))

    return run


def _constant(ctx: Context, item: Value, call: CallSite) -> float:
    value = ctx.value_of(item)
    if not isinstance(value, int | float):
        raise ctx.refuse("wanted", call.span, wanted="a list of constants", found=describe(ctx, item))
    return value


def _folded(ctx: Context, name: str, values: list[float], rest: list[float], call: CallSite) -> int:
    """Return a statistic of constants; `rest` is the percentage of a percentile, or what std and var leave out."""
    if not values:
        raise ctx.refuse("empty_list", call.span)
    ordered, count = sorted(values), len(values)
    mean = math.fsum(values) / count
    if name == "quantile":
        return ctx.const(_percentile(ordered, rest[0]))
    free = count - (rest[0] if rest and name in {"std", "var"} else 0)
    variance = math.fsum((value - mean) ** 2 for value in values) / free if free > 0 else math.nan
    found: dict[str, float] = {
        "mean": mean, "sum": sum(values), "min": ordered[0], "max": ordered[-1], "prod": math.prod(values),
        "median": (ordered[(count - 1) // 2] + ordered[count // 2]) / 2, "var": variance, "std": math.sqrt(variance),
    }  # fmt: skip
    return ctx.const(found[name]) if math.isfinite(found[name]) else ctx.na()


def _percentile(ordered: list[float], percent: float) -> float:
    """Return the value below which a percentage lies, on the line between its two neighbours."""
    place = (len(ordered) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _length(ctx: Context, call: CallSite) -> Value:
    value = _one(ctx, call)
    if isinstance(value, ListValue):
        return Ref(ctx.const(len(value.items)))
    if isinstance(value, DictValue | Record | Frame):
        return Ref(ctx.const(len(value.entries if isinstance(value, DictValue) else value.fields)))
    if ctx.is_series(value) or value == Namespace("data") or isinstance(value, Fill):
        return Ref(ctx.emit(call.span, "n_bars"))
    raise ctx.refuse("wanted", call.span, wanted="a list or data", found=describe(ctx, value))


def _range(ctx: Context, call: CallSite) -> Value:
    args = [ctx.value_of(item) for item in call.args]
    whole = [item for item in args if isinstance(item, int) and not isinstance(item, bool)]
    if call.keywords or not 1 <= len(args) <= 3 or len(whole) != len(args) or (len(whole) == 3 and not whole[2]):
        raise ctx.refuse("range_constants", call.span)
    numbers = range(*whole)
    if len(numbers) > LIMITS.unroll:
        raise ctx.refuse("limit", call.span, limit="iterations of a loop", value=LIMITS.unroll, actual=len(numbers))
    return ListValue(tuple(Ref(ctx.const(number)) for number in numbers))


def _enumerate(ctx: Context, call: CallSite) -> Value:
    found = bound(ctx, call, "enumerate", parse_args("x:e, start:C=0"))
    value, given = found["x"][0], found["start"][0]
    start = 0 if given is None else ctx.value_of(given)
    assert value is not None
    first = start if isinstance(start, int) else 0
    return ListValue(
        tuple(
            ListValue((Ref(ctx.const(first + i)), item), is_tuple=True)
            for i, item in enumerate(_items(ctx, value, call))
        )
    )


def _zip(ctx: Context, call: CallSite) -> Value:
    columns = [_items(ctx, item, call) for item in call.args]
    return ListValue(tuple(ListValue(row, is_tuple=True) for row in zip(*columns, strict=False)))


def _sorted(ctx: Context, call: CallSite) -> Value:
    numbers = sorted(_constant(ctx, item, call) for item in _items(ctx, _one(ctx, call), call))
    return ListValue(tuple(Ref(ctx.const(number)) for number in numbers))


def _listed(*, is_tuple: bool) -> Handler:
    def run(ctx: Context, call: CallSite) -> Value:
        if not call.args:
            return ListValue((), is_tuple)
        return ListValue(_items(ctx, _one(ctx, call), call), is_tuple)

    return run


def _dict(ctx: Context, call: CallSite) -> Value:
    if call.args:
        value = _one(ctx, call)
        if isinstance(value, DictValue):
            return value
        raise ctx.refuse("wanted", call.span, wanted="keywords", found=describe(ctx, value))
    return DictValue(dict(call.keywords.items()))


def _mapped(name: str) -> Handler:
    """`map` and `filter` take a conversion of the language only: no function values at run time."""

    def run(ctx: Context, call: CallSite) -> Value:
        function, values = (*call.args, None, None)[:2]
        if not isinstance(function, Builtin) or function.key.removeprefix("builtin.") not in _TYPES or values is None:
            raise ctx.refuse("map_conversion", call.span, name=name)
        items = _items(ctx, values, call)
        if name == "filter":
            return ListValue(tuple(item for item in items if bool(ctx.value_of(item))))
        convert = NUMERIC[function.key]
        return ListValue(
            tuple(
                convert(ctx, call._replace(key=function.key, args=(item,), places=(call.span,), keywords={}))
                for item in items
            )
        )

    return run


def _parsed(ctx: Context, text: str, call: CallSite) -> int:
    """Return the number that a constant text says; nan is na, and infinity is no number of the language."""
    try:
        number = float(text)
    except ValueError:
        raise ctx.refuse("wanted", call.span, wanted="a number", found=f"the text '{text[:20]}'") from None
    if math.isinf(number):
        raise ctx.refuse("infinite_literal", call.span)
    return ctx.na() if math.isnan(number) else ctx.const(number)


def _to_int(ctx: Context, call: CallSite) -> Value:
    value = _one(ctx, call)
    text = ctx.value_of(value)
    if isinstance(text, str) and text.strip().removeprefix("-").isdecimal() and len(text) < _DIGITS:
        return Ref(ctx.const(int(text)))
    node = as_number(ctx, value, call.span)
    return Ref(node if ctx.type(node).kind is Kind.INT else ctx.emit(call.span, "trunc", node))


def _to_float(ctx: Context, call: CallSite) -> Value:
    value = _one(ctx, call)
    text = ctx.value_of(value)
    if isinstance(text, str):
        return Ref(_parsed(ctx, text, call))
    node = as_number(ctx, value, call.span)
    number = ctx.value_of(node)
    return Ref(ctx.const(float(number))) if isinstance(number, int) else Ref(node)


def _to_bool(ctx: Context, call: CallSite) -> Value:
    return Ref(as_bool(ctx, _one(ctx, call), call.span))


def _to_str(ctx: Context, call: CallSite) -> Value:
    node = as_node(ctx, _one(ctx, call), call.span)
    if ctx.type(node).phase > Phase.PARAM:
        raise ctx.refuse("wanted", call.span, wanted="a constant or parameter", found=describe(ctx, Ref(node)))
    value = ctx.value_of(node)
    return (
        Ref(ctx.const(str(value)[: LIMITS.string])) if ctx.is_const(node) else Ref(ctx.emit(call.span, "to_str", node))
    )


def _isinstance(ctx: Context, call: CallSite) -> Value:
    found = bound(ctx, call, "isinstance", parse_args("x:e, types:e"))
    value, types = found["x"][0], found["types"][0]
    members = types.items if isinstance(types, ListValue) else (types,)
    names = [item.key.removeprefix("builtin.") for item in members if isinstance(item, Builtin)]
    if len(names) != len(members) or not set(names) <= set(_TYPES):
        raise ctx.refuse("isinstance_types", call.span)
    if not isinstance(value, Ref) or ctx.is_series(value):
        return Ref(ctx.const(False))
    if ctx.is_const(value):
        kind = constant_kind(ctx.value_of(value)).value
        return Ref(ctx.const(kind in names or (kind == "bool" and "int" in names)))
    return Ref(ctx.emit(call.span, "is_type", value.node, ctx.const(",".join(names))))


def _series(ctx: Context, call: CallSite) -> Value:
    found = bound(ctx, call, "pd.Series", parse_args("data:e, index:e=None, dtype:e=None, name:S=None"))
    value, place = found["data"]
    assert value is not None
    if isinstance(value, ListValue):
        raise ctx.refuse("series_of_list", place)
    node = as_node(ctx, value, place, "a series or [value] * len(data)")
    wanted = found["dtype"][0]
    if isinstance(wanted, Builtin) and wanted.key == "builtin.float":
        node = as_number(ctx, Ref(node), place)
    if ctx.type(node).kind is Kind.NONE:
        node = ctx.na()
    is_scalar = ctx.type(node).phase < Phase.SERIES
    return Ref(ctx.emit(call.span, "broadcast", node)) if is_scalar else Ref(node)


def _frame(ctx: Context, call: CallSite) -> Value:
    value = bound(ctx, call, "pd.DataFrame", parse_args("data:e, index:e=None"))["data"][0]
    if isinstance(value, Record):
        return Frame(dict(value.fields))
    if not isinstance(value, DictValue) or not all(isinstance(key, str) for key in value.entries):
        raise ctx.refuse("wanted", call.span, wanted="a dict of series", found=describe(ctx, value or Fill(Ref(0))))
    return Frame({str(key): Ref(as_node(ctx, item, call.span)) for key, item in value.entries.items()})


def _filled(value: Const) -> Handler:
    def run(ctx: Context, call: CallSite) -> Value:
        signature = "shape:e, fill_value:R, dtype:e=None" if call.key == "np.full" else "shape:e, dtype:e=None"
        found = bound(ctx, call, _title(call), parse_args(signature))
        size, place = found["shape"]
        if not isinstance(size, Ref) or ctx.builder.nodes[size.node].op != "n_bars":
            raise ctx.refuse("fill_length", place)
        if call.key == "np.full":
            given, at = found["fill_value"]
            assert given is not None
            return Fill(Ref(as_node(ctx, given, at)))
        kind = found["dtype"][0]
        is_bool = isinstance(kind, Builtin) and kind.key == "builtin.bool"
        return Fill(Ref(ctx.const(bool(value) if is_bool else value)))

    return run


def _finite(ctx: Context, call: CallSite) -> Value:
    node = as_number(ctx, _one(ctx, call), call.span)
    missing = ctx.emit(call.span, "isna", node)
    return Ref(ctx.emit(call.span, "not", missing))


def _infinite(ctx: Context, call: CallSite) -> Value:
    node = as_number(ctx, _one(ctx, call), call.span)
    never = ctx.const(False)
    return Ref(ctx.emit(call.span, "broadcast", never) if ctx.type(node).phase is Phase.SERIES else never)


def _array(ctx: Context, call: CallSite) -> Value:
    value = bound(ctx, call, "np.array", parse_args("x:e, dtype:e=None"))["x"][0]
    assert value is not None
    return value


_POINTWISE: Final = tuple(
    "abs sqrt exp log log10 log2 sin cos tan arcsin arccos arctan floor ceil sign sinh cosh tanh".split()  # noqa: SIM905
)
NUMERIC: Final[dict[str, Handler]] = {
    **{f"np.{name}": _point(name) for name in _POINTWISE},
    "np.maximum": _point("maximum", "a, b"), "np.minimum": _point("minimum", "a, b"), "np.isnan": _point("isna"),
    "np.isfinite": _finite, "np.isinf": _infinite, "np.where": _where, "np.select": _select, "np.round": _round,
    "np.around": _round, "np.absolute": _point("abs"), "np.trunc": _point("trunc"),
    "np.mean": _reduce("mean"), "np.median": _reduce("median"), "np.std": _reduce("std", ", ddof:K=0"),
    "np.var": _reduce("var", ", ddof:K=0"), "np.percentile": _reduce("quantile", ", q:F(0,100)"),
    "np.min": _reduce("min"), "np.max": _reduce("max"), "np.sum": _reduce("sum"), "np.prod": _reduce("prod"),
    "np.zeros": _filled(0.0), "np.ones": _filled(1.0), "np.full": _filled(None), "np.array": _array,
    "pd.Series": _series, "pd.DataFrame": _frame, "pd.isna": _point("isna"), "pd.isnull": _point("isna"),
    "pd.notna": _finite, "pd.notnull": _finite,
    "builtin.abs": _point("abs"), "builtin.round": _round, "builtin.min": _extreme("minimum", "min"),
    "builtin.max": _extreme("maximum", "max"), "builtin.sum": _sum, "builtin.any": _quantified("or"),
    "builtin.all": _quantified("and"), "builtin.len": _length, "builtin.range": _range,
    "builtin.enumerate": _enumerate, "builtin.zip": _zip, "builtin.sorted": _sorted,
    "builtin.list": _listed(is_tuple=False), "builtin.tuple": _listed(is_tuple=True), "builtin.dict": _dict,
    "builtin.map": _mapped("map"), "builtin.filter": _mapped("filter"), "builtin.int": _to_int,
    "builtin.float": _to_float, "builtin.bool": _to_bool, "builtin.str": _to_str, "builtin.isinstance": _isinstance,
}  # fmt: skip
"""Key of a function → what a call of it means."""
