@metadata
    name: Two averages
    description: In the market from the moment the fast average rises above the slow one until it falls below it.

@params
    fast: param.int(12, min=2, max=60, title="Fast average")
    slow: param.int(40, min=5, max=200, title="Slow average")

@strategy
    quick = EMA(close, fast)
    steady = SMA(close, slow)
    plot(quick, title="fast")
    plot(steady, title="slow")
    result = {'entry': crossover(quick, steady), 'exit': crossunder(quick, steady)}
