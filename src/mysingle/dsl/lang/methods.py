"""What can be called on a series: `x.rolling(20).mean()`, `x.shift(1)`, `x.crosses_over(y)`."""

from collections.abc import Callable
from typing import Final, NamedTuple

from mysingle.dsl.ir.kinds import Kind, Phase
from mysingle.dsl.ir.ops import Arg
from mysingle.dsl.ir.row import parse_args
from mysingle.dsl.lang.check import as_bool, as_node, as_number, bind, bound
from mysingle.dsl.lang.context import Context
from mysingle.dsl.lang.library import Maker, call_row
from mysingle.dsl.lang.operators import arithmetic, compare
from mysingle.dsl.lang.values import CallSite, Ewm, Expanding, ListValue, Ref, Rolling, Value

__all__ = ["EWM_METHODS", "EXPANDING_METHODS", "ROLLING_METHODS", "SERIES_METHODS", "Method"]


class Method(NamedTuple):
    """A method: its signature without the receiver, and what it does with checked arguments."""

    args: tuple[Arg, ...]
    run: Callable[[Context, CallSite, str], Value]


def _simple(signature: str, formula: Callable[[Maker, int, list[int]], int]) -> Method:
    args = parse_args(signature)

    def run(ctx: Context, call: CallSite, name: str) -> Value:
        nodes = bind(ctx, call, name, args)
        assert call.receiver is not None
        return Ref(formula(Maker(ctx, call.span), as_number(ctx, call.receiver, call.span), nodes))

    return Method(args, run)


def _same(signature: str) -> Method:
    args = parse_args(signature)

    def run(ctx: Context, call: CallSite, name: str) -> Value:
        bind(ctx, call, name, args)
        assert call.receiver is not None
        return call.receiver

    return Method(args, run)


def _operator(op: str) -> Method:
    args = parse_args("other:e")

    def run(ctx: Context, call: CallSite, name: str) -> Value:
        other, span = bound(ctx, call, name, args)["other"]
        assert call.receiver is not None
        assert other is not None
        if op in {"eq", "ne", "gt", "lt", "ge", "le"}:
            return Ref(compare(ctx, op, call.receiver, other, span))
        return arithmetic(ctx, op, call.receiver, other, call.span)

    return Method(args, run)


def _row(row: str, signature: str) -> Method:
    args = parse_args(signature)

    def run(ctx: Context, call: CallSite, name: str) -> Value:
        nodes = bind(ctx, call, name, args)
        assert call.receiver is not None
        return call_row(ctx, row, [as_number(ctx, call.receiver, call.span), *nodes], call.span)

    return Method(args, run)


def _shift(ctx: Context, call: CallSite, name: str) -> Value:
    found = bound(ctx, call, name, SERIES_METHODS["shift"].args)
    periods = bind(ctx, call, name, SERIES_METHODS["shift"].args)[0]
    assert call.receiver is not None
    node = as_node(ctx, call.receiver, call.span)
    is_bool = ctx.type(node).kind is Kind.BOOL
    given, place = found["fill_value"]
    if given is None:
        fill = ctx.const(False) if is_bool else ctx.na()
    else:
        fill = as_bool(ctx, given, place) if is_bool else as_number(ctx, given, place)
    return Ref(ctx.emit(call.span, "shift", node, periods, fill))


def _rolling(ctx: Context, call: CallSite, name: str) -> Value:
    args = SERIES_METHODS["rolling"].args
    window, required = bind(ctx, call, name, args)
    assert call.receiver is not None
    given, place = bound(ctx, call, name, args)["min_periods"]
    if given is None:
        required = ctx.const(0)
    elif ctx.is_const(required) and ctx.is_const(window):
        most, count = ctx.value_of(window), ctx.value_of(required)
        if isinstance(count, int) and isinstance(most, int) and count > most:
            raise ctx.refuse(
                "argument_range",
                place,
                name=name,
                argument="min_periods",
                actual=count,
                bounds=f"at most the window {most}",
                signature="rolling(window, min_periods=window)",
            )
    return Rolling(as_number(ctx, call.receiver, call.span), window, required)


