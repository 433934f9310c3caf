"""The functions of the language: how each row that is no op itself is written in ops, for both profiles."""

from collections.abc import Callable
from typing import Final, TypeAlias

from mysingle.dsl.ir.kinds import Kind, Phase
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.lang.context import Context
from mysingle.dsl.lang.source import Span
from mysingle.dsl.lang.values import Record, Ref, Value

__all__ = ["LIBRARY", "Maker", "call_row"]


class Maker:
    """Shorthand to write formulas: each method adds one node."""

    def __init__(self, ctx: Context, span: Span) -> None:
        self.ctx = ctx
        self.span = span
        self.is_older = ctx.profile == "mysingle-1"

    def __call__(self, op: str, *nodes: int) -> int:
        """Add a node."""
        return self.ctx.emit(self.span, op, *nodes)

    def number(self, value: float | bool) -> int:
        """Return a constant."""
        return self.ctx.const(value)

    def outputs(self, op: str, *args: int) -> list[int]:
        """Return all outputs of an op with several."""
        record = self.ctx.emit(self.span, op, *args)
        return [self.ctx.output(self.span, record, i) for i in range(len(OPS[op].outputs))]

    def ewm(self, series: int, alpha: int) -> int:
        """Return the recursive mean with the first value as seed."""
        flags = [self.ctx.const(False), self.ctx.const(0), self.ctx.const(False)]
        return self.ctx.emit(self.span, "ewm_mean", series, alpha, *flags)

    def span_ewm(self, series: int, span: int) -> int:
        """Return the older profile's EMA: alpha 2/(n+1), first value as seed."""
        return self.ewm(series, self("div", self.number(2.0), self("add", span, self.number(1))))

    def shift(self, series: int, periods: int) -> int:
        """Return the value some bars ago."""
        kind = self.ctx.type(series).kind
        fill = self.ctx.const(False) if kind is Kind.BOOL else self.ctx.na()
        return self.ctx.emit(self.span, "shift", self._as_series(series), periods, fill)

    def _as_series(self, node: int) -> int:
        found = self.ctx.type(node)
        return node if found.phase is Phase.SERIES else self.ctx.emit(self.span, "broadcast", node)

    def rolling(self, name: str, series: int, window: int, *extra: int) -> int:
        """Return a window statistic that needs all its values."""
        return self.ctx.emit(self.span, f"rolling_{name}", series, window, self.number(0), *extra)


Formula: TypeAlias = Callable[[Maker, list[int]], int | dict[str, int]]


def call_row(ctx: Context, name: str, nodes: list[int], span: Span) -> Value:
    """Return the value of a row of the op table called with checked arguments."""
    formula = LIBRARY.get(name)
    make = Maker(ctx, span)
    if formula is not None:
        found = formula(make, nodes)
        return Record({key: Ref(node) for key, node in found.items()}) if isinstance(found, dict) else Ref(found)
    op = OPS[name]
    if len(op.outputs) == 1:
        return Ref(ctx.emit(span, name, *nodes))
    return Record({spec.name: Ref(node) for spec, node in zip(op.outputs, make.outputs(name, *nodes), strict=True)})


def _plain(op: str) -> Formula:
    return lambda m, a: m(op, *a)


def _ema(m: Maker, a: list[int]) -> int:
    return m.span_ewm(*a) if m.is_older else m("EMA", *a)


def _tema(m: Maker, a: list[int]) -> int:
    if not m.is_older:
        return m("TEMA", *a)
    one = m.span_ewm(a[0], a[1])
    two = m.span_ewm(one, a[1])
    three = m.span_ewm(two, a[1])
    return m("add", m("mul", m.number(3.0), m("sub", one, two)), three)


def _rsi(m: Maker, a: list[int]) -> int:
    if not m.is_older:
        return m("RSI", *a)
    change = m("sub", a[0], m.shift(a[0], m.number(1)))
    zero = m.number(0.0)
    gain = m.span_ewm(m("maximum", change, zero), a[1])
    loss = m.span_ewm(m("maximum", m("neg", change), zero), a[1])
    return m("sub", m.number(100.0), m("div", m.number(100.0), m("add", m.number(1.0), m("div", gain, loss))))


def _macd(m: Maker, a: list[int]) -> dict[str, int]:
    if not m.is_older:
        return dict(zip(("macd", "signal", "histogram"), m.outputs("MACD", *a), strict=True))
    line = m("sub", m.span_ewm(a[0], a[1]), m.span_ewm(a[0], a[2]))
    signal = m.span_ewm(line, a[3])
    return {"macd": line, "signal": signal, "histogram": m("sub", line, signal)}


