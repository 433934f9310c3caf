"""Momentum, volatility, volume and trend."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from mysingle.dsl.kernels.reference.averages import ema, sma
from mysingle.dsl.kernels.reference.series import (
    NA,
    Line,
    changes,
    mean,
    pointwise,
    rolling,
    true_range,
    wilder,
)

__all__ = ["OSCILLATORS"]


def _share(part: float, other: float) -> float:
    return 100.0 * part / (part + other) if part + other else 0.0


def _rsi(line: Line, period: int) -> Line:
    moves = changes(line)
    gains = wilder([move if move != move else max(move, 0.0) for move in moves], period)
    losses = wilder([move if move != move else max(-move, 0.0) for move in moves], period)
    return pointwise(_share, gains, losses)


def _cmo(line: Line, period: int) -> Line:
    moves = changes(line)
    gains = wilder([move if move != move else max(move, 0.0) for move in moves], period)
    losses = wilder([move if move != move else max(-move, 0.0) for move in moves], period)
    return pointwise(lambda up, down: 100.0 * (up - down) / (up + down) if up + down else 0.0, gains, losses)


def _macd(line: Line, fast: int, slow: int, signal: int) -> tuple[Line, Line, Line]:
    fast, slow = min(fast, slow), max(fast, slow)
    late = [NA] * min(slow - fast, len(line)) + line[slow - fast :]
    difference = pointwise(lambda a, b: a - b, ema(late, fast), ema(line, slow))
    smooth = ema(difference, signal)
    shown = pointwise(lambda a, b: a, difference, smooth)
    return shown, smooth, pointwise(lambda a, b: a - b, difference, smooth)


def _atr(high: Line, low: Line, close: Line, period: int) -> Line:
    return wilder(true_range(high, low, close), period)


def _stochf(high: Line, low: Line, close: Line, k: int, d: int, kind: int = 0) -> tuple[Line, Line]:
    assert kind == 0
    raw = _raw_stochastic(high, low, close, k)
    slow = sma(raw, d)
    return pointwise(lambda a, b: a, raw, slow), slow


def _raw_stochastic(high: Line, low: Line, close: Line, period: int) -> Line:
    top, bottom = rolling(max, high, period), rolling(min, low, period)
    return pointwise(lambda c, t, b: 100.0 * (c - b) / (t - b) if t != b else 0.0, close, top, bottom)


def _stoch(high: Line, low: Line, close: Line, k: int, slow: int, kind: int, d: int, last: int) -> tuple[Line, Line]:
    assert kind == 0
    assert last == 0
    first = sma(_raw_stochastic(high, low, close, k), slow)
    second = sma(first, d)
    return pointwise(lambda a, b: a, first, second), second


def _stochrsi(line: Line, period: int, k: int, d: int, kind: int = 0) -> tuple[Line, Line]:
    rsi = _rsi(line, period)
    start = next((at for at, value in enumerate(rsi) if value == value), len(rsi))
    fast, slow = _stochf(rsi[start:], rsi[start:], rsi[start:], k, d, kind)
    return [NA] * start + fast, [NA] * start + slow


def _cci(high: Line, low: Line, close: Line, period: int) -> Line:
    def one(values: Sequence[float]) -> float:
        centre = mean(values)
        spread = mean([abs(value - centre) for value in values])
        gap = values[-1] - centre
        return gap / (0.015 * spread) if gap and spread else 0.0

    return rolling(one, pointwise(lambda h, lo, c: (h + lo + c) / 3, high, low, close), period)


def _willr(high: Line, low: Line, close: Line, period: int) -> Line:
    top, bottom = rolling(max, high, period), rolling(min, low, period)
    return pointwise(lambda c, t, b: -100.0 * (t - c) / (t - b) if t != b else 0.0, close, top, bottom)


def _moves(high: Line, low: Line) -> tuple[Line, Line]:
    up, down = [NA], [NA]
    for at in range(1, len(high)):
        rise, fall = high[at] - high[at - 1], low[at - 1] - low[at]
        up.append(rise if rise > fall and rise > 0 else 0.0)
        down.append(fall if fall > rise and fall > 0 else 0.0)
    return up[: len(high)], down[: len(high)]


def _wilder_sum(line: Line, period: int) -> Line:
    """Sum n - 1 values, then fade by 1/n and add: the first result is that of the n-th value."""
    result = [NA] * len(line)
    total = math.fsum(line[1:period]) if len(line) > period else NA
    for at in range(period, len(line)):
        total = total - total / period + line[at]
        result[at] = total
    return result


def _directions(high: Line, low: Line, close: Line, period: int) -> tuple[Line, Line]:
    up, down = _moves(high, low)
    ranges = true_range(high, low, close)
    if period == 1:
        whole = [pointwise(lambda a, r: a / r if r else 0.0, side, ranges) for side in (up, down)]
        return whole[0], whole[1]
    spread = _wilder_sum(ranges, period)
    found = [
        pointwise(lambda a, r: 100.0 * a / r if r else 0.0, _wilder_sum(side, period), spread) for side in (up, down)
    ]
    return found[0], found[1]


def _dx(high: Line, low: Line, close: Line, period: int) -> Line:
    up, down = _directions(high, low, close, period)
    return pointwise(lambda a, b: 100.0 * abs(a - b) / (a + b) if a + b else 0.0, up, down)


def _adx(high: Line, low: Line, close: Line, period: int) -> Line:
    return wilder(_dx(high, low, close, period), period)


def _sar(high: Line, low: Line, step: float, most: float) -> Line:
    result = [NA] * len(high)
    if len(high) < 2:
        return result
    step = min(step, most)
    fall = low[0] - low[1]
    is_long = not (fall > 0 and high[1] - high[0] < fall)
    best, sar = (high[1], low[0]) if is_long else (low[1], high[0])
    factor = step
    before = (high[1], low[1])
    for at in range(1, len(high)):
        (old_high, old_low), before = before, (high[at], low[at])
        is_long, best, sar, factor, result[at] = _sar_step(
            is_long, best, sar, factor, (old_high, old_low, high[at], low[at]), (step, most)
        )
    return result


def _sar_step(
    is_long: bool, best: float, sar: float, factor: float, bars: tuple[float, ...], speed: tuple[float, float]
) -> tuple[bool, float, float, float, float]:
    # A short position is a long one upside down.
    sign = 1.0 if is_long else -1.0
    old_high, old_low, high, low = bars if is_long else (-bars[1], -bars[0], -bars[3], -bars[2])
    best, sar = sign * best, sign * sar
    step, most = speed
    if low <= sar:
        shown = max(best, old_high, high)
        following = shown + step * (low - shown)
        following = max(following, old_high, high)
        return not is_long, sign * low, sign * following, step, sign * shown
    shown = sar
    if high > best:
        best, factor = high, min(factor + step, most)
    following = min(sar + factor * (best - sar), old_low, low)
    return is_long, sign * best, sign * following, factor, sign * shown


def _aroon(high: Line, low: Line, period: int) -> tuple[Line, Line]:
    down, up = [NA] * len(high), [NA] * len(high)
    for at in range(period, len(high)):
        part = range(at - period, at + 1)
        lowest = min(low[i] for i in part)
        highest = max(high[i] for i in part)
        down[at] = 100.0 * (period - (at - max(i for i in part if low[i] == lowest))) / period
        up[at] = 100.0 * (period - (at - max(i for i in part if high[i] == highest))) / period
    return down, up


def _aroonosc(high: Line, low: Line, period: int) -> Line:
    down, up = _aroon(high, low, period)
    return pointwise(lambda a, b: b - a, down, up)


def _mfi(high: Line, low: Line, close: Line, volume: Line, period: int) -> Line:
    typical = pointwise(lambda h, lo, c: (h + lo + c) / 3, high, low, close)
    moves = changes(typical)
    flows = [t * v for t, v in zip(typical, volume, strict=True)]
    gains = [NA if m != m else (flow if m > 0 else 0.0) for m, flow in zip(moves, flows, strict=True)]
    losses = [NA if m != m else (flow if m < 0 else 0.0) for m, flow in zip(moves, flows, strict=True)]
    up, down = rolling(math.fsum, gains, period), rolling(math.fsum, losses, period)
    return pointwise(lambda a, b: 0.0 if a + b < 1.0 else 100.0 * a / (a + b), up, down)


def _obv(close: Line, volume: Line) -> Line:
    if not close:
        return []
    moves = (
        math.copysign(volume[at], close[at] - close[at - 1]) if close[at] != close[at - 1] else 0.0
        for at in range(1, len(close))
    )
    return list(accumulate([volume[0], *moves]))


def _money(high: float, low: float, close: float, volume: float) -> float:
    return ((close - low) - (high - close)) / (high - low) * volume if high > low else 0.0


def _ad(high: Line, low: Line, close: Line, volume: Line) -> Line:
    return list(accumulate(map(_money, high, low, close, volume)))


def _cmf(high: Line, low: Line, close: Line, volume: Line, period: int) -> Line:
    flow = rolling(math.fsum, pointwise(_money, high, low, close, volume), period)
    return pointwise(lambda a, b: a / b if b else 0.0, flow, rolling(math.fsum, volume, period))


def _ratio(give: Callable[[float, float], float]) -> Callable[[Line, int], Line]:
    return lambda line, period: [
        (give(line[at], line[at - period]) if line[at - period] else 0.0) if at >= period else NA
        for at in range(len(line))
    ]


def _mom(line: Line, period: int) -> Line:
    return [line[at] - line[at - period] if at >= period else NA for at in range(len(line))]


def _donchian(high: Line, low: Line, period: int) -> tuple[Line, Line, Line]:
    top, bottom = rolling(max, high, period), rolling(min, low, period)
    return top, pointwise(lambda a, b: (a + b) / 2, top, bottom), bottom


def _awesome(high: Line, low: Line, fast: int, slow: int) -> Line:
    middle = pointwise(lambda a, b: (a + b) / 2, high, low)
    return pointwise(lambda a, b: a - b, sma(middle, min(fast, slow)), sma(middle, max(fast, slow)))


def _heikin(opened: Line, high: Line, low: Line, close: Line) -> tuple[Line, Line, Line, Line]:
    bars: list[tuple[float, float, float, float]] = []
    for at, (o, h, lo, c) in enumerate(zip(opened, high, low, close, strict=True)):
        last = (o + h + lo + c) / 4
        first = (bars[-1][0] + bars[-1][3]) / 2 if at else (o + c) / 2
        bars.append((first, max(h, first, last), min(lo, first, last), last))
    return tuple([bar[k] for bar in bars] for k in range(4))  # type: ignore[return-value]  # four lines


def _trix(line: Line, period: int) -> Line:
    smooth = ema(ema(ema(line, period), period), period)
    return [NA] * min(1, len(line)) + [
        100.0 * (now / before - 1.0) if before else 0.0 for before, now in pairwise(smooth)
    ]


def _vwap(high: Line, low: Line, close: Line, volume: Line) -> Line:
    paid = accumulate((h + lo + c) / 3 * v for h, lo, c, v in zip(high, low, close, volume, strict=True))
    return [a / b if b else 0.0 for a, b in zip(paid, accumulate(volume), strict=True)]


def _supertrend(high: Line, low: Line, close: Line, period: int, multiplier: float) -> tuple[Line, Line]:
    spread = _atr(high, low, close, period)
    shown, trend = [NA] * len(high), [0.0] * len(high)
    upper = lower = NA
    direction = 1.0
    for at in range(period, len(high)):
        middle, reach = (high[at] + low[at]) / 2, multiplier * spread[at]
        above, below = middle + reach, middle - reach
        upper = above if upper != upper or above < upper or close[at - 1] > upper else upper
        lower = below if lower != lower or below > lower or close[at - 1] < lower else lower
        if direction > 0 and close[at] < lower:
            direction = -1.0
        elif direction < 0 and close[at] > upper:
            direction = 1.0
        shown[at], trend[at] = (lower if direction > 0 else upper), direction
    return shown, trend


OSCILLATORS: Mapping[str, Callable[..., Any]] = {
    "RSI": _rsi,
    "CMO": _cmo,
    "MACD": _macd,
    "MOM": _mom,
    "ROC": _ratio(lambda now, before: (now / before - 1.0) * 100.0),
    "ROCP": _ratio(lambda now, before: now / before - 1.0),
    "ROCR": _ratio(lambda now, before: now / before),
    "ROCR100": _ratio(lambda now, before: now / before * 100.0),
    "TRIX": _trix,
    "ATR": _atr,
    "NATR": lambda high, low, close, period: pointwise(
        lambda a, c: a / c * 100.0 if c else 0.0, _atr(high, low, close, period), close
    ),
    "TRANGE": true_range,
    "STOCHF": _stochf,
    "STOCH": _stoch,
    "STOCHRSI": _stochrsi,
    "CCI": _cci,
    "WILLR": _willr,
    "PLUS_DI": lambda *args: _directions(*args)[0],
    "MINUS_DI": lambda *args: _directions(*args)[1],
    "DX": _dx,
    "ADX": _adx,
    "SAR": _sar,
    "SUPERTREND": _supertrend,
    "AROON": _aroon,
    "AROONOSC": _aroonosc,
    "MFI": _mfi,
    "OBV": _obv,
    "AD": _ad,
    "CMF": _cmf,
    "VWAP": _vwap,
    "DONCHIAN": _donchian,
    "AO": _awesome,
    "HA": _heikin,
    "BOP": lambda o, h, lo, c: pointwise(lambda a, b, d, e: (e - a) / (b - d) if b > d else 0.0, o, h, lo, c),
    "AVGPRICE": lambda o, h, lo, c: pointwise(lambda *bar: sum(bar) / 4, o, h, lo, c),
    "MEDPRICE": lambda h, lo: pointwise(lambda a, b: (a + b) / 2, h, lo),
    "TYPPRICE": lambda h, lo, c: pointwise(lambda *bar: sum(bar) / 3, h, lo, c),
    "WCLPRICE": lambda h, lo, c: pointwise(lambda a, b, d: (a + b + 2 * d) / 4, h, lo, c),
    "CUMSUM": lambda line: list(accumulate(line)),
}