def _ewm(ctx: Context, call: CallSite, name: str) -> Value:
    args = SERIES_METHODS["ewm"].args
    found = bound(ctx, call, name, args)
    given = [key for key in ("span", "com", "alpha", "halflife") if found[key][0] is not None]
    if len(given) != 1:
        raise ctx.refuse("one_decay", call.span)
    nodes = dict(zip((arg.name for arg in args), bind(ctx, call, name, args), strict=True))
    make = Maker(ctx, call.span)
    alpha = _alpha(make, given[0], nodes[given[0]])
    assert call.receiver is not None
    series = as_number(ctx, call.receiver, call.span)
    return Ewm(series, alpha, nodes["adjust"], nodes["min_periods"], nodes["ignore_na"])


def _alpha(m: Maker, name: str, value: int) -> int:
    one = m.number(1.0)
    limits = {"span": 1, "com": 0, "alpha": 0, "halflife": 0}
    known = m.ctx.value_of(value)
    is_open = name in {"alpha", "halflife"}  # 0 itself is none of them
    is_wrong = isinstance(known, int | float) and (
        known < limits[name] or (is_open and known == 0) or (name == "alpha" and known > 1)
    )
    if is_wrong:
        bounds = {"alpha": "above 0 and at most 1", "halflife": "above 0"}
        raise m.ctx.refuse("argument_range", m.span, name="ewm", argument=name, actual=known,
                           bounds=bounds.get(name, f"at least {limits[name]}"),
                           signature="ewm(span | com | alpha | halflife)")  # fmt: skip
    if name == "span":
        return m("div", m.number(2.0), m("add", value, one))
    if name == "com":
        return m("div", one, m("add", value, one))
    if name == "halflife":
        return m("sub", one, m("exp", m("div", m.number(-0.6931471805599453), value)))
    return value


def _expanding(ctx: Context, call: CallSite, name: str) -> Value:
    nodes = bind(ctx, call, name, SERIES_METHODS["expanding"].args)
    assert call.receiver is not None
    return Expanding(as_number(ctx, call.receiver, call.span), nodes[0])


def _fillna(ctx: Context, call: CallSite, name: str) -> Value:
    found = bound(ctx, call, name, SERIES_METHODS["fillna"].args)
    value, method = found["value"][0], found["method"][0]
    assert call.receiver is not None
    node = as_node(ctx, call.receiver, call.span)
    if method is not None and value is None:
        if ctx.value_of(method) in {"ffill", "pad"}:
            return Ref(ctx.emit(call.span, "ffill", as_number(ctx, call.receiver, call.span), ctx.const(0)))
        raise ctx.refuse("fills_from_future", found["method"][1], name=f"fillna(method={ctx.value_of(method)!r})")
    if value is None:
        raise ctx.refuse("missing_argument", call.span, name=name, argument="value", signature="fillna(value)")
    if ctx.type(node).kind is Kind.BOOL:
        return Ref(node)
    filler = as_number(ctx, value, found["value"][1])
    return Ref(ctx.emit(call.span, "fillna", as_number(ctx, Ref(node), call.span), filler))


def _replace(m: Maker, x: int, a: list[int]) -> int:
    return m.ctx.choose(m.span, m("eq", x, a[0]), a[1], x)


def _astype(ctx: Context, call: CallSite, name: str) -> Value:
    wanted, place = bound(ctx, call, name, SERIES_METHODS["astype"].args)["dtype"]
    assert call.receiver is not None
    text = getattr(wanted, "key", "").removeprefix("builtin.") or str(ctx.value_of(wanted) if wanted else "")
    if text == "bool":
        return Ref(as_bool(ctx, call.receiver, call.span))
    number = as_number(ctx, call.receiver, call.span)
    if text in {"float", "float64"}:
        return Ref(number)
    if text in {"int", "int64"}:
        return Ref(ctx.emit(call.span, "trunc", number))
    raise ctx.refuse("option", place, name="astype", options="float, int or bool")