def _bbands(m: Maker, a: list[int]) -> dict[str, int]:
    series, window, width = a
    if not m.is_older:
        return dict(zip(("upper", "middle", "lower"), m.outputs("BBANDS", series, window, width, width, m.number(0)),
                        strict=True))  # fmt: skip
    middle = m("SMA", series, window)
    band = m("mul", width, m("stdev", series, window))
    return {"upper": m("add", middle, band), "middle": middle, "lower": m("sub", middle, band)}


def _atr(m: Maker, a: list[int]) -> int:
    if not m.is_older:
        return m("ATR", *a)
    return m.span_ewm(_true_range(m, *a[:3]), a[3])


def _true_range(m: Maker, high: int, low: int, close: int) -> int:
    before = m.shift(close, m.number(1))
    gaps = m("maximum", m("abs", m("sub", high, before)), m("abs", m("sub", low, before)))
    span = m("sub", high, low)
    return m("maximum", span, m("fillna", gaps, span))


def _stochastic(m: Maker, a: list[int]) -> dict[str, int]:
    high, low, close, k, d = a
    if not m.is_older:
        return dict(zip(("k", "d"), m.outputs("STOCHF", high, low, close, k, d, m.number(0)), strict=True))
    bottom = m("lowest", low, k)
    raw = m("mul", m.number(100.0), m("div", m("sub", close, bottom), m("sub", m("highest", high, k), bottom)))
    return {"k": raw, "d": m("SMA", raw, d)}


def _stochrsi(m: Maker, a: list[int]) -> dict[str, int]:
    close, rsi, stoch, k_smooth, d_smooth = a
    if m.is_older:
        value = _rsi(m, [close, rsi])
        bottom = m("lowest", value, stoch)
        raw = m("mul", m.number(100.0), m("div", m("sub", value, bottom), m("sub", m("highest", value, stoch), bottom)))
    else:
        raw = m.outputs("STOCHRSI", close, rsi, stoch, m.number(1), m.number(0))[0]
    k = m("SMA", raw, k_smooth)
    return {"k": k, "d": m("SMA", k, d_smooth)}


def _adx(m: Maker, a: list[int]) -> dict[str, int]:
    return {"adx": m("ADX", *a), "plus_di": m("PLUS_DI", *a), "minus_di": m("MINUS_DI", *a)}


def _direction(m: Maker, a: list[int]) -> int:
    return m("fillna", m.outputs("SUPERTREND", *a)[1], m.number(0.0))


def _donchian(m: Maker, a: list[int]) -> dict[str, int]:
    return dict(zip(("upper", "middle", "lower"), m.outputs("DONCHIAN", *a), strict=True))


def _keltner(m: Maker, a: list[int]) -> dict[str, int]:
    high, low, close, ema, atr, factor = a
    middle = _ema(m, [close, ema])
    band = m("mul", factor, _atr(m, [high, low, close, atr]))
    return {"upper": m("add", middle, band), "middle": middle, "lower": m("sub", middle, band)}


def _ichimoku(m: Maker, a: list[int]) -> dict[str, int]:
    high, low, close, tenkan_period, kijun_period, senkou_period = a
    tenkan, kijun = m("MIDPRICE", high, low, tenkan_period), m("MIDPRICE", high, low, kijun_period)
    middle = m("div", m("add", tenkan, kijun), m.number(2.0))
    if m.ctx.is_const(close):
        close = m.ctx.column("close", m.span)
    return {
        "tenkan": tenkan, "kijun": kijun, "senkou_a": m.shift(middle, kijun_period),
        "senkou_b": m.shift(m("MIDPRICE", high, low, senkou_period), kijun_period),
        "chikou": m("lead", close, kijun_period),
    }  # fmt: skip


def _obv(m: Maker, a: list[int]) -> int:
    if not m.is_older:
        return m("OBV", *a)
    close, volume = a
    before = m.shift(close, m.number(1))
    signed = m("where", m("ge", close, before), volume, m("neg", volume))
    return m("cumsum", m("where", m("isna", before), m.ctx.na(), signed))


