# Buys below the lower band, sells at the middle band. A plain source without sections:
# every name that is not assigned is a column of the data or a parameter.
window = param.int(20, min=5, max=100)
width = param.float(2.0, min=0.5, max=4.0)

bands = bbands(close, window, width)
plot(bands.upper, title="upper", style="dashed")
plot(bands.middle, title="middle")
plot(bands.lower, title="lower", style="dashed")

result = {'entry': crossunder(close, bands.lower), 'exit': crossover(close, bands.middle)}
