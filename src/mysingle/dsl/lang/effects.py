"""Calls that do something: orders, plots, alerts, checks of the data, declarations of parameters and timeframes."""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from mysingle.dsl.ir.kinds import Const, Kind, Phase, Type
from mysingle.dsl.ir.program import Alert, Grid, Order, ParamSpec, Plot
from mysingle.dsl.ir.row import Arg, parse_args
from mysingle.dsl.lang.check import as_bool, as_node, as_number, bound, column_name, describe
from mysingle.dsl.lang.context import Context
from mysingle.dsl.lang.source import Span
from mysingle.dsl.lang.tables import OHLCV
from mysingle.dsl.lang.values import CallSite, ListValue, Namespace, Record, Ref, Timeframe, Value
from mysingle.dsl.limits import LIMITS

__all__ = ["EFFECTS", "SIGNATURES", "declare_parameter", "tf_column"]

Handler: TypeAlias = Callable[[Context, CallSite], Value]
Found: TypeAlias = dict[str, tuple[Value | None, Span]]

_PLOT = "series, title:S=None, name:S=None, color:S=None, style:S=None, linewidth:F=None, offset:I=0"
_LEVEL = "value, title:S=None, color:S=None, style:S=None, linewidth:F=None, name:S=None"
_PARAMETER = parse_args(
    "default:P, min:F=None, max:F=None, step:F=None, options:e=None, title:S=None, description:S=None, group:S=None, "
    "widget:S=None, name:S=None"
)
_KINDS: Final = {"int": Kind.INT, "float": Kind.FLOAT, "bool": Kind.BOOL, "str": Kind.STR}
SIGNATURES: Final[dict[str, tuple[Arg, ...]]] = {
    "strategy.entry": parse_args("id:S, direction:S, qty=None, limit=None, stop=None, comment:S=None"),
    "strategy.exit": parse_args("id:S, from_entry:S=None, stop=None, limit=None, comment:S=None, qty_percent=100"),
    "strategy.close": parse_args("id:S, comment:S=None, qty_percent=100"),
    "strategy.close_all": parse_args("comment:S=None"),
    "strategy.cancel": parse_args("id:S"),
    "plot": parse_args(_PLOT),
    "hline": parse_args(_LEVEL),
    "alert": parse_args("cond:b, message:S='', freq:S='bar_close'"),
    "params.get": parse_args("key:S, default:P=None"),
    "timeframe": parse_args("unit:S, developing:B=False"),
    "timeframe.col": parse_args("name:S, agg:S='last'"),
    "check_missing_data": parse_args("data:e, threshold:F=0.05"),
    **{f"param.{kind}": _PARAMETER for kind in _KINDS},
}
"""Key of a function → its arguments."""
_ACTIONS: Final = ("entry", "exit", "close", "close_all", "cancel")
_TIMEFRAME: Final = re.compile(r"([1-9]\d{0,3})(s|m|h|D|W|M)")
_AGGREGATIONS: Final = frozenset({"last", "sum", "max", "min", "first", "mean"})


def _nothing(ctx: Context) -> Ref:
    return Ref(ctx.const(None))


def _text(ctx: Context, found: Found, name: str, *, default: str = "") -> str:
    """Return a constant text; orders and plots are named when the program is compiled."""
    value, span = found.get(name, (None, Span(0, 0, 0, 0)))
    if value is None or (isinstance(value, Ref) and ctx.type(value.node).kind is Kind.NONE):
        return default
    text = ctx.value_of(value)
    if not isinstance(text, str):
        raise ctx.refuse("constant_text", span, name=name)
    return text


def _number(ctx: Context, found: Found, name: str) -> int:
    value, span = found.get(name, (None, Span(0, 0, 0, 0)))
    if value is None or (isinstance(value, Ref) and ctx.type(value.node).kind is Kind.NONE):
        return -1
    return ctx.on_base(as_number(ctx, value, span))


