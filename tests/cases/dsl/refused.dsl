result = high.shift(-2)   # DSL-010
---
result = close > close.mean()   # DSL-010
---
import os   # DSL-003
---
x = close
result = x.__class__   # DSL-003
---
result = EMA(close, windw=12)   # DSL-002
---
result = SMA(close, 5001)   # DSL-005
---
result = (close   # DSL-001
---
r = close
for i in range(len(data)):
    r.iloc[i] = close.iloc[i + 1]   # DSL-010
