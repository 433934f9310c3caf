@metadata
    name: Monthly momentum
    description: Decides on closed months only: in the market while the last month closed above the mean of ten.

@strategy
    # Everything on `month` happens on the monthly grid; a month is seen after its last day has closed.
    month = timeframe("1M")
    mean = month.close.rolling(10).mean()
    plot(mean, title="mean of ten months")
    result = month.close > mean