def _order(action: str) -> Handler:
    args = SIGNATURES[f"strategy.{action}"]

    def run(ctx: Context, call: CallSite) -> Value:
        found = bound(ctx, call, f"strategy.{action}", args)
        name = _text(ctx, found, "id")
        direction = _text(ctx, found, "direction") if action == "entry" else ""
        if action == "entry" and direction not in {"long", "short"}:
            raise ctx.refuse("option", found["direction"][1], name="direction",
                             options="strategy.long or strategy.short")  # fmt: skip
        if name and name not in {order.id for order in ctx.orders}:
            _check_ids(ctx, call)
        if not name and action != "close_all":
            raise ctx.refuse("order_id", found["id"][1])
        for key, most in (("qty", None), ("qty_percent", 100.0)):
            _check_amount(ctx, found, key, most, f"strategy.{action}")
        ctx.orders.append(Order(
            action, name, ctx.on_base(ctx.mask()), direction, _text(ctx, found, "from_entry"),
            _number(ctx, found, "qty"),
            _number(ctx, found, "limit"), _number(ctx, found, "stop"), _number(ctx, found, "qty_percent"),
            _text(ctx, found, "comment"), *_place(ctx, call),
        ))  # fmt: skip
        return _nothing(ctx)

    return run


def _check_amount(ctx: Context, found: Found, key: str, most: float | None, name: str) -> None:
    """Refuse a constant amount that is no amount: the direction says what is bought and what is sold."""
    value, span = found.get(key, (None, Span(0, 0, 0, 0)))
    amount = None if value is None else ctx.value_of(value)
    if isinstance(amount, int | float) and not (amount > 0 and (most is None or amount <= most)):
        bounds = "above 0" if most is None else f"above 0 and at most {most:g}"
        raise ctx.refuse("argument_range", span, name=name, argument=key, actual=amount, bounds=bounds)


def _check_ids(ctx: Context, call: CallSite) -> None:
    ids = {order.id for order in ctx.orders if order.id}
    if len(ids) >= LIMITS.order_ids:
        raise ctx.refuse("limit", call.span, limit="order ids", value=LIMITS.order_ids, actual=len(ids) + 1)


def _place(ctx: Context, call: CallSite) -> tuple[int, int]:
    return call.span.line, ctx.reporter.source.column(call.span.line, call.span.column)


def _plot(kind: str) -> Handler:
    args = SIGNATURES[kind]

    def run(ctx: Context, call: CallSite) -> Value:
        found = bound(ctx, call, kind, args)
        if len(ctx.plots) >= LIMITS.plots:
            raise ctx.refuse("limit", call.span, limit="plots", value=LIMITS.plots, actual=len(ctx.plots) + 1)
        value, span = found[args[0].name]
        assert value is not None
        node = as_node(ctx, value, span)
        if ctx.type(node).kind not in {Kind.FLOAT, Kind.INT, Kind.BOOL}:
            raise ctx.refuse("wanted", span, wanted="a number or series", found=describe(ctx, value))
        title = _text(ctx, found, "title")
        name = _text(ctx, found, "name", default=title or f"{kind} {len(ctx.plots) + 1}")
        ctx.plots.append(Plot(
            kind, ctx.on_base(node), -1 if ctx.path is None else ctx.on_base(ctx.path), name, title or name,
            _text(ctx, found, "color"), _text(ctx, found, "style"), float(_constant(ctx, found, "linewidth") or 0),
            int(_constant(ctx, found, "offset") or 0), *_place(ctx, call),
        ))  # fmt: skip
        return _nothing(ctx)

    return run


def _constant(ctx: Context, found: Found, name: str) -> float:
    value, span = found.get(name, (None, Span(0, 0, 0, 0)))
    if value is None:
        return 0
    number = ctx.value_of(as_number(ctx, value, span))
    if not isinstance(number, int | float):
        raise ctx.refuse("constant_number", span, name=name)
    return number


def _alert(ctx: Context, call: CallSite) -> Value:
    found = bound(ctx, call, "alert", SIGNATURES["alert"])
    value, span = found["cond"]
    assert value is not None
    cond = as_bool(ctx, value, span)
    mask = cond if ctx.path is None else ctx.emit(call.span, "and", ctx.path, cond)
    freq = _text(ctx, found, "freq", default="bar_close")
    if freq not in {"bar_close", "once_per_bar", "once"}:
        raise ctx.refuse("option", found["freq"][1], name="freq", options="'bar_close'")
    ctx.alerts.append(Alert(ctx.on_base(mask), _text(ctx, found, "message"), freq, *_place(ctx, call)))
    return _nothing(ctx)


