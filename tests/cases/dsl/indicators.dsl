# averages
result = EMA(close, 12) > SMA(close, 50)
---
# record
m = MACD(close)
result = m.histogram > 0
---
# bands
b = bbands(close, 20, 2.0)
result = (close < b.lower) | crossover(close, b['upper'])
---
# stochastic
s = stochrsi(close)
result = s.k > s.d
---
# supertrend
result = supertrend(high, low, close)
---
# ichimoku
i = ichimoku(high, low, close)
result = i.tenkan > i.kijun
---
# pattern
result = pattern.engulfing().is_bullish | pattern.doji() | HAMMER(data)
---
# namespace
result = indicator.rsi.close(14) + indicator.adx(14).adx + indicator.kama(close, 10)
---
# incomplete
r = close.rolling(20, min_periods=5)
result = (close - r.mean()) / r.std()
---
# rank
result = close.rolling(30).rank() + close.rolling(10).median() + close.rolling(10).quantile(0.2)
---
# pairs
result = close.rolling(20).corr(volume) + close.rolling(20).cov(volume)
---
# weights
result = close.ewm(span=10).mean() + close.ewm(span=10, adjust=False).std()
---
# expanding
result = close.expanding(5).std() + close.expanding().max()
---
# events
result = bars_since(crossover(close, SMA(close, 10))) + value_when(close > open, close, 1)
---
# cumulative
result = close.cumsum() / (volume.cummax() + 1) + obv(close, volume) + vwap(close, volume)
