"""
Rows of the op table: the 201 functions of TA-Lib 0.8, under its names, parameter names and defaults.

Each line is: name | inputs | parameters | outputs | class | first valid bar | decay | gas a | gas b.
Class W is a window, R recursive, C cumulative from the start of the data, P pointwise. The first valid bar is a sum of
terms in the parameters; `decay` names what fades: e(n) with 2/(n+1), w(n) with 1/n. The test suite compares every
line with the installed library.
"""

from collections.abc import Callable, Iterable
from math import isqrt
from typing import Final

from mysingle.dsl.ir.row import UNBOUNDED, Flag, Gas, NaPolicy, Op, OutputSpec, Rule, Values, decay, parse_args

__all__ = ["MA_TYPES", "TALIB"]

MA_TYPES: Final = (
    "SMA", "EMA", "WMA", "DEMA", "TEMA", "TRIMA", "KAMA", "MAMA", "T3", "HMA", "NONE", "DEFAULT", "ZLEMA", "RMA",
)  # fmt: skip
"""What the numbers of a `matype` parameter mean."""

_M = "matype:C(0,13)"
_LINES = f"""
HT_DCPERIOD|real@close||real|R|32||55|
HT_DCPHASE|real@close||real|R|63||341|
HT_PHASOR|real@close||inphase,quadrature|R|32||60|
HT_SINE|real@close||sine,leadsine|R|63||384|
HT_TRENDMODE|real@close||integer|R|63||388|
ADD|real0@high,real1@low||real|P|0||0.5|
CUMSUM|real@close||real|C|0||1|
DIV|real0@high,real1@low||real|P|0||1|
MAX|real@close|timeperiod:W2=30|real|W|timeperiod-1||0.8|
MAXINDEX|real@close|timeperiod:W2=30|integer|W|timeperiod-1||4|0.02
MIN|real@close|timeperiod:W2=30|real|W|timeperiod-1||0.8|
MININDEX|real@close|timeperiod:W2=30|integer|W|timeperiod-1||4|0.02
MINMAX|real@close|timeperiod:W2=30|min,max|W|timeperiod-1||2|
MINMAXINDEX|real@close|timeperiod:W2=30|minidx,maxidx|W|timeperiod-1||6|0.03
MULT|real0@high,real1@low||real|P|0||0.5|
SUB|real0@high,real1@low||real|P|0||0.5|
SUM|real@close|timeperiod:W2=30|real|W|timeperiod-1||1|
ACOS|real@close||real|P|0||8|
ASIN|real@close||real|P|0||8|
ATAN|real@close||real|P|0||8|
CEIL|real@close||real|P|0||1|
COS|real@close||real|P|0||8|
COSH|real@close||real|P|0||8|
EXP|real@close||real|P|0||5|
FLOOR|real@close||real|P|0||1|
LN|real@close||real|P|0||5|
LOG10|real@close||real|P|0||6|
SIN|real@close||real|P|0||8|
SINH|real@close||real|P|0||8|
SQRT|real@close||real|P|0||1.5|
TAN|real@close||real|P|0||10|
TANH|real@close||real|P|0||8|
AC|high@high,low@low|fastperiod:W2=5,slowperiod:W2=34,signalperiod:W2=5|real|W|max(fastperiod,slowperiod)+signalperiod-2||6|
ADX|high@high,low@low,close@close|timeperiod:W2=14|real|R|2*timeperiod-1|w(timeperiod)+w(timeperiod)|8|
ADXR|high@high,low@low,close@close|timeperiod:W2=14|real|R|3*timeperiod-2|w(timeperiod)+w(timeperiod)|9|
AO|high@high,low@low|fastperiod:W2=5,slowperiod:W2=34|real|W|max(fastperiod,slowperiod)-1||4|
APO|real@close|fastperiod:W2=12,slowperiod:W2=26,{_M}=1|real|R|matype(fastperiod,slowperiod)|e(slowperiod)|5|
AROON|high@high,low@low|timeperiod:W2=14|aroondown,aroonup|W|timeperiod||12|0.09
AROONOSC|high@high,low@low|timeperiod:W2=14|real|W|timeperiod||12|0.09
BOP|open@open,high@high,low@low,close@close||real|P|0||2|
CCI|high@high,low@low,close@close|timeperiod:W2=14|real|W|timeperiod-1||20|1.0
CMO|real@close|timeperiod:W2=14|real|R|timeperiod|w(timeperiod)|3|
CMOU|real@close|timeperiod:W2=14|real|W|timeperiod||4|
COPPOCK|real@close|wmaperiod:W=10,roc1period:W=11,roc2period:W=14|real|W|wmaperiod+max(roc1period,roc2period)-1||6|
DPO|real@close|timeperiod:W2=20|real|W|dpo(timeperiod)||3|
DX|high@high,low@low,close@close|timeperiod:W2=14|real|R|timeperiod|w(timeperiod)|6|
ER|real@close|timeperiod:W2=10|real|W|timeperiod||4|
ERI|high@high,low@low,close@close|timeperiod:W=13|bullpower,bearpower|R|timeperiod-1|e(timeperiod)|4|
FOSC|real@close|timeperiod:W2=5|real|W|timeperiod||5|
FRACTAL|high@high,low@low|leftbars:W=2,rightbars:W=2|swinghigh,swinglow|W|leftbars+rightbars||6|0.1
IMI|open@open,close@close|timeperiod:W2=14|real|W|timeperiod-1||2|2.35
KDJ|high@high,low@low,close@close|fastk_period:W=9,slowk_period:W=3,slowk_{_M}=13,slowd_period:W=3,slowd_{_M}=13|k,d,j|R|fastk_period-1+slowk_matype(slowk_period)+slowd_matype(slowd_period)|w(slowk_period)+w(slowd_period)|9|
MACD|real@close|fastperiod:W2=12,slowperiod:W2=26,signalperiod:W=9|macd,macdsignal,macdhist|R|max(fastperiod,slowperiod)+signalperiod-2|e(max(fastperiod,slowperiod))+e(signalperiod)|6|
MACDEXT|real@close|fastperiod:W2=12,fast{_M}=0,slowperiod:W2=26,slow{_M}=0,signalperiod:W=9,signal{_M}=0|macd,macdsignal,macdhist|R|ext(fastperiod,slowperiod,signalperiod)|e(slowperiod)+e(signalperiod)|8|
MACDFIX|real@close|signalperiod:W=9|macd,macdsignal,macdhist|R|24+signalperiod|e(26)+e(signalperiod)|6|
MFI|high@high,low@low,close@close,volume@volume|timeperiod:W2=14|real|W|timeperiod||6|
MINUS_DI|high@high,low@low,close@close|timeperiod:W=14|real|R|timeperiod|w(timeperiod)|5|
MINUS_DM|high@high,low@low|timeperiod:W=14|real|R|max(timeperiod-1,1)|w(timeperiod)|3|
MOM|real@close|timeperiod:W=10|real|W|timeperiod||0.5|
PLUS_DI|high@high,low@low,close@close|timeperiod:W=14|real|R|timeperiod|w(timeperiod)|5|
PLUS_DM|high@high,low@low|timeperiod:W=14|real|R|max(timeperiod-1,1)|w(timeperiod)|3|
PPO|real@close|fastperiod:W2=12,slowperiod:W2=26,{_M}=1|real|R|matype(fastperiod,slowperiod)|e(slowperiod)|5|
QSTICK|open@open,close@close|timeperiod:W=10|real|W|timeperiod-1||2|
ROC|real@close|timeperiod:W=10|real|W|timeperiod||1|
ROCP|real@close|timeperiod:W=10|real|W|timeperiod||1|
ROCR|real@close|timeperiod:W=10|real|W|timeperiod||1|
ROCR100|real@close|timeperiod:W=10|real|W|timeperiod||1|
RSI|real@close|timeperiod:W2=14|real|R|timeperiod|w(timeperiod)|2.4|
SMI|high@high,low@low,close@close|timeperiod:W2=13,fastperiod:W2=2,slowperiod:W2=25,signalperiod:W2=9|smi,smisignal|R|timeperiod+fastperiod+slowperiod+signalperiod-4|e(fastperiod)+e(slowperiod)+e(signalperiod)|6|0.03
STOCH|high@high,low@low,close@close|fastk_period:W=5,slowk_period:W=3,slowk_{_M}=0,slowd_period:W=3,slowd_{_M}=0|slowk,slowd|W|fastk_period-1+slowk_matype(slowk_period)+slowd_matype(slowd_period)||6|
STOCHF|high@high,low@low,close@close|fastk_period:W=5,fastd_period:W=3,fastd_{_M}=0|fastk,fastd|W|fastk_period-1+fastd_matype(fastd_period)||5|
STOCHRSI|real@close|timeperiod:W2=14,fastk_period:W=5,fastd_period:W=3,fastd_{_M}=0|fastk,fastd|R|timeperiod+fastk_period-1+fastd_matype(fastd_period)|w(timeperiod)|8|
TRIX|real@close|timeperiod:W=30|real|R|3*timeperiod-2|e(timeperiod)+e(timeperiod)+e(timeperiod)|6|
TSI|real@close|firstperiod:W2=25,secondperiod:W2=13|real|R|firstperiod+secondperiod-1|e(firstperiod)+e(secondperiod)|6|
ULTOSC|high@high,low@low,close@close|timeperiod1:W=7,timeperiod2:W=14,timeperiod3:W=28|real|W|max(timeperiod1,timeperiod2,timeperiod3)||8|
VHF|real@close|timeperiod:W2=28|real|W|timeperiod||6|0.74
VORTEX|high@high,low@low,close@close|timeperiod:W=14|plusvi,minusvi|W|timeperiod||6|
WAD|high@high,low@low,close@close||real|C|0||3|
WILLR|high@high,low@low,close@close|timeperiod:W2=14|real|W|timeperiod-1||3|
ACCBANDS|high@high,low@low,close@close|timeperiod:W2=20|upperband,middleband,lowerband|W|timeperiod-1||6|
BBANDS|real@close|timeperiod:W2=20,nbdevup:F=2.0,nbdevdn:F=2.0,{_M}=0|upperband,middleband,lowerband|W|bands(timeperiod)||5|
DEMA|real@close|timeperiod:W=30|real|R|2*timeperiod-2|e(timeperiod)+e(timeperiod)|4|
DONCHIAN|high@high,low@low|timeperiod:W2=20|upperband,middleband,lowerband|W|timeperiod-1||6|0.03
EMA|real@close|timeperiod:W=30|real|R|timeperiod-1|e(timeperiod)|1.7|
HMA|real@close|timeperiod:W=20|real|W|hma(timeperiod)||6|
HT_TRENDLINE|real@close||real|R|63||51|
KAMA|real@close|timeperiod:W=30|real|R|kama(timeperiod)|e(30)|5|
KC|high@high,low@low,close@close|timeperiod:W2=20,atrperiod:W=10,nbdev:F=2.0|upperband,middleband,lowerband|R|max(timeperiod-1,atrperiod)|e(timeperiod)+w(atrperiod)|6|
MA|real@close|timeperiod:W=30,{_M}=0|real|R|matype(timeperiod)|e(timeperiod)|5|
MAMA|real@close|fastlimit:F(0.01,0.99)=0.5,slowlimit:F(0.01,0.99)=0.05|mama,fama|R|32|a(slowlimit)|55|
MAVP|real@close,periods|minperiod:W2=2,maxperiod:W2=30,{_M}=0|real|W|matype(maxperiod)||20|1.0
MIDPOINT|real@close|timeperiod:W2=14|real|W|timeperiod-1||2|
MIDPRICE|high@high,low@low|timeperiod:W2=14|real|W|timeperiod-1||2|
RMA|real@close|timeperiod:W=30|real|R|timeperiod-1|w(timeperiod)|1.7|
SAR|high@high,low@low|acceleration:F(0,)=0.02,maximum:F(0,)=0.2|real|C|1||4|
SAREXT|high@high,low@low|startvalue:F=0.0,offsetonreverse:F(0,)=0.0,accelerationinitlong:F(0,)=0.02,accelerationlong:F(0,)=0.02,accelerationmaxlong:F(0,)=0.2,accelerationinitshort:F(0,)=0.02,accelerationshort:F(0,)=0.02,accelerationmaxshort:F(0,)=0.2|real|C|1||5|
SMA|real@close|timeperiod:W=30|real|W|timeperiod-1||1|
SUPERTREND|high@high,low@low,close@close|timeperiod:W2=10,multiplier:F(0,)=3.0|supertrend,trend|C|timeperiod||5|
T3|real@close|timeperiod:W=5,vfactor:F(0,1)=0.7|real|R|6*timeperiod-6|e(timeperiod)+e(timeperiod)+e(timeperiod)+e(timeperiod)+e(timeperiod)+e(timeperiod)|8|
TEMA|real@close|timeperiod:W=30|real|R|3*timeperiod-3|e(timeperiod)+e(timeperiod)+e(timeperiod)|5|
TRIMA|real@close|timeperiod:W=30|real|W|timeperiod-1||2|
VWMA|real@close,volume@volume|timeperiod:W=30|real|W|timeperiod-1||3|
WMA|real@close|timeperiod:W=30|real|W|timeperiod-1||1.5|
ZLEMA|real@close|timeperiod:W=30|real|R|zlema(timeperiod)|e(timeperiod)|2.5|
AVGDEV|real@close|timeperiod:W2=14|real|W|timeperiod-1||5.7|1.0
AVGPRICE|open@open,high@high,low@low,close@close||real|P|0||1|
HA|open@open,high@high,low@low,close@close||haopen,hahigh,halow,haclose|R|0|h|4|
MEDPRICE|high@high,low@low||real|P|0||0.7|
TYPPRICE|high@high,low@low,close@close||real|P|0||1|
WCLPRICE|high@high,low@low,close@close||real|P|0||1|
BETA|real0@high,real1@low|timeperiod:W=5|real|W|timeperiod||4|
CORREL|real0@high,real1@low|timeperiod:W=30|real|W|timeperiod-1||4|
LINEARREG|real@close|timeperiod:W2=14|real|W|timeperiod-1||3|
LINEARREG_ANGLE|real@close|timeperiod:W2=14|real|W|timeperiod-1||10|
LINEARREG_INTERCEPT|real@close|timeperiod:W2=14|real|W|timeperiod-1||3|
LINEARREG_SLOPE|real@close|timeperiod:W2=14|real|W|timeperiod-1||3|
PERCENTILE|real@close|timeperiod:W2=30,percentile:F(0,100)=50.0|real|W|timeperiod-1||25|0.42
PERCENTRANK|real@close|timeperiod:W2=100|real|W|timeperiod||6|0.09
STDDEV|real@close|timeperiod:W2=5,nbdev:F=1.0|real|W|timeperiod-1||2.4|
TSF|real@close|timeperiod:W2=14|real|W|timeperiod-1||3|
VAR|real@close|timeperiod:W=5,nbdev:F=1.0|real|W|timeperiod-1||2|
ADR|high@high,low@low|timeperiod:W=14|real|W|timeperiod-1||2|
ATR|high@high,low@low,close@close|timeperiod:W=14|real|R|timeperiod|w(timeperiod)|1.1|
CVI|high@high,low@low|timeperiod:W2=10,rocperiod:W=10|real|R|timeperiod+rocperiod-1|e(timeperiod)|4|
MASSI|high@high,low@low|fastperiod:W2=9,slowperiod:W2=25|real|R|2*fastperiod+slowperiod-3|e(fastperiod)+e(fastperiod)|6|
NATR|high@high,low@low,close@close|timeperiod:W=14|real|R|timeperiod|w(timeperiod)|2|
RVI|real@close|timeperiod:W=14,stddevperiod:W2=10|real|R|timeperiod+stddevperiod-2|w(timeperiod)|6|
TRANGE|high@high,low@low,close@close||real|W|1||1.5|
AD|high@high,low@low,close@close,volume@volume||real|C|0||4|
ADOSC|high@high,low@low,close@close,volume@volume|fastperiod:W2=3,slowperiod:W2=10|real|C|max(fastperiod,slowperiod)-1||5|
CMF|high@high,low@low,close@close,volume@volume|timeperiod:W2=20|real|W|timeperiod-1||5|
EFI|close@close,volume@volume|timeperiod:W=13|real|R|timeperiod|e(timeperiod)|3|
MARKETFI|high@high,low@low,volume@volume||real|P|0||1.5|
NVI|close@close,volume@volume||real|C|0||3|
OBV|close@close,volume@volume||real|C|0||2|
PVI|close@close,volume@volume||real|C|0||3|
PVO|volume@volume|fastperiod:W2=12,slowperiod:W2=26,{_M}=1|real|R|matype(fastperiod,slowperiod)|e(slowperiod)|5|
PVT|close@close,volume@volume||real|C|0||3|
RVOL|volume@volume|timeperiod:W=20|real|W|timeperiod||2|
VWAP|high@high,low@low,close@close,volume@volume||real|C|0||4|
"""

