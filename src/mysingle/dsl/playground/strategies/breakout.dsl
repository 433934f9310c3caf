@metadata
    name: Breakout with orders
    description: Buys above the highest price of many days with a size that the risk decides, and leaves below a low.

@params
    entry_days: param.int(40, min=5, max=150, title="Highest of days")
    exit_days: param.int(15, min=3, max=100, title="Lowest of days")
    risk: param.float(0.01, min=0.002, max=0.05, step=0.002, title="Risk of one ATR")

@strategy
    # [1]: the channel of the bars before this one, or the price could never leave it.
    top = highest(high, entry_days)[1]
    floor = lowest(low, exit_days)[1]
    unit = atr(high, low, close, 20)
    plot(top, title="highest")
    plot(floor, title="lowest")

    if strategy.position_size == 0 and close > top:
        strategy.entry("breakout", strategy.long, qty=min(strategy.equity * risk / unit, strategy.equity / close))
    if strategy.position_size > 0 and close < floor:
        strategy.close("breakout")
