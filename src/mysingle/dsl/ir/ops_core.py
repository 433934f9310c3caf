"""Rows of the op table: special nodes, pointwise arithmetic and logic, windows, cumulations, signals, reductions."""

from typing import Final

from mysingle.dsl.ir.row import (
    UNBOUNDED,
    Flag,
    Gas,
    NaPolicy,
    Op,
    Rule,
    Values,
    decay,
    parse_args,
)

__all__ = ["CORE"]

_BAR = frozenset({Flag.BAR})
_OVERFLOW = frozenset({Flag.BAR, Flag.MAY_OVERFLOW})
_SPECIAL = frozenset({Flag.SPECIAL})


def _number(values: Values, index: int) -> float:
    value = values[index]
    return float(value) if isinstance(value, int | float) else 0.0


def _unbounded(_values: Values) -> float:
    return UNBOUNDED


def _at(index: int, minus: int = 0) -> Rule:
    return lambda values: max(_number(values, index) - minus, 0)


def _periods(values: Values) -> float:
    """Count from the required values: a window that accepts fewer is valid earlier."""
    required = _number(values, 2)
    return max((min(required, _number(values, 1)) if required else _number(values, 1)) - 1, 0)


def _special(number: int, name: str, result: str, imm: int = 0, args: str = "", doc: str = "", **more: object) -> Op:
    return Op(
        id=number,
        name=name,
        args=parse_args(args),
        result=result,
        imm=imm,
        doc=doc,
        flags=_SPECIAL,
        gas=Gas(0, 0.0),
        na=NaPolicy.NONE,
        **more,  # type: ignore[arg-type]  # the keywords are fields of Op
    )


def _point(number: int, name: str, args: str, result: str = "float", bar: float = 0.6, **more: object) -> Op:
    more.setdefault("flags", _BAR)
    return Op(
        id=number,
        name=name,
        args=parse_args(args),
        result=result,
        kernel=name,
        gas=Gas(400, bar),
        **more,  # type: ignore[arg-type]  # the keywords are fields of Op
    )


def _rolling(number: int, name: str, extra: str = "", bar: float = 2.4, slope: float = 0.0, inputs: str = "x") -> Op:
    count = inputs.count(",") + 1
    first: Rule = (lambda values: _periods((None, *values[count:]))) if count > 1 else _periods
    return Op(
        id=number,
        name=name,
        args=parse_args(f"{inputs}, window:W, min_periods:K{extra}"),
        kernel=name,
        first=first,
        horizon=_at(count, 1),
        gas=Gas(2000, bar, slope),
        na=NaPolicy.SEGMENT,
    )


def _running(number: int, name: str, args: str = "x", *, result: str = "float") -> Op:
    return Op(
        id=number,
        name=name,
        args=parse_args(args),
        result=result,
        kernel=name,
        horizon=_unbounded,
        gas=Gas(600, 2.5),
        na=NaPolicy.SKIP,
    )


def _ewm(number: int, name: str) -> Op:
    return Op(
        id=number,
        name=name,
        args=parse_args("x, alpha:F, adjust:B, min_periods:K, ignore_na:B, *bias:B"),
        kernel=name,
        first=lambda values: max(_number(values, 3) - 1, 0 if name == "ewm_mean" else 1),
        horizon=lambda values: decay(_number(values, 1)),
        gas=Gas(1000, 4.0),
        na=NaPolicy.NONE,
    )


def _reduce(number: int, name: str, args: str = "x", result: str = "float") -> Op:
    return Op(
        id=number,
        name=name,
        args=parse_args(args),
        result=result,
        kernel=name,
        lead=_unbounded,
        gas=Gas(600, 1.5),
        na=NaPolicy.NONE,
        flags=frozenset({Flag.REDUCTION}),
    )


def _signal(number: int, name: str, args: str, result: str = "float", **more: object) -> Op:
    more.setdefault("gas", Gas(600, 1.0))
    return Op(
        id=number,
        name=name,
        args=parse_args(args),
        result=result,
        kernel=name,
        **more,  # type: ignore[arg-type]  # the keywords are fields of Op
    )


