"""Where TA-Lib is not installed the plain-Python references run, slowly and with the same numbers."""

import json
import subprocess
import sys

import numpy as np
import pytest

SOURCE = """
m = MACD(close)
b = bbands(close, 20, 2.0)
line = EMA(close, 12) + SMA(close, 20) + RSI(close, 14) + atr(high, low, close, 14) + m.histogram
more = b.upper + adx(high, low, close, 14).adx + supertrend(high, low, close)
result = line + more + close.rolling(10).median() + highest(high, 5)
"""
SCRIPT = """
import json, sys
sys.modules["talib"] = None
import numpy as np
from mysingle.dsl.engine.run import Runner, RunOptions
from mysingle.dsl.lang.lower import compile_source
job = json.load(sys.stdin)
data = {name: np.array(values) for name, values in job["bars"].items()}
runner = Runner(compile_source(job["source"]).program)
result = runner.run(data, None, RunOptions(warmup="off"))
stream = runner.stream(None, RunOptions(warmup="off"))
ticks = [stream.update({name: data[name][at] for name in data}).values["result"] for at in range(len(data["close"]))]
same = np.array_equal(result.result, np.array(ticks), equal_nan=True)
json.dump({"result": result.result.tolist(), "same": same, "talib": result.metadata["talib"]}, sys.stdout)
"""


def test_same_numbers(runner, bars):
    """A run and a stream on the references agree with each other, and with TA-Lib to nine digits."""
    pytest.importorskip("talib")
    data = bars(120)
    job = {"source": SOURCE, "bars": {name: values.tolist() for name, values in data.items()}}

    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=json.dumps(job), capture_output=True, text=True, check=False
    )

    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert (found["same"], found["talib"]) == (True, "none")
    np.testing.assert_allclose(np.array(found["result"]), runner(SOURCE).run(data).result, rtol=1e-9, equal_nan=True)
