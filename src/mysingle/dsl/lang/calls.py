"""Calls of functions, methods, indicators and patterns, with their arguments evaluated."""

from typing import Final

from mysingle.dsl.ir.ops import OPS, Arg
from mysingle.dsl.ir.row import parse_args
from mysingle.dsl.lang.check import as_number, bind, bound
from mysingle.dsl.lang.context import Context
from mysingle.dsl.lang.effects import EFFECTS
from mysingle.dsl.lang.library import call_row
from mysingle.dsl.lang.methods import EWM_METHODS, EXPANDING_METHODS, ROLLING_METHODS, SERIES_METHODS
from mysingle.dsl.lang.numeric import NUMERIC
from mysingle.dsl.lang.states import read_store
from mysingle.dsl.lang.tables import INDICATOR_NAMES, OHLCV, PATTERN_NAMES
from mysingle.dsl.lang.values import (
    CallSite,
    DictValue,
    ListValue,
    Record,
    Ref,
    Value,
)

__all__ = ["dispatch"]

_METHODS: Final = {
    "series": SERIES_METHODS, "rolling": ROLLING_METHODS, "ewm": EWM_METHODS, "expanding": EXPANDING_METHODS,
}  # fmt: skip


def dispatch(ctx: Context, site: CallSite, title: str = "") -> Value:
    """Return what a call of the language's own function gives; `title` is how the source names it."""
    family, _, rest = site.key.partition(".")
    if family in _METHODS and site.receiver is not None:
        return _METHODS[family][rest].run(ctx, site, rest)
    if family == "indicator":
        return _indicator(ctx, site, rest)
    if family == "pattern":
        return _pattern(ctx, site, rest)
    if family == "dict":
        return _dict_method(ctx, site, rest)
    handler = NUMERIC.get(site.key) or EFFECTS.get(site.key)
    if handler is not None:
        return handler(ctx, site)
    if site.key == "var":
        return read_store(ctx, site)
    return _function(ctx, site, title)


def _function(ctx: Context, site: CallSite, name: str) -> Value:
    row = OPS[site.key]
    title = name or row.names[0]
    args = row.args
    if site.key in _CANDLES:
        found = bound(ctx, site, title, args)
        threshold, place = found.get("threshold", (None, site.span))
        nodes = [ctx.const(0.1) if threshold is None else as_number(ctx, threshold, place)]
        return call_row(ctx, site.key, nodes, site.span)
    if site.key == "fn.ichimoku":
        site = _older_ichimoku(ctx, site)
    if site.key == "fn.combine_signals":
        return _combine(ctx, site, title, args)
    return call_row(ctx, site.key, bind(ctx, site, title, args), site.span)


_CANDLES: Final = frozenset({"fn.DOJI", "fn.HAMMER", "fn.BULLISH_ENGULFING", "fn.BEARISH_ENGULFING"})


def _older_ichimoku(ctx: Context, site: CallSite) -> CallSite:
    """Accept the form without `close`: the third argument is a number."""
    if len(site.args) >= 3 and not ctx.is_series(site.args[2]):
        args = (*site.args[:2], Ref(ctx.column("close", site.span)), *site.args[2:])
        return site._replace(args=args, places=(*site.places[:2], site.span, *site.places[2:]))
    return site


def _combine(ctx: Context, site: CallSite, title: str, args: tuple[Arg, ...]) -> Value:
    if len(site.args) == 1 and isinstance(site.args[0], ListValue):
        items = site.args[0].items
        site = site._replace(args=items, places=(site.span,) * len(items))
    return call_row(ctx, site.key, bind(ctx, site, title, args), site.span)


def _indicator(ctx: Context, site: CallSite, rest: str) -> Value:
    """`indicator.atr(14)`, `indicator.rsi.close(14)`, `indicator.ema.apply(x, 20)`."""
    name, _, source = rest.partition(".")
    row = OPS[INDICATOR_NAMES[name]]
    columns = [arg for arg in row.args if arg.column]
    filled: dict[str, Value] = {}
    if source in OHLCV:
        filled = {arg.name: Ref(ctx.column(arg.column if len(columns) > 1 else source, site.span)) for arg in columns}
    elif source != "apply" and len(columns) > 1 and not (site.args and ctx.is_series(site.args[0])):
        filled = {arg.name: Ref(ctx.column(arg.column, site.span)) for arg in columns}
    filled = {key: value for key, value in filled.items() if key not in site.keywords}
    given = tuple(filled[arg.name] for arg in columns if arg.name in filled) if filled else ()
    site = site._replace(key=row.name, args=(*given, *site.args), places=(*(site.span for _ in given), *site.places))
    title = f"indicator.{rest}"
    if row.name == "fn.ichimoku":
        site = _older_ichimoku(ctx, site)
    return call_row(ctx, row.name, bind(ctx, site, title, row.args), site.span)


def _pattern(ctx: Context, site: CallSite, name: str) -> Value:
    target = PATTERN_NAMES[name]
    own = {"pattern.doji": "fn.DOJI", "pattern.hammer": "fn.HAMMER"}
    if target in own:
        nodes = bind(ctx, site, f"pattern.{name}", parse_args("threshold:F=0.1" if name == "doji" else ""))
        return call_row(ctx, own[target], nodes, site.span)
    if target == "pattern.engulfing":
        bind(ctx, site, f"pattern.{name}", ())
        return Record({
            "is_bullish": call_row(ctx, "fn.BULLISH_ENGULFING", [], site.span),
            "is_bearish": call_row(ctx, "fn.BEARISH_ENGULFING", [], site.span),
        })  # fmt: skip
    row = OPS[target]
    extra = tuple(arg for arg in row.args if not arg.column)
    columns = [ctx.column(arg.column, site.span) for arg in row.args if arg.column]
    found = ctx.emit(site.span, target, *columns, *bind(ctx, site, f"pattern.{name}", extra))
    zero = ctx.const(0.0)
    bullish, bearish = ctx.emit(site.span, "gt", found, zero), ctx.emit(site.span, "lt", found, zero)
    if name == "morning_star":
        return Ref(bullish)
    return Record({"is_bullish": Ref(bullish), "is_bearish": Ref(bearish)})


def _dict_method(ctx: Context, site: CallSite, name: str) -> Value:
    value = site.receiver
    assert isinstance(value, DictValue)
    if name == "get":
        found = bound(ctx, site, "get", parse_args("key:e, default:e=None"))
        key, default = found["key"][0], found["default"][0]
        wanted = None if key is None else ctx.value_of(key)
        return value.entries.get(wanted) or default or Ref(ctx.const(None))
    bind(ctx, site, name, ())
    keys: list[Value] = [Ref(ctx.const(key)) for key in value.entries]
    if name == "keys":
        return ListValue(tuple(keys))
    if name == "values":
        return ListValue(tuple(value.entries.values()))
    pairs = zip(keys, value.entries.values(), strict=True)
    return ListValue(tuple(ListValue(pair, is_tuple=True) for pair in pairs))
