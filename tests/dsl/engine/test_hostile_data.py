"""Data is input too (S7): whatever a provider sends, a run ends with finite values, na, or an error that names it."""

import numpy as np
import pandas as pd
import pytest

from mysingle.dsl import api
from mysingle.dsl.errors import DSLError

N = 60
LINE = np.linspace(1.0, 2.0, N)
INDEX = pd.date_range("2024-01-01", periods=N, freq="h")
COUNT = np.arange(N)


def table(**more):
    return {**{name: LINE.copy() for name in ("open", "high", "low", "close", "volume")}, **more}


def framed(index=None, **more):
    return pd.DataFrame(table(**more), index=index)


def days(first):
    return np.array([np.datetime64(first) + np.timedelta64(at, "D") for at in range(N)], dtype="M8[s]")


DATA = {
    "time nan": table(time=np.full(N, np.nan)),
    "time inf": table(time=np.full(N, np.inf)),
    "time huge": table(time=COUNT * 1e300),
    "time before the epoch": table(time=COUNT * 3.6e6 - 1e15),
    "time beyond 64 bits": table(time=COUNT + 2**62),
    "time text": table(time=["a"] * N),
    "time with a hole": table(time=np.where(COUNT == 5, np.nan, COUNT * 3.6e6)),
    "time NaT": table(time=np.array(["NaT"] * N, dtype="M8[ms]")),
    "time short": table(time=COUNT[:3]),
    "time falling": table(time=-COUNT * 1.0),
    "complex": table(close=LINE + 1j),
    "objects": table(close=np.array([object()] * N)),
    "text": table(close=["1"] * N),
    "two dimensions": table(close=np.zeros((N, 2))),
    "one number": table(close=np.float64(1)),
    "nothing": table(close=None),
    "short": table(close=LINE[:3]),
    "bool": table(close=LINE > 1.5),
    "half precision": table(close=LINE.astype("f2")),
    "more than double": table(close=LINE.astype("g")),
    "bytes": table(close=COUNT.astype("i1")),
    "infinite": table(close=np.full(N, np.inf)),
    "missing": table(close=np.full(N, np.nan)),
    "huge": table(close=np.full(N, 1.7e308)),
    "tiny": table(close=np.full(N, 5e-324)),
    "negative": table(close=-LINE),
    "masked": table(close=np.ma.array(LINE, mask=LINE > 1.5)),
    "ragged": table(close=[[1], [1, 2]] * (N // 2)),
    "generator": table(close=(value for value in LINE)),
    "dates": table(close=INDEX.to_numpy()),
    "void": table(close=np.zeros(N, dtype="V4")),
    "records": table(close=np.zeros(N, dtype=[("a", "f8")])),
    "no bars": {name: values[:0] for name, values in table().items()},
    "one bar": {name: values[:1] for name, values in table().items()},
    "no columns": {},
    "number as a name": {1: LINE, **table()},
    "None": None,
    "a word": "close",
    "a Series": pd.Series(LINE),
    "an array": np.ones((N, 5)),
    "index with a zone": framed(INDEX.tz_localize("Asia/Seoul")),
    "index of one label": framed([0] * N),
    "index falling": framed(range(N, 0, -1)),
    "index NaT": framed(pd.DatetimeIndex([pd.NaT] * N)),
    "index that ends in NaT": framed(pd.DatetimeIndex([*INDEX[:-1], pd.NaT])),
    "index of pairs": framed(pd.MultiIndex.from_product([range(6), range(10)])),
    "index of words and numbers": framed([*range(30), *map(str, range(30))]),
    "index in the year 9999": framed(days("9999-01-01")),
    "index before Christ": framed(days("-9999-01-01")),
    "double column": pd.DataFrame(np.ones((N, 6)), columns=["close", "close", "open", "high", "low", "volume"]),
    "columns of pairs": pd.DataFrame(np.ones((N, 5)), columns=pd.MultiIndex.from_product([["a"], table()])),
    "categories": framed(close=pd.Categorical(["a"] * N)),
    "nullable": framed(close=pd.array([1, None] * (N // 2), dtype="Int64")),
    "sparse": framed(close=pd.arrays.SparseArray(LINE)),
}
SOURCES = {
    "prices": "result = RSI(close) + atr(high, low, close, 3) + close.rolling(4).std() + obv(close, volume)",
    "timeframes": "d = timeframe('1D')\nm = timeframe('9999M')\nw = timeframe('9999W')\n"
    "result = (close > d.close) | (close > m.high) | (close < w.low)",
    "clock": "result = (market.hour > 3) & market.is_open & (market.time - market.time[1] > 0)",
    "account": "var x = 0.0\nx = x + close\nif close > 1.5:\n"
    "    strategy.entry('a', strategy.long, qty=strategy.equity / close)\nresult = strategy.equity + x",
}


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_s7_hostile_data(source, data):
    """A run over any data gives numbers without infinity, or is refused with a code that is not an internal error."""
    try:
        found = api.compile(source).run(data, warmup="off").result
    except DSLError as error:
        found, code = [0.0], str(error)
    else:
        code = ""

    assert "nternal" not in code
    assert not np.isinf(np.asarray(found, dtype=float)).any()


def test_history_of_time(frame):
    """The time of an earlier bar can be read, and two times subtracted; a run and a stream agree."""
    program = api.compile("result = market.time - market.time[1]")
    data = frame(20)
    stream = program.stream(warmup="off")

    ticks = [stream.update({"time": time, "close": 1.0}).values["result"] for time in data.index]

    assert program.run(data, warmup="off").result.tolist()[1:] == ticks[1:] == [3_600_000.0] * 19
