# ruff: noqa: E501  # a strategy in a table stands in one line
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mysingle import dsl
from mysingle.dsl import DSLError, DSLExecutionError, DSLExecutor, DSLParser, ExecutionContext, SecurityValidator


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Give 300 bars of a random walk."""
    rng = np.random.default_rng(7)
    close = 100 + np.cumsum(rng.normal(size=300))
    opened = close + rng.normal(scale=0.3, size=300)
    return pd.DataFrame(
        {"open": opened, "high": np.maximum(opened, close) + 0.5, "low": np.minimum(opened, close) - 0.5, "close": close,
         "volume": rng.integers(100, 1_000, 300).astype(float), "RSI_14": rng.uniform(0, 100, 300)},
        index=pd.date_range("2024-01-01", periods=300, freq="h"),
    )  # fmt: skip


SECTIONED = """
@metadata
    name: Golden Cross
    version: 1.0.0   # the first

@params
    fast: 12    # span of the fast average
    slow: param.int(26, min=2, max=200)

@strategy
    fast_ma = EMA(close, fast)
    slow_ma = EMA(close, slow)
    if crossover(fast_ma, slow_ma):
        strategy.entry("long", strategy.long, qty=1)
    elif crossunder(fast_ma, slow_ma):
        strategy.close("long")

@calculate
    return fast_ma > slow_ma
