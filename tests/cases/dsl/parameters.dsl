# declared
n = param.int(14, min=2, max=50, step=1, title="length")
level = param.float(30.0, min=0, max=100)
side = param.str("long", options=["long", "short"])
loud = param.bool(False)
x = RSI(close, n) < level
if side == "long":
    result = x
else:
    result = not x
alert(x if loud else close < 0, "signal")
---
# sections
@metadata
    name: average
    lang: 1.0
    profile: standard

@params
    n: 5   # bars
    limit: 1.5

@calculate
    if not isinstance(n, (int, float)):
        raise ValueError("n is a number")
    band = stdev(close, n) * limit
    return close > SMA(close, n) + band
---
# optional
w = params.get("w") or 14
k = params.get("k", 2.0)
assert w > 1, "w is too small"
result = (close - SMA(close, w)) / stdev(close, w) > k
---
# names
result = EMA(close, span) > threshold
---
# profile
@metadata
    profile: mysingle-1

@calculate
    m = MACD(close)
    return m.histogram + RSI(close, 14) + atr(high, low, close, 14) + obv(close, volume)