def declare_parameter(ctx: Context, call: CallSite, target: str) -> Value:
    """Declare `target = param.int(...)`; the name is that of the assignment, or `name=`."""
    kind = _KINDS[call.key.removeprefix("param.")]
    found = bound(ctx, call, call.key, _PARAMETER)
    name = _text(ctx, found, "name", default=target)
    if not name:
        raise ctx.refuse("param_name", call.span)
    if name in ctx.params.specs and not ctx.params.specs[name].implicit:
        raise ctx.refuse("param_twice", call.span, name=name)
    value, place = found["default"]
    assert value is not None
    default = ctx.value_of(value)
    if not ctx.is_const(value):
        raise ctx.refuse("constant_number", place, name="default")
    low, high, step = (_optional(ctx, found, key) for key in ("min", "max", "step"))
    spec = ParamSpec(
        name, kind, required=False, default=_typed(ctx, kind, default, place), minimum=_whole(kind, low),
        maximum=_whole(kind, high), step=_whole(kind, step), options=_options(ctx, found, kind),
        title=_text(ctx, found, "title"), description=_text(ctx, found, "description"),
        group=_text(ctx, found, "group"), widget=_text(ctx, found, "widget"),
    )  # fmt: skip
    _check_default(ctx, spec, place)
    ctx.params.declare(spec)
    return Ref(ctx.parameter(name))


def _whole(kind: Kind, value: float | None) -> float | int | None:
    return int(value) if value is not None and kind is Kind.INT and value == int(value) else value


def _optional(ctx: Context, found: Found, name: str) -> float | None:
    return None if found[name][0] is None else _constant(ctx, found, name)


def _options(ctx: Context, found: Found, kind: Kind) -> tuple[Const, ...]:
    value, place = found["options"]
    if value is None:
        return ()
    if not isinstance(value, ListValue) or not all(ctx.is_const(item) for item in value.items):
        raise ctx.refuse("wanted", place, wanted="a list of constants", found=describe(ctx, value))
    return tuple(_typed(ctx, kind, ctx.value_of(item), place) for item in value.items)


def _typed(ctx: Context, kind: Kind, value: Const, place: Span) -> Const:
    """Return a default or option as the kind of its parameter."""
    fits = {
        Kind.INT: isinstance(value, int) and not isinstance(value, bool),
        Kind.FLOAT: isinstance(value, int | float) and not isinstance(value, bool),
        Kind.BOOL: isinstance(value, bool), Kind.STR: isinstance(value, str),
    }[kind]  # fmt: skip
    if not fits:
        raise ctx.refuse("param_default", place, kind=kind.value, actual=repr(value))
    return float(value) if kind is Kind.FLOAT and isinstance(value, int | float) else value


def _check_default(ctx: Context, spec: ParamSpec, place: Span) -> None:
    value = spec.default
    if isinstance(value, int | float) and not isinstance(value, bool):
        too_low = spec.minimum is not None and value < spec.minimum
        too_high = spec.maximum is not None and value > spec.maximum
        if too_low or too_high:
            low = "" if spec.minimum is None else f"at least {spec.minimum:g}"
            high = "" if spec.maximum is None else f"at most {spec.maximum:g}"
            bounds = " and ".join(part for part in (low, high) if part)
            raise ctx.refuse("param_range", place, name=spec.name, actual=value, bounds=bounds)
    if spec.options and value not in spec.options:
        raise ctx.refuse("param_options", place, name=spec.name, actual=value)