def _vwap(m: Maker, a: list[int]) -> int:
    close, volume, window = a
    if m.ctx.is_const(window) and m.ctx.value_of(window) is None:
        return m("vwap", close, volume)
    if m.ctx.is_const(window):
        value = m.ctx.value_of(window)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 5_000:
            raise m.ctx.refuse(
                "argument_range",
                m.span,
                name="vwap",
                argument="window",
                actual=value,
                bounds="at least 1 and at most 5000",
                signature="vwap(close, volume, window=None)",
            )
    return m("vwap_window", close, volume, window)


def _change(m: Maker, a: list[int]) -> int:
    return m("sub", a[0], m.shift(a[0], a[1]))


def _pct_change(m: Maker, a: list[int]) -> int:
    return m("sub", m("div", a[0], m.shift(a[0], a[1])), m.number(1.0))


def _cross(m: Maker, a: list[int]) -> int:
    return m("or", m("crossover", *a), m("crossunder", *a))


def _pivots(m: Maker, a: list[int]) -> dict[str, int]:
    high, low, close = a
    pivot = m("div", m("add", m("add", high, low), close), m.number(3.0))
    double, span, two = m("mul", m.number(2.0), pivot), m("sub", high, low), m.number(2.0)
    return {
        "pivot": pivot, "r1": m("sub", double, low), "s1": m("sub", double, high), "r2": m("add", pivot, span),
        "s2": m("sub", pivot, span), "r3": m("add", high, m("mul", two, m("sub", pivot, low))),
        "s3": m("sub", low, m("mul", two, m("sub", high, pivot))),
    }  # fmt: skip


def _fibonacci(m: Maker, a: list[int]) -> dict[str, int]:
    high, low = a
    span = m("sub", high, low)
    levels = {"0%": 0.0, "23.6%": 0.236, "38.2%": 0.382, "50%": 0.5, "61.8%": 0.618, "100%": 1.0}
    return {name: m("add", low, m("mul", m.number(level), span)) for name, level in levels.items()}


def _generate(m: Maker, a: list[int]) -> int:
    if m.ctx.value_of(a[1]) not in {"long", "short"}:
        raise m.ctx.refuse("option", m.span, name="signal_type", options="'long' or 'short'")
    return a[0]


def _combine(m: Maker, a: list[int]) -> int:
    mode, *signals = a
    name = m.ctx.value_of(mode)
    if name not in {"and", "or"}:
        raise m.ctx.refuse("option", m.span, name="mode", options="'and' or 'or'")
    if not signals:
        raise m.ctx.refuse("missing_argument", m.span, name="combine_signals", argument="signals",
                           signature="combine_signals(*signals, mode='and')")  # fmt: skip
    found = signals[0]
    for signal in signals[1:]:
        found = m(str(name), found, signal)
    return found


def _fixed(m: Maker, a: list[int]) -> int:
    return m("div", m("mul", a[0], a[1]), a[2])


def _kelly(m: Maker, a: list[int]) -> int:
    win_rate, win, loss = a
    ratio, zero = m("div", win, loss), m.number(0.0)
    edge = m("sub", m("mul", win_rate, ratio), m("sub", m.number(1.0), win_rate))
    half = m("maximum", zero, m("mul", m.number(0.5), m("div", edge, ratio)))
    return m.ctx.choose(m.span, m("eq", loss, zero), zero, half)


def _trail(m: Maker, a: list[int]) -> int:
    return m("cummax", m("sub", a[0], m("mul", a[2], a[1])))


def _statistics(m: Maker, series: int, window: int) -> tuple[int, int, int, int]:
    """Return mean, deviation, minimum and maximum, of a window or of all bars."""
    if m.ctx.is_const(window) and m.ctx.value_of(window) is None:
        one = m.number(1)
        return m("red_mean", series), m("red_std", series, one), m("red_min", series), m("red_max", series)
    return (m.rolling("mean", series, window), m.rolling("std", series, window, m.number(1)),
            m("lowest", series, window), m("highest", series, window))  # fmt: skip


def _normalize(m: Maker, a: list[int]) -> int:
    series, method, window = a
    mean, deviation, low, high = _statistics(m, series, window)
    name = m.ctx.value_of(method)
    if name == "minmax":
        return m("div", m("sub", series, low), m("sub", high, low))
    if name == "zscore":
        return m("div", m("sub", series, mean), deviation)
    raise m.ctx.refuse("option", m.span, name="method", options="'minmax' or 'zscore'")


