@metadata
    name: Engulfing reversal
    description: Market orders on a bullish engulfing day near the low, with a bracket of stop and target.

@params
    reward: param.float(2.0, min=0.5, max=10.0, description="distance of the target in units of the stop's")

@strategy
    unit = atr(high, low, close, 14)
    near_low = low <= lowest(low, 10)
    signal = pattern.engulfing().is_bullish & near_low
    if signal:
        strategy.entry("reversal", strategy.long, qty=100000 / close)
        strategy.exit("bracket", "reversal", stop=close - 2 * unit, limit=close + 2 * reward * unit)
    alert(signal, "bullish engulfing near the low")
    plot(lowest(low, 10), title="low of ten days", style="dashed")