def _params_get(ctx: Context, call: CallSite) -> Value:
    found = bound(ctx, call, "params.get", SIGNATURES["params.get"])
    name = _text(ctx, found, "key")
    if not name:
        raise ctx.refuse("param_name", call.span)
    value, place = found["default"]
    if value is not None and not ctx.is_const(value):
        raise ctx.refuse("constant_number", place, name="default")
    if name == "_context":
        return _nothing(ctx)
    default = None if value is None else ctx.value_of(value)
    if name not in ctx.params.specs or ctx.params.specs[name].implicit:
        kinds = {bool: Kind.BOOL, int: Kind.INT, str: Kind.STR}
        kind = kinds.get(type(default), Kind.FLOAT)
        ctx.params.declare(ParamSpec(name, kind, required=False, default=default, nullable=default is None))
    spec = ctx.params.specs[name]
    if value is not None and not spec.required and spec.default is not None and spec.default != default:
        raise ctx.refuse("param_defaults", place, name=name, first=repr(spec.default), second=repr(default))
    return Ref(ctx.parameter(name))


def _timeframe(ctx: Context, call: CallSite) -> Value:
    found = bound(ctx, call, "timeframe", SIGNATURES["timeframe"])
    text = _text(ctx, found, "unit")
    match = _TIMEFRAME.fullmatch(text)
    if match is None:
        raise ctx.refuse("timeframe_unit", found["unit"][1], text=text[:20])
    value, place = found["developing"]
    is_developing = value is not None and bool(ctx.value_of(as_bool(ctx, value, place)))
    grid = Grid(int(match[1]), match[2], is_developing)
    if grid not in ctx.grids:
        if len(ctx.grids) > LIMITS.timeframes:
            raise ctx.refuse("limit", call.span, limit="timeframes", value=LIMITS.timeframes, actual=len(ctx.grids))
        ctx.grids.append(grid)
    if is_developing:
        ctx.warn("developing", call.span, unit=text)
    return Timeframe(ctx.grids.index(grid, 1))


def _tf_col(ctx: Context, call: CallSite) -> Value:
    found = bound(ctx, call, "col", SIGNATURES["timeframe.col"])
    frame = call.receiver
    assert isinstance(frame, Timeframe)
    agg = _text(ctx, found, "agg", default="last")
    if agg not in _AGGREGATIONS:
        raise ctx.refuse("option", found["agg"][1], name="agg", options=", ".join(sorted(_AGGREGATIONS)))
    name = column_name(ctx, _text(ctx, found, "name"), found["name"][1])
    return tf_column(ctx, frame, name, agg, call.span)


def tf_column(ctx: Context, frame: Timeframe, name: str, agg: str, span: Span) -> Value:
    """Return a column on a higher timeframe."""
    node = ctx.emit(span, "tf_col", imm=(frame.grid, name, agg), declared=Type(Kind.FLOAT, Phase.SERIES, frame.grid))
    return Ref(node)


def _missing(ctx: Context, call: CallSite) -> Value:
    """Return the share of missing values of each column; as a condition: whether one of them is above a threshold."""
    found = bound(ctx, call, "check_missing_data", SIGNATURES["check_missing_data"])
    value, place = found["data"]
    if value != Namespace("data"):
        raise ctx.refuse("wanted", place, wanted="data", found=describe(ctx, value or _nothing(ctx)))
    given, at = found["threshold"]
    threshold = ctx.const(0.05) if given is None else as_number(ctx, given, at)
    shares: dict[str, Value] = {}
    above = ctx.const(False)
    for name in (*OHLCV, *sorted(ctx.known_columns.difference(OHLCV))):
        is_missing = ctx.emit(call.span, "isna", ctx.column(name, call.span))
        share = ctx.emit(call.span, "red_mean", ctx.emit(call.span, "to_float", is_missing))
        shares[name] = Ref(share)
        above = ctx.emit(call.span, "or", above, ctx.emit(call.span, "gt", share, threshold))
    return Record(shares, above)


EFFECTS: Final[dict[str, Handler]] = {
    **{f"strategy.{action}": _order(action) for action in _ACTIONS},
    "plot": _plot("plot"), "hline": _plot("hline"), "alert": _alert, "params.get": _params_get,
    "timeframe": _timeframe, "timeframe.col": _tf_col, "check_missing_data": _missing,
    **{f"param.{kind}": lambda ctx, call: declare_parameter(ctx, call, "") for kind in _KINDS},
}  # fmt: skip
"""Key of a function → what a call of it does."""
