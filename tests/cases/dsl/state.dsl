# state
var stop = 0.0
if close > stop:
    stop = close * 0.95
result = stop
---
# trailing
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
---
# loop
r = pd.Series([False] * len(data))
for i in range(20, len(data)):
    if close.iloc[i] > close.iloc[i-1] and not r.iloc[i-1]:
        r.iloc[i] = True
result = r
