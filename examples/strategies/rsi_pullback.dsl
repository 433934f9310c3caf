@metadata
    name: RSI pullback
    description: Buys a short fall inside a long rise, and sells the recovery.

@params
    period: param.int(4, min=2, max=30)
    low: param.float(25.0, min=1.0, max=50.0)
    high: param.float(55.0, min=50.0, max=99.0)

@strategy
    trend = SMA(close, 200)
    strength = RSI(close, period)
    plot(trend, title="trend", color="orange")
    plot(strength, title="RSI")
    hline(low, title="buy below")
    hline(high, title="sell above")
    # The exit asks for nothing but strength: a fall of the trend alone does not sell at the lowest price.
    result = {'entry': (strength < low) & (close > trend), 'exit': strength > high}