_CANDLES = """
2CROWS:12 3BLACKCROWS:13 3INSIDE:12 3LINESTRIKE:8 3OUTSIDE:3 3STARSINSOUTH:12 3WHITESOLDIERS:12
ABANDONEDBABY:12:0.3 ADVANCEBLOCK:12 BELTHOLD:10 BREAKAWAY:14 CLOSINGMARUBOZU:10 CONCEALBABYSWALL:13
COUNTERATTACK:11 DARKCLOUDCOVER:11:0.5 DOJI:10 DOJISTAR:11 DRAGONFLYDOJI:10 ENGULFING:2 EVENINGDOJISTAR:12:0.3
EVENINGSTAR:12:0.3 GAPSIDESIDEWHITE:7 GRAVESTONEDOJI:10 HAMMER:11 HANGINGMAN:11 HARAMI:11 HARAMICROSS:11
HIGHWAVE:10 HIKKAKE:5 HIKKAKEMOD:10 HOMINGPIGEON:11 IDENTICAL3CROWS:12 INNECK:11 INVERTEDHAMMER:11 KICKING:11
KICKINGBYLENGTH:11 LADDERBOTTOM:14 LONGLEGGEDDOJI:10 LONGLINE:10 MARUBOZU:10 MATCHINGLOW:6 MATHOLD:14:0.5
MORNINGDOJISTAR:12:0.3 MORNINGSTAR:12:0.3 ONNECK:11 PIERCING:11 RICKSHAWMAN:10 RISEFALL3METHODS:14
SEPARATINGLINES:11 SHOOTINGSTAR:11 SHORTLINE:10 SPINNINGTOP:10 STALLEDPATTERN:12 STICKSANDWICH:7 TAKURI:10
TASUKIGAP:7 THRUSTING:11 TRISTAR:12 UNIQUE3RIVER:12 UPSIDEGAP2CROWS:12 XSIDEGAP3METHODS:2
"""
"""Candle, bars it looks back, and the default of `penetration` where there is one."""