def _outliers(m: Maker, a: list[int]) -> int:
    series, width, window = a
    mean, deviation, _, _ = _statistics(m, series, window)
    return m("gt", m("abs", m("sub", series, mean)), m("mul", width, deviation))


def _bars(m: Maker) -> tuple[int, int, int, int]:
    opened, high, low, close = (m.ctx.column(name, m.span) for name in ("open", "high", "low", "close"))
    return opened, high, low, close


def _doji(m: Maker, a: list[int]) -> int:
    opened, high, low, close = _bars(m)
    return m("le", m("abs", m("sub", close, opened)), m("mul", a[-1], m("sub", high, low)))


def _hammer(m: Maker, _a: list[int]) -> int:
    opened, high, low, close = _bars(m)
    body = m("abs", m("sub", close, opened))
    lower, upper = m("sub", m("minimum", opened, close), low), m("sub", high, m("maximum", opened, close))
    return m("and", m("gt", lower, m("mul", m.number(2.0), body)), m("lt", upper, body))


def _engulfing(bullish: bool) -> Formula:  # private
    def run(m: Maker, _a: list[int]) -> int:
        opened, _, _, close = _bars(m)
        one = m.number(1)
        before_open, before_close = m.shift(opened, one), m.shift(close, one)
        up, down = ("gt", "lt") if bullish else ("lt", "gt")
        colours = m("and", m(down, before_close, before_open), m(up, close, opened))
        outside = m("and", m(down, opened, before_close), m(up, close, before_open))
        return m("and", colours, outside)

    return run


def _where(m: Maker, a: list[int]) -> int:
    return m.ctx.choose(m.span, *a)


def _ffill(m: Maker, a: list[int]) -> int:
    return m("ffill", a[0], m.number(0))


def _offset(sign: str) -> Formula:
    return lambda m, a: m(sign, a[0], m("mul", a[2], a[1]))


LIBRARY: Final[dict[str, Formula]] = {
    "fn.EMA": _ema, "fn.RMA": _plain("RMA"), "fn.SMA": _plain("SMA"), "fn.WMA": _plain("WMA"), "fn.TEMA": _tema,
    "fn.RSI": _rsi, "fn.MACD": _macd, "fn.stdev": _plain("stdev"), "fn.bbands": _bbands, "fn.atr": _atr,
    "fn.stochastic": _stochastic, "fn.stochrsi": _stochrsi, "fn.CCI": _plain("CCI"), "fn.williams_r": _plain("WILLR"),
    "fn.ADX": _adx, "fn.parabolic_sar": _plain("SAR"), "fn.supertrend": lambda m, a: m.outputs("SUPERTREND", *a)[0],
    "fn.supertrend_dir": _direction, "fn.donchian_channels": _donchian, "fn.keltner_channels": _keltner,
    "fn.ichimoku": _ichimoku, "fn.obv": _obv, "fn.vwap": _vwap, "fn.change": _change, "fn.pct_change": _pct_change,
    "fn.cross": _cross, "fn.pivot_points": _pivots, "fn.fibonacci_retracement": _fibonacci,
    "fn.generate_signal": _generate, "fn.entry_exit_signals": lambda _m, a: {"entry": a[0], "exit": a[1]},
    "fn.signal_filter": _plain("and"), "fn.combine_signals": _combine, "fn.position_sizing_fixed": _fixed,
    "fn.position_sizing_kelly": _kelly, "fn.stop_loss": _offset("sub"), "fn.take_profit": _offset("add"),
    "fn.trailing_stop": _trail, "fn.normalize": _normalize, "fn.detect_outliers": _outliers, "fn.DOJI": _doji,
    "fn.HAMMER": _hammer, "fn.BULLISH_ENGULFING": _engulfing(True), "fn.BEARISH_ENGULFING": _engulfing(False),
    "fn.where": _where, "fn.nz": _plain("fillna"), "fn.na": _plain("isna"), "fn.fixnan": _ffill,
    "fn.crossover": _plain("crossover"), "fn.crossunder": _plain("crossunder"), "fn.bars_since": _plain("bars_since"),
    "fn.value_when": _plain("value_when"), "fn.rising": _plain("rising"), "fn.falling": _plain("falling"),
    "fn.highest": _plain("highest"), "fn.lowest": _plain("lowest"), "fn.sign": _plain("sign"),
    **{f"fn.{name}_exact": _plain(f"{name}_exact") for name in ("gt", "lt", "ge", "le", "eq", "ne")},
}  # fmt: skip
"""Composite row → its formula."""
