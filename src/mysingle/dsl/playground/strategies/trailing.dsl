@metadata
    name: A stop that only rises
    description: State from bar to bar: the stop follows the price at a distance of some ATR and never falls.

@params
    multiple: param.float(3.0, min=0.5, max=8.0, step=0.25, title="Distance in ATR")
    length: param.int(40, min=5, max=150, title="Average for the entry")

@strategy
    unit = atr(high, low, close, 14)
    average = SMA(close, length)

    # A read before the assignment sees the value of the bar before.
    var inside = False
    var stop = 0.0
    if not inside and crossover(close, average):
        inside = True
        stop = close - multiple * unit
    elif inside:
        stop = max(stop, close - multiple * unit)
        if close < stop:
            inside = False
    plot(average, title="average")
    plot(where(inside, stop, np.nan), title="stop", color="red")
    result = inside