_SPECIALS = (
    _special(1, "const", "declared", 1, doc="A constant; None of kind float is na."),
    _special(2, "param", "declared", 1, doc="The value of a parameter, by name."),
    _special(3, "col", "float", 1, doc="A column of the data, by name."),
    _special(4, "meta", "declared", 1, doc="A word or number about the data: input.symbol, universe.market_cap."),
    _special(5, "time", "time", doc="Opening time of the bar, ms since the epoch, UTC."),
    _special(6, "hour", "float", doc="Hour of the bar in the data's time zone."),
    _special(7, "minute", "float", doc="Minute of the bar."),
    _special(8, "day_of_week", "float", doc="1 = Monday to 7 = Sunday."),
    _special(9, "is_regular_session", "bool", doc="Whether the bar opens in the regular session."),
    _special(10, "is_open", "bool", doc="Whether the market is open at the bar, extended hours included."),
    _special(11, "is_new_bar", "bool", doc="True on closed bars, False inside peek."),
    _special(12, "bar_index", "float", doc="0 for the first bar.", horizon=_unbounded),
    _special(13, "n_bars", "int", doc="The number of bars: a run scalar that looks ahead.", lead=_unbounded),
    _special(
        14,
        "broker",
        "float",
        1,
        doc="equity, position_size, unrealized_pnl ... before the orders of the bar.",
        horizon=_unbounded,
    ),
    _special(15, "state", "declared", 1, doc="A state variable at the end of the previous bar.", horizon=_unbounded),
    _special(16, "get", "declared", 1, "record:e", doc="One output of an op with several."),
    _special(17, "tf_col", "float", 3, doc="A column on a higher timeframe: grid, column, aggregation."),
    Op(
        id=18,
        name="align",
        args=parse_args("x:e"),
        result="same",
        kernel="align",
        na=NaPolicy.NONE,
        gas=Gas(1000, 1.5),
        doc="A higher-timeframe series as the base bars see it: closed buckets only.",
    ),
    Op(
        id=19,
        name="broadcast",
        args=parse_args("value:R"),
        result="same",
        kernel="broadcast",
        flags=_BAR,
        doc="A scalar as a series.",
    ),
    Op(
        id=20,
        name="at",
        args=parse_args("x:e, index:C"),
        result="same",
        kernel="at",
        lead=_unbounded,
        na=NaPolicy.NONE,
        flags=frozenset({Flag.REDUCTION}),
        doc="The value at a fixed position of the data; negative counts from the end.",
    ),
)

_POINTWISE = (
    _point(30, "add", "a, b", "num", flags=_OVERFLOW),
    _point(31, "sub", "a, b", "num", flags=_OVERFLOW),
    _point(32, "mul", "a, b", "num", flags=_OVERFLOW),
    _point(33, "div", "a, b", flags=_OVERFLOW, bar=1.0),
    _point(34, "floordiv", "a, b", "num", flags=_OVERFLOW, bar=3.0),
    _point(35, "mod", "a, b", "num", flags=_OVERFLOW, bar=6.0),
    _point(36, "pow", "a, b", "num", flags=_OVERFLOW, bar=12.0),
    _point(37, "neg", "a", "num"),
    _point(38, "abs", "a", "num"),
    _point(39, "minimum", "a, b", "num"),
    _point(40, "maximum", "a, b", "num"),
    _point(41, "sign", "x"),
    _point(42, "sqrt", "x", bar=1.0),
    _point(43, "exp", "x", flags=_OVERFLOW, bar=4.0),
    _point(44, "log", "x", bar=4.0),
    _point(45, "log10", "x", bar=5.0),
    _point(46, "log2", "x", bar=5.0),
    _point(47, "sin", "x", bar=8.0),
    _point(48, "cos", "x", bar=8.0),
    _point(49, "tan", "x", bar=10.0, flags=_OVERFLOW),
    _point(50, "arcsin", "x", bar=8.0),
    _point(51, "arccos", "x", bar=8.0),
    _point(52, "arctan", "x", bar=8.0),
    _point(53, "floor", "x", "int_scalar"),
    _point(54, "ceil", "x", "int_scalar"),
    _point(55, "trunc", "x", "int_scalar"),
    _point(56, "round", "x, decimals:I(-15,15)", bar=2.0),
    _point(57, "to_bool", "x", "bool", 0.3),
    _point(58, "to_float", "x:b", bar=0.5),
    _point(59, "isna", "x", "bool", 0.3),
    _point(60, "fillna", "x, value"),
    _point(61, "gt", "a, b", "bool"),
    _point(62, "ge", "a, b", "bool"),
    _point(63, "lt", "a, b", "bool"),
    _point(64, "le", "a, b", "bool"),
    _point(65, "eq", "a, b", "bool"),
    _point(66, "ne", "a, b", "bool"),
    _point(67, "gt_exact", "a:e, b:e", "bool", 0.3),
    _point(68, "ge_exact", "a:e, b:e", "bool", 0.3),
    _point(69, "lt_exact", "a:e, b:e", "bool", 0.3),
    _point(70, "le_exact", "a:e, b:e", "bool", 0.3),
    _point(71, "eq_exact", "a:e, b:e", "bool", 0.3),
    _point(72, "ne_exact", "a:e, b:e", "bool", 0.3),
    _point(73, "and", "a:b, b:b", "bool", 0.2),
    _point(74, "or", "a:b, b:b", "bool", 0.2),
    _point(75, "xor", "a:b, b:b", "bool", 0.2),
    _point(76, "not", "a:b", "bool", 0.2),
    _point(77, "select", "cond:B, a:e, b:e", "same", 0.1, flags=frozenset({Flag.BAR, Flag.LAZY})),
    _point(78, "where", "cond:b, a:e, b:e", "same", 0.8),
    _point(79, "str_eq", "a:s, b:s", "bool", 0.0),
    _point(80, "is_none", "x:P", "bool", 0.0),
    _point(81, "is_type", "x:P, names:S", "bool", 0.0),
    _point(82, "time_diff", "a:t, b:t"),
    _point(83, "sinh", "x", flags=_OVERFLOW, bar=8.0),
    _point(84, "cosh", "x", flags=_OVERFLOW, bar=8.0),
    _point(85, "tanh", "x", bar=8.0),
    _point(86, "or_else", "a:P, b:P", "same", 0.0),
    _point(87, "and_then", "a:P, b:P", "same", 0.0),
    _point(88, "to_str", "x:P", "str", 0.0),
)

