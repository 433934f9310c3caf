@metadata
    name: Back inside the band
    description: Buys when the price returns from below the lower Bollinger band, sells at the middle.

@params
    window: param.int(20, min=5, max=100, title="Band over")
    width: param.float(2.0, min=0.5, max=4.0, step=0.1, title="Width in deviations")

@strategy
    band = bbands(close, window, width)
    plot(band.upper, title="upper", style="dashed")
    plot(band.middle, title="middle")
    plot(band.lower, title="lower", style="dashed")
    result = {'entry': crossover(close, band.lower), 'exit': crossover(close, band.middle)}
