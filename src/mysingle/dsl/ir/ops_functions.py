"""Rows of the op table: the functions of the language that the compiler expands into other rows."""

from typing import Final

from mysingle.dsl.ir.row import Flag, Gas, Op, OutputSpec, parse_args

__all__ = ["FUNCTIONS"]

_COMPOSITE = frozenset({Flag.COMPOSITE})


def _f(number: int, names: str, args: str, doc: str, doc_ko: str, outputs: str = "", result: str = "float") -> Op:
    words = tuple(names.split())
    specs = tuple(OutputSpec(name) for name in outputs.split()) or (OutputSpec("value", result),)
    return Op(
        id=number, name=f"fn.{words[0]}", names=words, args=parse_args(args), outputs=specs, flags=_COMPOSITE,
        result="record" if outputs else result, doc=doc, doc_ko=doc_ko, gas=Gas(0, 0.0), example=f"{words[0]}({args})",
    )  # fmt: skip


_HLC = "high@high, low@low, close@close"
_HL = "high@high, low@low"

FUNCTIONS: Final = (
    _f(3000, "EMA ema", "series@close, span:W", "Exponential moving average, seeded with the SMA.", "지수 이동평균."),
    _f(3001, "RMA rma", "series@close, period:W=14", "Wilder's moving average.", "와일더 이동평균."),
    _f(3002, "SMA sma", "series@close, window:W", "Arithmetic moving average.", "단순 이동평균."),
    _f(3003, "WMA wma", "series@close, window:W", "Linearly weighted moving average.", "가중 이동평균."),
    _f(3004, "TEMA tema", "series@close, period:W=20", "Triple exponential moving average.", "삼중 지수 이동평균."),
    _f(3005, "RSI rsi", "series@close, period:W2=14", "Relative strength index (Wilder).", "상대강도지수."),
    _f(3006, "MACD macd", "series@close, fast:W2=12, slow:W2=26, signal:W=9",
       "Difference of two EMAs, its EMA, and the difference of both.", "MACD.", "macd signal histogram"),
    _f(3007, "stdev std stddev", "series@close, window:W2", "Sample standard deviation (ddof 1).", "표준편차."),
    _f(3008, "bbands", "series@close, window:W2=20, num_std:F=2.0", "Bollinger bands (ddof 0).", "볼린저 밴드.",
       "upper middle lower"),
    _f(3009, "atr ATR", f"{_HLC}, window:W=14", "Average true range (Wilder).", "평균 실제 범위."),
    _f(3010, "stochastic", f"{_HLC}, k_period:W=14, d_period:W=3", "Fast stochastic.", "스토캐스틱.", "k d"),
    _f(3011, "stochrsi", "close@close, rsi_period:W2=14, stoch_period:W=14, k_smooth:W=3, d_smooth:W=3",
       "Stochastic of the RSI, 0 to 100.", "스토캐스틱 RSI.", "k d"),
    _f(3012, "CCI cci", f"{_HLC}, period:W2=20", "Commodity channel index.", "상품채널지수."),
    _f(3013, "williams_r", f"{_HLC}, period:W2=14", "Williams %R.", "윌리엄스 %R."),
    _f(3014, "ADX adx", f"{_HLC}, period:W2=14", "Directional movement.", "방향성 지수.", "adx plus_di minus_di"),
    _f(3015, "parabolic_sar", f"{_HL}, acceleration:F(0,)=0.02, maximum:F(0,)=0.2", "Parabolic SAR.", "파라볼릭 SAR."),
    _f(3016, "supertrend", f"{_HLC}, atr_period:W2=10, multiplier:F(0,)=3.0", "Supertrend line.", "슈퍼트렌드 선."),
    _f(3017, "supertrend_dir", f"{_HLC}, atr_period:W2=10, multiplier:F(0,)=3.0",
       "+1 up, -1 down, 0 in the warm-up.", "+1 상승, -1 하락, 준비 구간 0."),
    _f(3018, "donchian_channels", f"{_HL}, period:W2=20", "Donchian channels.", "돈치안 채널.", "upper middle lower"),
    _f(3019, "keltner_channels", f"{_HLC}, ema_period:W=20, atr_period:W=10, multiplier:F=2.0",
       "EMA of close, plus and minus a multiple of ATR.", "켈트너 채널.", "upper middle lower"),
    _f(3020, "ichimoku", f"{_HL}, close@close=None, tenkan_period:W2=9, kijun_period:W2=26, senkou_b_period:W2=52",
       "Ichimoku lines; chikou looks kijun_period bars ahead.", "일목균형표.",
       "tenkan kijun senkou_a senkou_b chikou"),
    _f(3021, "obv OBV", "close@close, volume@volume", "On-balance volume.", "OBV."),
    _f(3022, "vwap VWAP", "close@close, volume@volume, window:P=None",
       "Volume-weighted price, cumulative or over a window.", "거래량 가중 평균가."),
    _f(3023, "change", "series@close, periods:K1=1", "x - x[periods].", "변화량."),
    _f(3024, "pct_change", "series@close, periods:K1=1", "x / x[periods] - 1.", "변화율."),
    _f(3025, "cross", "series1, series2", "Crossover or crossunder.", "교차.", result="bool"),
    _f(3026, "pivot_points", _HLC, "Classic pivot points of the same bar.", "피벗 포인트.", "pivot r1 s1 r2 s2 r3 s3"),
    _f(3027, "fibonacci_retracement", _HL, "low + f * (high - low).", "피보나치 되돌림.",
       "0% 23.6% 38.2% 50% 61.8% 100%"),
    _f(3028, "generate_signal", "condition:b, signal_type:S='long'", "The condition as a signal.", "조건 신호.",
       result="bool"),
    _f(3029, "entry_exit_signals", "entry_condition:b, exit_condition:b", "Entry and exit.", "진입·청산 신호.",
       "entry exit"),
    _f(3030, "signal_filter", "signals:b, filter_condition:b", "Conjunction.", "신호 필터.", result="bool"),
    _f(3031, "combine_signals", "*signals:b, mode:S='and'", "and/or of signals.", "신호 결합.", result="bool"),
    _f(3032, "position_sizing_fixed", "capital, risk_percent, stop_loss_pct", "capital * risk / stop.", "고정 비율."),
    _f(3033, "position_sizing_kelly", "win_rate, avg_win, avg_loss", "Half Kelly, never negative.", "켈리 공식."),
    _f(3034, "stop_loss", "entry_price, atr_value, multiplier:F=2.0", "entry - multiplier * atr.", "손절가."),
    _f(3035, "take_profit", "entry_price, atr_value, multiplier:F=3.0", "entry + multiplier * atr.", "익절가."),
    _f(3036, "trailing_stop", "current_price, atr, multiplier:F=2.0", "Running maximum of price - m * atr.",
       "추적 손절가."),
    _f(3037, "normalize", "series@close, method:S='minmax', window:P=None", "0 to 1, or z-score.", "정규화."),
    _f(3038, "detect_outliers", "series@close, n_std:F=3.0, window:P=None", "Further than n_std deviations.",
       "이상치.", result="bool"),
    _f(3039, "DOJI", "data:e, threshold:F=0.1", "Body at most threshold of the range.", "도지.", result="bool"),
    _f(3040, "HAMMER", "data:e", "Long lower shadow.", "망치형.", result="bool"),
    _f(3041, "BULLISH_ENGULFING", "data:e", "Up body engulfs the down body before.", "상승 장악형.", result="bool"),
    _f(3042, "BEARISH_ENGULFING", "data:e", "Down body engulfs the up body before.", "하락 장악형.", result="bool"),
    _f(3043, "where", "c:b, a:e, b:e", "a where c, else b.", "조건 선택."),
    _f(3044, "nz", "x, v=0", "x, or v where it is na.", "결측 대체."),
    _f(3045, "na", "x", "Whether x is na.", "결측 여부.", result="bool"),
    _f(3046, "fixnan ffill", "x", "The last value that is not na.", "앞의 값으로 채움."),
    _f(3047, "crossover", "series1, series2", "a rises above b.", "상향 돌파.", result="bool"),
    _f(3048, "crossunder", "series1, series2", "a falls below b.", "하향 돌파.", result="bool"),
    _f(3049, "bars_since", "cond:b", "Bars since the condition was last true.", "조건 이후 봉 수."),
    _f(3050, "value_when", "cond:b, series, n:K=0", "The value at the n-th last true.", "조건 시점의 값."),
    _f(3051, "rising", "series@close, n:W", "Strictly rising over n bars.", "연속 상승.", result="bool"),
    _f(3052, "falling", "series@close, n:W", "Strictly falling over n bars.", "연속 하락.", result="bool"),
    _f(3053, "highest", "series@high, window:W", "Maximum of the last bars.", "최고값."),
    _f(3054, "lowest", "series@low, window:W", "Minimum of the last bars.", "최저값."),
    _f(3055, "sign", "x", "-1, 0 or 1.", "부호."),
    *(_f(3060 + i, f"{name}_exact", "a:e, b:e", "Plain IEEE comparison.", "정확 비교.", result="bool")
      for i, name in enumerate(("gt", "lt", "ge", "le", "eq", "ne"))),
)  # fmt: skip
"""Names, signatures and defaults of dsl.md §2.13 and §2.14; the first name is the contract, the rest are aliases."""