_WINDOWS = (
    _signal(100, "shift", "x:e, periods:K, fill:P", "same", first=_at(1), na=NaPolicy.SHIFT, gas=Gas(400, 0.3)),
    _signal(101, "lead", "x, periods:K", lead=_at(1), na=NaPolicy.SHIFT, gas=Gas(400, 0.3)),
    _signal(102, "ffill", "x, limit:K", na=NaPolicy.NONE, horizon=_unbounded),
    _rolling(110, "rolling_mean"),
    _rolling(111, "rolling_sum"),
    _rolling(112, "rolling_std", ", ddof:K"),
    _rolling(113, "rolling_var", ", ddof:K"),
    _rolling(114, "rolling_min"),
    _rolling(115, "rolling_max"),
    _rolling(116, "rolling_median", bar=20.0, slope=0.5),
    _rolling(117, "rolling_count"),
    _rolling(118, "rolling_quantile", ", q:F(0,1)", bar=25.0, slope=0.5),
    _rolling(119, "rolling_rank", bar=12.0, slope=0.5),
    _rolling(120, "rolling_corr", bar=9.0, inputs="x, y"),
    _rolling(121, "rolling_cov", ", ddof:K", bar=7.0, inputs="x, y"),
    _ewm(130, "ewm_mean"),
    _ewm(131, "ewm_var"),
    _ewm(132, "ewm_std"),
    *(
        _running(140 + i, f"expanding_{name}", "x, min_periods:K")
        for i, name in enumerate(("mean", "sum", "min", "max", "count"))
    ),
    _running(145, "expanding_std", "x, min_periods:K, ddof:K"),
    _running(146, "expanding_var", "x, min_periods:K, ddof:K"),
    _running(150, "cumsum"),
    _running(151, "cumprod"),
    _running(152, "cummax"),
    _running(153, "cummin"),
    _signal(154, "isin_exact", "x, *values:F", "bool", flags=_BAR),
)

_SIGNALS = (
    _signal(170, "crossover", "series1, series2", "bool", first=lambda _: 1, gas=Gas(800, 0.5)),
    _signal(171, "crossunder", "series1, series2", "bool", first=lambda _: 1, gas=Gas(800, 0.5)),
    _signal(172, "bars_since", "cond:b", horizon=_unbounded),
    _signal(173, "value_when", "cond:b, series, n:K", horizon=_unbounded),
    _signal(174, "rising", "series, n:W", "bool", first=_at(1), na=NaPolicy.SEGMENT),
    _signal(175, "falling", "series, n:W", "bool", first=_at(1), na=NaPolicy.SEGMENT),
    _signal(176, "highest", "series, window:W", first=_at(1, 1), na=NaPolicy.SEGMENT, gas=Gas(2000, 0.8)),
    _signal(177, "lowest", "series, window:W", first=_at(1, 1), na=NaPolicy.SEGMENT, gas=Gas(2000, 0.8)),
    _signal(178, "stdev", "series, window:W2", first=_at(1, 1), na=NaPolicy.SEGMENT, gas=Gas(2400, 3.0)),
    _signal(179, "vwap", "close, volume", na=NaPolicy.SKIP, horizon=_unbounded, gas=Gas(1200, 3.0)),
    _signal(180, "vwap_window", "close, volume, window:W", first=_at(2, 1), na=NaPolicy.SEGMENT, gas=Gas(4000, 3.0)),
)

_REDUCTIONS = (
    *(
        _reduce(200 + i, f"red_{name}")
        for i, name in enumerate(("mean", "sum", "min", "max", "median", "count", "prod", "first", "last"))
    ),
    _reduce(210, "red_std", "x, ddof:K"),
    _reduce(211, "red_var", "x, ddof:K"),
    _reduce(212, "red_quantile", "x, q:F(0,1)"),
    _reduce(213, "red_any", "x:b", "bool"),
    _reduce(214, "red_all", "x:b", "bool"),
    _reduce(215, "red_corr", "x, y"),
    _reduce(216, "red_cov", "x, y"),
    Op(
        id=217,
        name="rank_all",
        args=parse_args("x"),
        kernel="rank_all",
        lead=_unbounded,
        gas=Gas(2000, 60.0),
        na=NaPolicy.NONE,
        doc="Average percentile of each value among all values of the data.",
    ),
)

CORE: Final = (*_SPECIALS, *_POINTWISE, *_WINDOWS, *_SIGNALS, *_REDUCTIONS)
"""Every row that is not a function of TA-Lib."""