def _where(*, keep: bool) -> Method:
    args = parse_args("cond:b, other:e=None")

    def run(ctx: Context, call: CallSite, name: str) -> Value:
        found = bound(ctx, call, name, args)
        cond, place = found["cond"]
        assert call.receiver is not None
        assert cond is not None
        node = as_node(ctx, call.receiver, call.span)
        given, at = found["other"]
        empty = ctx.const(False) if ctx.type(node).kind is Kind.BOOL else ctx.na()
        other = empty if given is None else as_node(ctx, given, at)
        pair = (node, other) if keep else (other, node)
        return Ref(ctx.choose(call.span, as_bool(ctx, cond, place), *pair))

    return Method(args, run)


def _between(m: Maker, x: int, a: list[int]) -> int:
    ways = {"both": ("ge", "le"), "neither": ("gt", "lt"), "left": ("ge", "lt"), "right": ("gt", "le")}
    option = str(m.ctx.value_of(a[2]))
    if option not in ways:
        raise m.ctx.refuse("option", m.span, name="inclusive", options="'both', 'neither', 'left' or 'right'")
    low, high = ways[option]
    return m("and", m(low, x, a[0]), m(high, x, a[1]))


def _isin(ctx: Context, call: CallSite, name: str) -> Value:
    values, place = bound(ctx, call, name, SERIES_METHODS["isin"].args)["values"]
    assert call.receiver is not None
    if not isinstance(values, ListValue):
        raise ctx.refuse("in_constants", place)
    found = compare(ctx, "in", call.receiver, values, call.span)
    is_constant = ctx.is_series(call.receiver) and ctx.type(found).phase < Phase.SERIES
    return Ref(ctx.emit(call.span, "broadcast", found) if is_constant else found)


def _clip(m: Maker, x: int, a: list[int]) -> int:
    ctx = m.ctx
    for bound_node, op in ((a[0], "maximum"), (a[1], "minimum")):
        if not (ctx.is_const(bound_node) and ctx.value_of(bound_node) is None):
            x = m(op, x, bound_node)
    return x


def _round(m: Maker, x: int, a: list[int]) -> int:
    return m("round", x, a[0])


def _reduction(name: str, signature: str = "") -> Method:
    return _simple(signature, lambda m, x, a: m(f"red_{name}", x, *a))


def _logical_reduction(name: str) -> Method:
    def run(ctx: Context, call: CallSite, title: str) -> Value:
        bind(ctx, call, title, ())
        assert call.receiver is not None
        return Ref(ctx.emit(call.span, f"red_{name}", as_bool(ctx, call.receiver, call.span)))

    return Method((), run)


def _rank(m: Maker, x: int, a: list[int]) -> int:
    """Return the rank among all bars, ties sharing theirs; as a share of one with `pct`."""
    share = m("rank_all", x)
    doubled = m("round", m("mul", m("mul", share, m("red_count", x)), m.number(2.0)), m.number(0))
    return m.ctx.choose(m.span, a[0], share, m("div", doubled, m.number(2.0)))


def _not_na(m: Maker, x: int, _a: list[int]) -> int:
    return m("not", m("isna", x))


_OPERATORS: Final = {
    "eq": "eq", "ne": "ne", "gt": "gt", "lt": "lt", "ge": "ge", "le": "le", "add": "add", "sub": "sub", "mul": "mul",
    "div": "div", "truediv": "div", "floordiv": "floordiv", "mod": "mod", "pow": "pow",
}  # fmt: skip

