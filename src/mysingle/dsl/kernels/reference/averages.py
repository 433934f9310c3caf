"""Moving averages and window statistics."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mysingle.dsl.kernels.reference.series import NA, Line, after_start, mean, pointwise, rolling, wilder

__all__ = ["AVERAGES", "ema", "sma", "wma"]


def sma(line: Sequence[float], period: int) -> Line:
    """Arithmetic mean."""
    return rolling(mean, line, period)


def ema(line: Sequence[float], period: int) -> Line:
    """Exponential average with 2/(n+1), seeded with the mean of the first n."""

    def run(values: Line) -> Line:
        result = [NA] * len(values)
        if len(values) < period:
            return result
        state, alpha = mean(values[:period]), 2.0 / (period + 1)
        result[period - 1] = state
        for at in range(period, len(values)):
            state += alpha * (values[at] - state)
            result[at] = state
        return result

    return after_start(run, line)


def wma(line: Sequence[float], period: int) -> Line:
    """Linear weights, the newest bar heaviest."""
    total = period * (period + 1) / 2
    return rolling(lambda values: math.fsum(v * (at + 1) for at, v in enumerate(values)) / total, line, period)


def _dema(line: Line, period: int) -> Line:
    first = ema(line, period)
    return pointwise(lambda a, b: 2 * a - b, first, ema(first, period))


def _tema(line: Line, period: int) -> Line:
    first = ema(line, period)
    second = ema(first, period)
    return pointwise(lambda a, b, c: 3 * a - 3 * b + c, first, second, ema(second, period))


def _trima(line: Line, period: int) -> Line:
    half = (period + 1) // 2
    return sma(sma(line, half), period - half + 1)


def _hma(line: Line, period: int) -> Line:
    if period == 1:
        return list(line)
    raw = pointwise(lambda a, b: 2 * a - b, wma(line, period // 2), wma(line, period))
    return wma(raw, math.isqrt(period))


def _zlema(line: Line, period: int) -> Line:
    lag = (period - 1) // 2
    shifted = [NA] * lag + [2 * line[at] - line[at - lag] for at in range(lag, len(line))]
    return ema(shifted[: len(line)], period)


def _kama(line: Line, period: int) -> Line:
    result = [NA] * len(line)
    if period == 1 or len(line) <= period:
        return list(line) if period == 1 else result
    state = line[period - 1]
    for at in range(period, len(line)):
        move = abs(line[at] - line[at - period])
        path = math.fsum(abs(line[i] - line[i - 1]) for i in range(at - period + 1, at + 1))
        ratio = 1.0 if path <= move or path == 0 else move / path
        factor = (ratio * (2 / 3 - 2 / 31) + 2 / 31) ** 2
        state += factor * (line[at] - state)
        result[at] = state
    return result


def _vwma(line: Line, volume: Line, period: int) -> Line:
    paid = rolling(math.fsum, pointwise(lambda a, b: a * b, line, volume), period)
    return pointwise(lambda a, b: a / b if b else NA, paid, rolling(math.fsum, volume, period))


def _var(values: Sequence[float]) -> float:
    centre = mean(values)
    return math.fsum((value - centre) ** 2 for value in values) / len(values)


def _stddev(line: Line, period: int, deviations: float = 1.0) -> Line:
    return rolling(lambda values: math.sqrt(_var(values)) * deviations, line, period)


def _bbands(line: Line, period: int, up: float, down: float, kind: int = 0) -> tuple[Line, Line, Line]:
    middle = _AVERAGES_BY_TYPE[kind](line, period)
    spread = _stddev(line, period)
    upper = pointwise(lambda m, s: m + up * s, middle, spread)
    return (
        upper,
        pointwise(lambda m, s: m if s == s else NA, middle, spread),
        pointwise(lambda m, s: m - down * s, middle, spread),
    )


def _avgdev(line: Line, period: int) -> Line:
    return rolling(lambda values: mean([abs(value - mean(values)) for value in values]), line, period)


def _line_fit(values: Sequence[float]) -> tuple[float, float]:
    size = len(values)
    centre = (size - 1) / 2
    spread = math.fsum((at - centre) ** 2 for at in range(size))
    middle = mean(values)
    slope = math.fsum((at - centre) * (value - middle) for at, value in enumerate(values)) / spread
    return slope, middle - slope * centre


def _fitted(give: Callable[[float, float, int], float]) -> Callable[[Line, int], Line]:
    def run(line: Line, period: int) -> Line:
        return rolling(lambda values: give(*_line_fit(values), len(values)), line, period)

    return run


def _correl(a: Line, b: Line, period: int) -> Line:
    result = [NA] * len(a)
    for at in range(period - 1, len(a)):
        x, y = a[at - period + 1 : at + 1], b[at - period + 1 : at + 1]
        mx, my = mean(x), mean(y)
        spread = math.fsum((v - mx) ** 2 for v in x) * math.fsum((v - my) ** 2 for v in y)
        both = math.fsum((v - mx) * (w - my) for v, w in zip(x, y, strict=True))
        result[at] = both / math.sqrt(spread) if spread > 0 else 0.0
    return result


def _percentile(line: Line, period: int, share: float) -> Line:
    rank = max(math.ceil(share / 100 * period - 1e-9), 1)
    return rolling(lambda values: sorted(values)[rank - 1], line, period)


def _percentrank(line: Line, period: int) -> Line:
    return [
        100.0 * sum(old < line[at] for old in line[at - period : at]) / period if at >= period else NA
        for at in range(len(line))
    ]


def _max_index(line: Line, period: int, *, largest: bool) -> Line:
    # Of equal values the newest counts, until it leaves the window: then the oldest that is left.
    sign = 1.0 if largest else -1.0
    result, best = [NA] * len(line), -1
    for at in range(period - 1, len(line)):
        first = at - period + 1
        if best < first:
            best = max(range(first, at + 1), key=lambda i: (sign * line[i], -i))
        elif sign * line[at] >= sign * line[best]:
            best = at
        result[at] = float(best)
    return result


_AVERAGES_BY_TYPE: Mapping[int, Callable[[Line, int], Line]] = {
    0: sma, 1: ema, 2: wma, 3: _dema, 4: _tema, 5: _trima, 6: _kama, 9: _hma, 12: _zlema, 13: wilder,
}  # fmt: skip


def _ma(line: Line, period: int, kind: int = 0) -> Line:
    return list(line) if period == 1 else _AVERAGES_BY_TYPE[kind](line, period)


AVERAGES: Mapping[str, Callable[..., Any]] = {
    "SMA": sma,
    "EMA": ema,
    "WMA": wma,
    "RMA": wilder,
    "DEMA": _dema,
    "TEMA": _tema,
    "TRIMA": _trima,
    "HMA": _hma,
    "ZLEMA": _zlema,
    "KAMA": _kama,
    "VWMA": _vwma,
    "MA": _ma,
    "SUM": lambda line, period: rolling(math.fsum, line, period),
    "MAX": lambda line, period: rolling(max, line, period),
    "MIN": lambda line, period: rolling(min, line, period),
    "MINMAX": lambda line, period: (rolling(min, line, period), rolling(max, line, period)),
    "MAXINDEX": lambda line, period: _max_index(line, period, largest=True),
    "MININDEX": lambda line, period: _max_index(line, period, largest=False),
    "MIDPOINT": lambda line, period: rolling(lambda values: (max(values) + min(values)) / 2, line, period),
    "MIDPRICE": lambda high, low, period: pointwise(
        lambda a, b: (a + b) / 2, rolling(max, high, period), rolling(min, low, period)
    ),
    "VAR": lambda line, period, _=1.0: rolling(_var, line, period),
    "STDDEV": _stddev,
    "BBANDS": _bbands,
    "AVGDEV": _avgdev,
    "LINEARREG": _fitted(lambda slope, start, size: start + slope * (size - 1)),
    "LINEARREG_SLOPE": _fitted(lambda slope, _, __: slope),
    "LINEARREG_INTERCEPT": _fitted(lambda _, start, __: start),
    "LINEARREG_ANGLE": _fitted(lambda slope, _, __: math.degrees(math.atan(slope))),
    "TSF": _fitted(lambda slope, start, size: start + slope * size),
    "CORREL": _correl,
    "PERCENTILE": _percentile,
    "PERCENTRANK": _percentrank,
}
