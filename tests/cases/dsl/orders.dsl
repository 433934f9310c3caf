# cross
fast = EMA(close, 12)
slow = EMA(close, 26)
if crossover(fast, slow):
    strategy.entry("L", strategy.long, qty=10)
if crossunder(fast, slow):
    strategy.close("L")
alert(crossover(fast, slow), "up")
---
# account
if strategy.position_size == 0 and crossover(close, SMA(close, 20)):
    strategy.entry("L", strategy.long, qty=strategy.equity * 0.1 / close)
if strategy.position_size > 0 and close < SMA(close, 20):
    strategy.close("L")
---
# bracket
fast = EMA(close, 5)
if crossover(fast, SMA(close, 9)):
    strategy.entry("L", strategy.long, qty=2, limit=close * 0.99, comment="dip")
    strategy.exit("x", "L", stop=close - 2 * atr(high, low, close, 5), limit=close * 1.05)
if close < low[1]:
    strategy.close("L", qty_percent=50)
    strategy.cancel("L")
if market.hour == 23:
    strategy.close_all()
plot(fast, title="fast", color="red", linewidth=2)
hline(100, title="hundred")
---
# account with state
var peak = 0.0
var trades = 0.0
if strategy.position_size > 0:
    peak = max(peak, high)
else:
    peak = 0.0
if strategy.position_size == 0 and rising(close, 2):
    trades += 1
    strategy.entry("L", strategy.long, qty=strategy.equity * 0.1 / close)
if strategy.position_size > 0 and close < peak * 0.98:
    strategy.close("L")
alert(trades > 3, "many", freq="bar_close")
result = {"peak": peak, "trades": trades, "equity": portfolio.equity}
