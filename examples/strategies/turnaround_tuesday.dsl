@metadata
    name: Turnaround Tuesday
    description: Buys a Monday that closed below the Friday before, sells two days later; the calendar as a signal.

@strategy
    is_monday = market.day_of_week == 1
    fell = close < close[1]
    calm = close > SMA(close, 100)
    entry = is_monday & fell & calm
    held = bars_since(entry)
    result = {'entry': entry, 'exit': held >= 2}
