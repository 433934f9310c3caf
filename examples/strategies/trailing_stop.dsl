@metadata
    name: Trailing stop
    description: A state machine: a stop that only rises, three ATR below the close.

@params
    multiple: param.float(3.0, min=0.5, max=10.0)

@strategy
    unit = atr(high, low, close, 14)
    average = SMA(close, 50)

    # State: a read before the assignment sees the value of the bar before.
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
