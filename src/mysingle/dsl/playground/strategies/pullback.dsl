@metadata
    name: Pullback in a rise
    description: Buys a short fall inside a long rise, and sells the recovery.

@params
    period: param.int(4, min=2, max=30, title="RSI over")
    oversold: param.float(30.0, min=5.0, max=50.0, step=1.0, title="Buy below")
    recovered: param.float(60.0, min=50.0, max=95.0, step=1.0, title="Sell above")
    trend: param.int(100, min=20, max=250, title="Trend average")

@strategy
    average = SMA(close, trend)
    strength = RSI(close, period)
    plot(average, title="trend")
    plot(strength, title="RSI")
    hline(oversold, title="buy below")
    hline(recovered, title="sell above")
    result = {'entry': (strength < oversold) & (close > average), 'exit': strength > recovered}
