# clock
result = (market.hour >= 9) & (market.day_of_week < 6)
---
# math
result = np.log(close) + np.exp(close / 1000) + np.sqrt(volume) + close ** 0.5 + close % 7 + close // 3
---
# history
result = close[3] - close.shift(2, fill_value=0) + close.diff().fillna(0) + close.pct_change()
---
# table
result = {'up': close > open, 'body': close - open}
---
# zero
result = (close - open) / (volume - volume[1]) + close ** 400
---
# constant
result = where(close > open, 1, 0) + SMA(where(close > open, 1, 0), 3)