SERIES_METHODS: Final[dict[str, Method]] = {
    "rolling": Method(parse_args("window:W, min_periods:K=0"), _rolling),
    "ewm": Method(parse_args(
        "com:F=None, span:F=None, halflife:F=None, alpha:F=None, min_periods:K=0, adjust:B=True, ignore_na:B=False"
    ), _ewm),
    "expanding": Method(parse_args("min_periods:K=1"), _expanding),
    "shift": Method(parse_args("periods:K=1, fill_value:e=None"), _shift),
    "diff": _row("fn.change", "periods:K=1"), "pct_change": _row("fn.pct_change", "periods:K=1"),
    "cumsum": _simple("", lambda m, x, _: m("cumsum", x)), "cumprod": _simple("", lambda m, x, _: m("cumprod", x)),
    "cummax": _simple("", lambda m, x, _: m("cummax", x)), "cummin": _simple("", lambda m, x, _: m("cummin", x)),
    "fillna": Method(parse_args("value:e=None, method:S=None"), _fillna),
    "ffill": _simple("limit:K=0", lambda m, x, a: m("ffill", x, a[0])), "pad": _simple("", lambda m, x, _: m(
        "ffill", x, m.number(0))),
    "replace": _simple("a, b", _replace), "astype": Method(parse_args("dtype:e"), _astype),
    "isna": _simple("", lambda m, x, _: m("isna", x)), "isnull": _simple("", lambda m, x, _: m("isna", x)),
    "notna": _simple("", _not_na), "notnull": _simple("", _not_na), "copy": _same("deep:B=True"),
    "abs": _simple("", lambda m, x, _: m("abs", x)), "round": _simple("decimals:I(-15,15)=0", _round),
    "clip": _simple("lower=None, upper=None", _clip), "where": _where(keep=True), "mask": _where(keep=False),
    "between": _simple("left, right, inclusive:S='both'", _between),
    "isin": Method(parse_args("values:e"), _isin),
    **{name: _operator(op) for name, op in _OPERATORS.items()},
    "sma": _row("fn.SMA", "window:W"), "ema": _row("fn.EMA", "span:W"), "highest": _row("fn.highest", "window:W"),
    "lowest": _row("fn.lowest", "window:W"), "crosses_over": _row("fn.crossover", "other"),
    "crosses_under": _row("fn.crossunder", "other"), "crosses": _row("fn.cross", "other"),
    **{name: _reduction(name) for name in ("mean", "sum", "min", "max", "median", "count", "prod", "first", "last")},
    "std": _reduction("std", "ddof:K=1"), "var": _reduction("var", "ddof:K=1"),
    "quantile": _reduction("quantile", "q:F(0,1)=0.5"), "any": _logical_reduction("any"),
    "all": _logical_reduction("all"), "corr": _reduction("corr", "other"), "cov": _reduction("cov", "other"),
    "rank": _simple("pct:B=False", _rank),
}  # fmt: skip


def _window(name: str, signature: str = "", order: str = "") -> Method:
    args = parse_args(signature)

    def run(ctx: Context, call: CallSite, title: str) -> Value:
        nodes = bind(ctx, call, title, args)
        window = call.receiver
        assert isinstance(window, Rolling)
        before = nodes[:1] if order == "other" else []
        after = nodes[len(before) :]
        found = ctx.emit(
            call.span, f"rolling_{name}", window.series, *before, window.window, window.min_periods, *after
        )
        return Ref(found)

    return Method(args, run)


ROLLING_METHODS: Final[dict[str, Method]] = {
    **{name: _window(name) for name in ("mean", "sum", "min", "max", "median", "count")},
    "rank": _window("rank"),
    "std": _window("std", "ddof:K=1"), "var": _window("var", "ddof:K=1"),
    "quantile": _window("quantile", "q:F(0,1)"), "corr": _window("corr", "other", "other"),
    "cov": _window("cov", "other, ddof:K=1", "other"),
}  # fmt: skip


def _fading(name: str) -> Method:
    args = parse_args("bias:B=False" if name != "mean" else "")

    def run(ctx: Context, call: CallSite, title: str) -> Value:
        nodes = bind(ctx, call, title, args)
        e = call.receiver
        assert isinstance(e, Ewm)
        return Ref(ctx.emit(call.span, f"ewm_{name}", e.series, e.alpha, e.adjust, e.min_periods, e.ignore_na, *nodes))

    return Method(args, run)


def _growing(name: str) -> Method:
    args = parse_args("ddof:K=1" if name in {"std", "var"} else "")

    def run(ctx: Context, call: CallSite, title: str) -> Value:
        nodes = bind(ctx, call, title, args)
        found = call.receiver
        assert isinstance(found, Expanding)
        return Ref(ctx.emit(call.span, f"expanding_{name}", found.series, found.min_periods, *nodes))

    return Method(args, run)


EWM_METHODS: Final = {name: _fading(name) for name in ("mean", "std", "var")}
EXPANDING_METHODS: Final = {name: _growing(name) for name in ("mean", "sum", "min", "max", "std", "var", "count")}
