# functions
def band(x, n=20, k=2):
    """A band."""
    middle = SMA(x, n)
    if k > 1:
        return middle + k * stdev(x, n)
    else:
        return middle

def both(a, b):
    return a > b and a[1] > b[1]

result = both(close, band(close, 5)) or both(band(close), band(close, k=1))
---
# unrolled
total = 0
for n in [3, 5, 8]:
    total += SMA(close, n)
for i, k in enumerate([2, 4]):
    total = total + close[k] - i
names = {"fast": 5, "slow": 9}
spread = EMA(close, names["fast"]) - EMA(close, names["slow"])
lines = [SMA(close, k) for k in range(2, 6) if k != 4]
result = (total > spread) & (max(lines) > min(lines)) & (len(lines) == 3)
---
# branches
if close > open:
    size = 1.0
    kind = 2.0
elif close == open:
    size = 0.0
    kind = 1.0
else:
    size = -1.0
    kind = 0.0
x = size if volume > 100 else -size
x **= 2
x //= 3
x %= 5
up, down = x > kind, x < kind
flag = up ^ down
flag |= ~up
flag &= 1 < kind <= 2
result = where(flag, x, kind)
---
# frame
data["mid"] = (data.high + data["low"]) / 2
df = pd.DataFrame({"mid": data["mid"], "far": np.abs(data["mid"] - close) > 1})
result = df
---
# values
s = pd.Series(close).astype(float).clip(lower=1, upper=1e6).round(2)
t = s.where(s > s.shift(1), 0).mask(volume == 0).fillna(method="ffill").replace(0, 1)
u = np.select([t > 5, t > 2], [t, -t], default=0) + np.where(np.isnan(t), 1, np.sign(t)) + nz(t, 2) + fixnan(t)
result = u.between(-10, 1e5) & t.isin([1, 2, 3]).eq(False) & pd.notna(t) & ~s.isna()
