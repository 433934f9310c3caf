# day
d = timeframe("1D")
result = (close > EMA(d.close, 3)) & (d.high[1] < high) & (d.col("volume", agg="max") > 1)
---
# developing
h = timeframe("4h", developing=True)
result = h.close - h.open
