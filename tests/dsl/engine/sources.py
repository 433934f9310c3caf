"""Strategies that use every part of the engine."""

CAUSAL = {
    "averages": "result = EMA(close, 12) > SMA(close, 50)",
    "record": "m = MACD(close)\nresult = m.histogram > 0",
    "bands": "b = bbands(close, 20, 2.0)\nresult = (close < b.lower) | crossover(close, b['upper'])",
    "stochastic": "s = stochrsi(close)\nresult = s.k > s.d",
    "incomplete": "r = close.rolling(20, min_periods=5)\nresult = (close - r.mean()) / r.std()",
    "rank": "result = close.rolling(30).rank() + close.rolling(10).median() + close.rolling(10).quantile(0.2)",
    "pairs": "result = close.rolling(20).corr(volume) + close.rolling(20).cov(volume)",
    "weights": "result = close.ewm(span=10).mean() + close.ewm(span=10, adjust=False).std()",
    "expanding": "result = close.expanding(5).std() + close.expanding().max()",
    "events": "result = bars_since(crossover(close, SMA(close, 10))) + value_when(close > open, close, 1)",
    "cumulative": "result = close.cumsum() / (volume.cummax() + 1) + obv(close, volume) + vwap(close, volume)",
    "supertrend": "result = supertrend(high, low, close)",
    "ichimoku": "i = ichimoku(high, low, close)\nresult = i.tenkan > i.kijun",
    "clock": "result = (market.hour >= 9) & (market.day_of_week < 6)",
    "pattern": "result = pattern.engulfing().is_bullish | pattern.doji() | HAMMER(data)",
    "namespace": "result = indicator.rsi.close(14) + indicator.adx(14).adx + indicator.kama(close, 10)",
    "math": "result = np.log(close) + np.exp(close / 1000) + np.sqrt(volume) + close ** 0.5 + close % 7 + close // 3",
    "history": "result = close[3] - close.shift(2, fill_value=0) + close.diff().fillna(0) + close.pct_change()",
    "table": "result = {'up': close > open, 'body': close - open}",
    "zero": "result = (close - open) / (volume - volume[1]) + close ** 400",
    "branch": "n = param.int(14, min=2, max=50)\nx = RSI(close, n) if n > 5 else close\nresult = x > 30",
    "constant": "result = where(close > open, 1, 0) + SMA(where(close > open, 1, 0), 3)",
    "state": "var stop = 0.0\nif close > stop:\n    stop = close * 0.95\nresult = stop",
    "trailing": """
a = atr(high, low, close, 14)
var inside = False
var stop = 0.0
entry = crossover(close, SMA(close, 20))
if entry and not inside:
    inside = True
    stop = close - 2 * a
if inside:
    stop = max(stop, close - 2 * a)
    if close < stop:
        inside = False
result = inside
""",
    "loop": """
r = pd.Series([False] * len(data))
for i in range(20, len(data)):
    if close.iloc[i] > close.iloc[i-1] and not r.iloc[i-1]:
        r.iloc[i] = True
result = r
""",
}

ORDERS = {
    "cross": """
fast = EMA(close, 12)
slow = EMA(close, 26)
if crossover(fast, slow):
    strategy.entry("L", strategy.long, qty=10)
if crossunder(fast, slow):
    strategy.close("L")
alert(crossover(fast, slow), "up")
""",
    "account": """
if strategy.position_size == 0 and crossover(close, SMA(close, 20)):
    strategy.entry("L", strategy.long, qty=strategy.equity * 0.1 / close)
if strategy.position_size > 0 and close < SMA(close, 20):
    strategy.close("L")
""",
}
