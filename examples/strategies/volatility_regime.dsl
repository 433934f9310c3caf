# An indicator instead of a strategy: its result is a table of numbers, and no trade.
# yearly: standard deviation of daily returns, as a share of the price a year.
window = param.int(21, min=5, max=250)

def yearly(series, n):
    return series.pct_change().rolling(n).std() * np.sqrt(252)

now = yearly(close, window)
usual = now.rolling(252).median()
plot(now, title="volatility")
plot(usual, title="median of a year")
result = {'volatility': now, 'usual': usual, 'ratio': now / usual}
