@metadata
    name: MACD with a trend filter
    description: Follows MACD where ADX says that there is a trend at all.

@strategy
    m = MACD(close, 12, 26, 9)
    d = ADX(high, low, close, 14)
    is_trending = d.adx > 20
    plot(m.macd, title="MACD")
    plot(m.signal, title="signal")
    plot(d.adx, title="ADX")
    hline(20, title="trend above")
    # histogram > 0 is compared as macd > signal: a difference of equal averages is not taken for a cross.
    result = {
        'entry': crossover(m.macd, m.signal) & is_trending & (d.plus_di > d.minus_di),
        'exit': m.histogram < 0,
    }