_FIRST_ID: Final = 1_000
_FIRST_CANDLE: Final = 1_500
_CLASSES: Final = {"W": NaPolicy.SEGMENT, "R": NaPolicy.SKIP, "C": NaPolicy.SKIP, "P": NaPolicy.POINTWISE}
_FUNCTIONS: dict[str, Callable[[list[float]], float]] = {
    "max": max,
    "hma": lambda p: _hma(p[0]),
    "zlema": lambda p: _zlema(p[0]),
    "kama": lambda p: _kama(p[0]),
    "dpo": lambda p: max(p[0] - 1, p[0] // 2 + 1),
}


def _hma(period: float) -> float:
    return max(period - 1 + isqrt(int(period)) - 1, 0)


def _zlema(period: float) -> float:
    return period - 1 + (period - 1) // 2


def _kama(period: float) -> float:
    return period if period > 1 else 0


def _ma_first(kind: int, period: float) -> float:
    """Return the first bar on which a moving average of that type is valid."""
    special: dict[str, float] = {
        "DEMA": 2 * period - 2, "TEMA": 3 * period - 3, "KAMA": _kama(period), "MAMA": 32, "T3": 6 * period - 6,
        "HMA": _hma(period), "NONE": 0, "ZLEMA": _zlema(period),
    }  # fmt: skip
    return special.get(MA_TYPES[kind], period - 1) if period > 1 or MA_TYPES[kind] == "MAMA" else 0


class _Formula:
    """A sum of terms such as `2*timeperiod`, `max(a,b)`, `matype(a)`, `e(timeperiod)`, `-1`."""

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        self.terms = tuple(_terms(text)) if text else ()
        self.names = names

    def __call__(self, values: Values) -> float:
        found = {name: value for name, value in zip(self.names, values, strict=False) if isinstance(value, int | float)}
        return max(self._sum(self.terms, found), 0)

    def _term(self, term: str, values: dict[str, float]) -> float:
        head, _, rest = term.partition("*")
        if rest:
            return int(head) * self._term(rest, values)
        name, _, inner = term.partition("(")
        if not inner:
            return int(term) if term.isdigit() else values.get(term, 1)
        arguments = [self._sum(_terms(part), values) for part in _arguments(inner[:-1])]
        return self._call(name, arguments, values)

    def _sum(self, terms: Iterable[tuple[int, str]], values: dict[str, float]) -> float:
        return sum(sign * self._term(term, values) for sign, term in terms)

    def _call(self, name: str, arguments: list[float], values: dict[str, float]) -> float:
        if name in _FUNCTIONS:
            return _FUNCTIONS[name](arguments)
        if name.endswith("matype"):
            return _ma_first(int(values.get(name, 0)), max(arguments))
        if name == "bands":
            return max(arguments[0] - 1, _ma_first(int(values.get("matype", 0)), arguments[0]))
        if name == "ext":
            return _macdext(arguments, values)
        alphas = {"e": 2 / (arguments[0] + 1), "w": 1 / max(arguments[0], 1), "a": arguments[0]}
        return decay(alphas[name]) + (0 if name == "a" else arguments[0])


def _macdext(periods: list[float], values: dict[str, float]) -> float:
    fast, slow, signal = (int(values.get(f"{name}matype", 0)) for name in ("fast", "slow", "signal"))
    return max(_ma_first(fast, periods[0]), _ma_first(slow, periods[1])) + _ma_first(signal, periods[2])


def _terms(text: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    sign, depth, current = 1, 0, ""
    for char in text + "+":
        depth += (char == "(") - (char == ")")
        if char in "+-" and depth == 0:
            found.append((sign, current))
            sign, current = (1 if char == "+" else -1), ""
        else:
            current += char
    return found


def _arguments(text: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += char
    return [*parts, current]


_HALF_LIFE: Final = decay(0.5)
"""Heikin-Ashi opens are the mean of two values, so a start value halves at each bar."""


def _horizon(kind: str, first: Rule, fades: str, names: tuple[str, ...]) -> Rule:
    if kind == "C":
        return lambda _values: UNBOUNDED
    if fades == "h":
        return lambda _values: _HALF_LIFE
    if kind == "R" and not fades:
        return lambda values: first(values) + UNBOUNDED
    fading = _Formula(fades, names)
    smooth = tuple(i for i, name in enumerate(names) if name.endswith("matype"))

    def rule(values: Values) -> float:
        recursive = sum(1 for i in smooth if values[i] not in (0, 2, 5, 9, 10))
        longest = max((value for value in values if isinstance(value, int | float)), default=1)
        return max(first(values), fading(values)) + 3 * recursive * decay(2 / (longest + 1))

    return rule if fades or smooth else first


def _row(number: int, line: str) -> Op:
    name, inputs, parameters, outputs, kind, first_text, fades, bar, slope = line.split("|")
    args = parse_args(",".join(part for part in (inputs, parameters) if part))
    names = tuple(arg.name for arg in args)
    first = _Formula(first_text, names)
    specs = tuple(_output(name, output) for output in outputs.split(","))
    return Op(
        id=number, name=name, args=args, outputs=specs, result="record" if len(specs) > 1 else "float",
        kernel=f"talib.{name}", names=(name.lower(),), first=first, horizon=_horizon(kind, first, fades, names),
        gas=Gas(2000, float(bar), float(slope or 0)), na=_CLASSES[kind],
        flags=frozenset({Flag.BAR, Flag.MAY_OVERFLOW} if kind == "P" else {Flag.MAY_OVERFLOW}),
        doc=f"TA-Lib {name}.", doc_ko=f"TA-Lib {name} 함수.", example=f"{name.lower()}(...)",
    )  # fmt: skip


def _output(function: str, name: str) -> OutputSpec:
    difference = ("macd", "macdsignal") if name == "macdhist" else None
    return OutputSpec("value" if name in {"real", "integer"} else name, "float", difference)


def _candle(number: int, text: str) -> Op:
    name, bars, *penetration = text.split(":")
    look_back = int(bars)
    extra = f", penetration:F(0,)={penetration[0]}" if penetration else ""
    return Op(
        id=number, name=f"CDL{name}", args=parse_args("open@open, high@high, low@low, close@close" + extra),
        kernel=f"talib.CDL{name}", names=(f"cdl{name.lower()}",), first=lambda _values: look_back,
        gas=Gas(2000, 6.0), na=NaPolicy.SEGMENT, flags=frozenset({Flag.CANDLE}),
        doc=f"TA-Lib candle {name}: above 0 bullish, below 0 bearish, 0 none.",
        doc_ko=f"TA-Lib 캔들 패턴 {name}: 양수 상승, 음수 하락, 0 없음.",
        example=f"pattern.{name.lower()}().is_bullish",
    )  # fmt: skip


TALIB: Final = (
    *(_row(_FIRST_ID + i, line) for i, line in enumerate(_LINES.split())),
    *(_candle(_FIRST_CANDLE + i, text) for i, text in enumerate(_CANDLES.split())),
)
"""One row for each function of the library."""
