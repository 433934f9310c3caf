@metadata
    name: Golden cross
    description: In the market while the 50-day average is above the 200-day average.

@params
    fast: param.int(50, min=5, max=100, title="Fast average")
    slow: param.int(200, min=50, max=400, title="Slow average")

@strategy
    # Two plain averages: slow to react, and rarely wrong about a long trend.
    quick = SMA(close, fast)
    steady = SMA(close, slow)
    plot(quick, title="fast average", color="blue")
    plot(steady, title="slow average", color="orange")
    result = {'entry': crossover(quick, steady), 'exit': crossunder(quick, steady)}