"""

ACCEPTED = {
    "assignment": "a = close\nb: float = 1.5\na += b\na -= 1\na *= 2\na /= 2\nresult = a > 0",
    "tuple": "a, b = close, open\nresult = a > b",
    "expression only": "RSI(close, 14)\nresult = close > 0",
    "docstring": '"""An indicator."""\nresult = close > 0',
    "if scalar": "x = 5\nif x > 3:\n    result = close > 1\nelif x > 2:\n    result = close > 2\nelse:\n    result = close > 3",
    "if series": "if close > open:\n    s = 1\nelif close < open:\n    s = -1\nelse:\n    s = 0\nresult = s > 0",
    "conditional": "result = (close if close > open else open) > 100",
    "for range": "t = 0\nfor i in range(5):\n    t = t + close[i]\nresult = t / 5 > close",
    "for list": "t = 0\nfor w in [5, 10, 20]:\n    t += SMA(close, w)\nresult = t > 300",
    "for pairs": "t = 0\nfor w, k in [(5, 1.0), (10, 0.5)]:\n    t += SMA(close, w) * k\nresult = t > 100",
    "bar loop": "r = pd.Series([False] * len(data))\nfor i in range(1, len(data)):\n"
    "    if close.iloc[i] > close.iloc[i - 1]:\n        r.iloc[i] = True\nresult = r",
    "def": "def spread(x, y, n=14, k=2.0):\n    '''Doc.'''\n    d = x - y\n    return SMA(d, n) * k\nresult = spread(high, low) > 0",
    "early return": "def f(x, n):\n    if n > 5:\n        return x * 2\n    return x\nresult = f(close, 10) > 0",
    "guard": "if len(data) < 10:\n    raise ValueError('too short')\nresult = close > 0",
    "assert": "assert 1 > 0, 'no'\nresult = close > 0",
    "pass": "if close > 1:\n    pass\nresult = close > 0",
    "big number": "result = volume * close > 100_000_000",
    "dict": "d = {'a': 1, 'b': 2}\nresult = close > d['a'] + d.get('c', 3)",
    "dict result": "m = MACD(close)\nresult = {'up': m['macd'] > m['signal'], 'hist': m.histogram}",
    "frame result": "result = pd.DataFrame({'a': close > open, 'b': close})",
    "record result": "result = bbands(close, 20, 2.0)",
    "comprehension": "ws = [w * 2 for w in [5, 10] if w > 3]\nresult = SMA(close, ws[0]) > SMA(close, ws[1])",
    "any": "f = volume > 10_000\nif f.any():\n    result = close > 1\nelse:\n    result = close > 2",
    "columns": "result = (data['close'] > data['open']) & (data['RSI_14'] < 70) & (data.close > input.low)",
    "define column": "data['mid'] = (high + low) / 2\nresult = close > data['mid']",
    "namespaces": "result = (market.hour >= 9) & (universe.market_cap >= 0) & (input.symbol == 'unknown') & market.is_open",
    "rolling": "result = (close.rolling(20).mean() > close.rolling(window=10).std()) & (close.rolling(5).sum() > 0) "
    "& (close.rolling(5).min() <= close.rolling(5).max())",
    "methods": "result = close.shift(1).fillna(0).diff().pct_change(2).abs().cumsum().clip(0, 5).ewm(span=5).mean() > 0",
    "expanding": "result = close.expanding().mean() < close.cummax() + close.cummin() + close.cumprod()",
    "cross methods": "result = close.sma(5).crosses_over(close.ema(10)) | close.crosses_under(close.highest(5)) | "
    "close.values.crosses(close.lowest(5).series)",
    "params": "w = params.get('window', 14)\nk = params.get('k') or 2\nresult = close > SMA(close, w) * k",
    "none": "w = params.get('w')\nif w is None:\n    w = 10\nresult = close > SMA(close, w)",
    "isinstance": "w = params.get('w', 10)\nif not isinstance(w, (int, float)):\n    raise TypeError('bad w')\nresult = close > w",
    "text parameter": "mode = params.get('mode', 'a')\nresult = close > 1 if mode == 'a' else close < 1",
    "in constants": "mode = params.get('mode', 'a')\nresult = (close > 1) if mode in ('a', 'b') else (close < 1)",
    "numpy": "result = np.where(close > open, np.sqrt(close), np.log(volume)) > np.maximum(1, np.abs(close - open))",
    "select": "result = np.select([close > open, close < open], [1, -1], default=0) == 1",
    "and or not": "result = (close > open and volume > 0) or not (high > low)",
    "chain": "result = 0 < RSI(close) <= 100",
    "unary": "result = ~(close > open) & (-close < +open)",
    "history": "result = (close > close[1]) & (close[2] < high[1])",
    "state": "var top = 0.0\nif high > top:\n    top = high\nresult = close < top * 0.95",
    "state form": "n = var('count', 0)\nif close > open:\n    n = n + 1\nresult = n > 10",
    "orders": "strategy.entry('a', strategy.long) if crossover(close, SMA(close, 5)) else None\nresult = close > 0",
    "exit": "strategy.exit('x', 'a', stop=low[1], limit=high[1])\nstrategy.close_all()\nstrategy.cancel('a')\nresult = close > 0",
    "plots": "plot(close, title='Close', color='red')\nhline(70, 'top', 'gray')\nalert(close > open, 'up')\nresult = close > 0",
    "patterns": "result = pattern.doji() | pattern.hammer() | pattern.engulfing().is_bullish | pattern.morning_star() "
    "| DOJI(data) | HAMMER(data) | BULLISH_ENGULFING(data) | BEARISH_ENGULFING(data, )",
    "indicator": "result = (indicator.rsi.close(14) > 50) & (indicator.atr.close(14) > 0) & (indicator.ema.apply(close, 5) > 0) "
    "& (indicator.sma(close, 5) > 0) & (indicator.mom(close) > 0)",
    "signals": "s = entry_exit_signals(close > open, close < open)\nresult = combine_signals(s.entry, signal_filter(s.exit, close > 1), "
    "generate_signal(close > 2, 'short'), mode='or')",
    "both spellings": "result = (ema(close, 5) > EMA(close, 5) - 1) & (rsi(close) > RSI(close) - 1) & (atr(high, low, close) > 0)",
    "timeframe": "d = timeframe('1D')\nresult = close > EMA(d.close, 3)",
    "sizing": "k = position_sizing_kelly(0.55, 2.0, 1.0)\nq = position_sizing_fixed(100000, 0.01, 0.05)\nresult = close > k * q * 0",
    "levels": "p = pivot_points(high, low, close)\nf = fibonacci_retracement(high, low)\nresult = (close > p['r1']) | (close > f['61.8%'])",
    "merge with loop": "best = 0\nfor w in range(3, 8):\n    best = max(best, SMA(close, w))\nresult = close > best",
    "sections": SECTIONED,
}


@pytest.mark.parametrize("source", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(source: str, data: pd.DataFrame) -> None:
    """Every form that existing strategies use compiles, survives the container, and runs over data."""
    parser = DSLParser()
    code = parser.parse(source)
    found = DSLExecutor(parser).execute(code, data, {})

    assert code == parser.parse(source)
    assert isinstance(found, pd.Series | pd.DataFrame)
    assert found.index.equals(data.index)
    if isinstance(found, pd.Series):
        assert found.dtype == np.bool_


ONE_CALL: dict[str, str] = {
    "stdev": "stdev(close, 20)",
    "wma": "WMA(close, 5)",
    "tema": "TEMA(close)",
    "rma": "RMA(close)",
    "stoch": "stochastic(high, low, close).k",
    "stochrsi": "stochrsi(close)['d']",
    "cci": "CCI(high, low, close)",
    "willr": "williams_r(high, low, close)",
    "adx": "ADX(high, low, close).plus_di",
    "sar": "parabolic_sar(high, low)",
    "supertrend": "supertrend(high, low, close)",
    "supertrend_dir": "supertrend_dir(high, low, close)",
    "donchian": "donchian_channels(high, low).upper",
    "keltner": "keltner_channels(high, low, close).lower",
    "ichimoku": "ichimoku(high, low, close).senkou_a",
    "ichimoku older": "ichimoku(high, low, 9, 26, 52).tenkan",
    "obv": "obv(close, volume)",
    "vwap": "vwap(close, volume)",
    "vwap window": "VWAP(close, volume, window=20)",
    "highest": "highest(high, 20)",
    "lowest": "lowest(low, 20)",
    "change": "change(close)",
    "pct": "pct_change(close, 3)",
    "bars": "bars_since(close > open)",
    "value_when": "value_when(close > open, high, 1)",
    "stop": "stop_loss(close, atr(high, low, close))",
    "take": "take_profit(close, atr(high, low, close), 2.5)",
    "trail": "trailing_stop(close, atr(high, low, close))",
    "normalize": "normalize(close, 'zscore', 20)",
    "hma": "hma(close, 10)",
    "kama": "kama(close)",
    "aroon": "aroon(high, low).aroonup",
    "mfi": "mfi(high, low, close, volume)",
    "nz": "nz(close.shift(5), 1)",
    "fixnan": "fixnan(close.shift(5))",
    "sign": "sign(close - open)",
    "nan constant": "where(close > open, close, np.nan)",
    "round": "round(close, 1)",
    "abs": "abs(close - open)",
    "min": "min(close, open)",
    "ewm": "close.ewm(alpha=0.3, adjust=False).std()",
    "quantile": "close.rolling(10).quantile(0.9)",
    "corr": "close.rolling(10).corr(volume)",
    "between": "close.between(1, 100)",
    "isin": "market.hour.isin([1, 2])",
    "replace": "close.replace(1, 2)",
    "astype": "(close > open).astype(int)",
    "mask": "close.mask(close > open, 0)",
}


@pytest.mark.parametrize("call", ONE_CALL.values(), ids=ONE_CALL)
@pytest.mark.parametrize("profile", ["standard", "mysingle-1"])
def test_functions(call: str, profile: str, data: pd.DataFrame) -> None:
    """Every function of the language gives a series with valid values, in both profiles."""
    found = DSLExecutor(DSLParser(profile=profile)).compile_and_execute(f"result = {call}", data, {})

    assert len(found) == len(data)
    assert found.notna().any()


def test_bytes_and_code_object() -> None:
    """Compiled strategies are bytes with `co_code` after loading, and hash like their stored source."""
    parser = DSLParser()
    code = parser.parse("result = close > open", "<mine>")

    assert isinstance(code, bytes)
    assert parser.load(code).co_code == code
    assert len(parser.get_code_hash("result = close")) == 64
    assert parser.get_safe_globals()["RSI"].startswith("RSI(series, period=14)")


@pytest.mark.parametrize("bad", [b"", b"garbage", b"\x80\x04]", b"\xe3\x00", b"MSLB" + b"\x00" * 40, None, "text"])
def test_invalid_bytes(bad: Any, data: pd.DataFrame) -> None:
    """Bytes that are no container end in a DSLExecutionError."""
    with pytest.raises(DSLExecutionError, match="DSL-00"):
        DSLExecutor().execute(bad, data, {})


def test_guard_text(data: pd.DataFrame) -> None:
    """The text of a raise is in the error, verbatim."""
    with pytest.raises(DSLExecutionError, match="window must be positive"):
        DSLExecutor().compile_and_execute(
            "w = params['w']\nif w <= 0:\n    raise ValueError('window must be positive')\nresult = close > w",
            data,
            {"w": -1},
        )


def test_no_result(data: pd.DataFrame) -> None:
    """A program without a result compiles and says so when it runs."""
    with pytest.raises(DSLExecutionError, match="Variable 'result' not found"):
        DSLExecutor().compile_and_execute("x = close > 1", data, {})


def test_context(data: pd.DataFrame) -> None:
    """Each order statement that was true gives one command, each plot one visualization."""
    context = ExecutionContext(equity=5_000.0)
    DSLExecutor().compile_and_execute(
        "plot(data['close'], title='Price')\n"
        "if strategy.equity > 1000 and close > 0:\n    strategy.entry('a', strategy.long, qty=2)\n"
        "if close < 0:\n    strategy.close('a')\n"
        "strategy.exit('x', 'a', stop=close * 0.9)\nstrategy.close('a', qty_percent=50)\nresult = close > 0",
        data, {"_context": context},
    )  # fmt: skip

    assert [(item.action, item.direction, item.qty) for item in context.commands][:2] == [
        ("entry", "long", 2.0),
        ("exit", "a", None),
    ]
    assert context.commands[2].qty == 50
    assert context.visualizations[0].series.equals(data["close"])


def test_bare_names(data: pd.DataFrame) -> None:
    """A bare name is a required parameter, or the column of the data that has its name."""
    source = "result = close > level"

    assert DSLExecutor().compile_and_execute(source, data, {"level": 100}).equals(data["close"] > 100)
    assert DSLExecutor().compile_and_execute(source, data.assign(level=99.0), {}).equals(data["close"] > 99)
    with pytest.raises(DSLError, match="'level' is required"):
        DSLExecutor().compile_and_execute(source, data, {})


def test_validator() -> None:
    """The validator runs the compiler, raises nothing, and gives level, text and place."""
    validator = SecurityValidator()
    is_valid, found = validator.validate("import os\nresult = close")

    assert (is_valid, validator.has_errors()) == (False, True)
    assert found[0].to_dict() == {
        "level": "ERROR", "message": "[DSL-003] 'import' is not part of the language", "line": 1, "column": 1,
    }  # fmt: skip
    assert "import os" in validator.format_report()
    assert SecurityValidator().validate("result = close > 1") == (True, [])
    assert not SecurityValidator().validate(None)[0]  # type: ignore[arg-type]


def test_stdlib(data: pd.DataFrame) -> None:
    """The functions for hosts give what a strategy gives."""
    functions = dsl.get_stdlib_functions()

    assert functions["SMA"](data["close"], 5).iloc[10] == pytest.approx(data["close"].rolling(5).mean().iloc[10])
    assert list(functions["MACD"](data["close"]).columns) == ["macd", "signal", "histogram"]


def test_host_defaults() -> None:
    """Names, limits and quotas keep their defaults."""
    assert (DSLExecutor.MAX_EXECUTION_TIME_SECONDS, DSLExecutor.MAX_MEMORY_MB, DSLExecutor.MAX_RECURSION_DEPTH) == (
        30,
        512,
        100,
    )
    assert (dsl.ResourceLimits().MAX_ITERATIONS, dsl.ResourceLimits().MAX_OUTPUT_SIZE_MB) == (10_000, 10)
    assert dsl.UserQuota().FREE_MAX_CALCULATIONS_PER_DAY == 10_000
    assert ExecutionContext() == ExecutionContext(equity=100_000.0, position_size=0.0)


def test_functions_that_take_a_table() -> None:
    """Hosts check and correlate whole tables; a strategy is told what to write instead."""
    table = pd.DataFrame({"close": [1.0, 2.0, np.nan, 4.0], "volume": [4.0, 3.0, 2.0, 1.0]})
    functions = dsl.get_stdlib_functions()

    assert functions["check_missing_data"](table) == {"close": 0.25}
    assert functions["check_missing_data"](table, threshold=0.3) == {}
    assert functions["correlation_matrix"](table).loc["close", "volume"] == pytest.approx(-1)
    with pytest.raises(dsl.DSLSecurityError) as caught:
        dsl.compile("result = correlation_matrix(data)")
    assert caught.value.diagnostics[0].hint == "write x.rolling(n).corr(y)"
