@metadata
    name: Donchian breakout
    description: Enters above the highest price of 55 days with orders, sized by ATR, and leaves below the lowest of 20.

@params
    entry_days: param.int(55, min=10, max=250)
    exit_days: param.int(20, min=5, max=100)
    risk: param.float(0.01, min=0.001, max=0.05, description="share of the account that one ATR may cost")

@strategy
    # [1]: the channel of the bars before this one, or the price could never leave it.
    top = highest(high, entry_days)[1]
    floor = lowest(low, exit_days)[1]
    unit = atr(high, low, close, 20)
    plot(top, title="highest", color="green")
    plot(floor, title="lowest", color="red")

    # An account of our own size: reads of the broker make this part run bar by bar.
    if strategy.position_size == 0 and close > top:
        strategy.entry("breakout", strategy.long, qty=min(strategy.equity * risk / unit, strategy.equity / close))
    if strategy.position_size > 0 and close < floor:
        strategy.close("breakout")
