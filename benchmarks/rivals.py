"""The strategy engine beside vectorbt, numba and talipp: the same program as each of their users would write it."""

import time
import warnings
from itertools import product

import numpy as np
import pandas as pd
import vectorbt as vbt
from numba import njit
from talipp.indicators import ATR, BB, EMA, MACD, RSI, SMA
from talipp.ohlcv import OHLCV

from benchmarks.dsl import OFF, REPEAT, STRATEGY, SWEEP, bars, best
from mysingle.dsl.engine.run import Runner
from mysingle.dsl.engine.sweep import sweep
from mysingle.dsl.lang.lower import compile_source

GRID = {"n": range(5, 25, 2), "w": range(30, 130, 10), "level": [50.0 + 3 * k for k in range(10)]}
SIGNALS_APART = 0.002
"""Rolling sums round otherwise: of a thousand bars two may cross a bar earlier or later."""


def by_vectorbt(d: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return entries and exits by vectorbt's own indicators, whose first values differ from TA-Lib's."""
    close, high, low, volume = d["close"], d["high"], d["low"], d["volume"]
    fast, slow = vbt.MA.run(close, 12, ewm=True), vbt.MA.run(close, 50)
    rsi, macd = vbt.RSI.run(close, 14, ewm=True).rsi, vbt.MACD.run(close, signal_ewm=True, macd_ewm=True)
    atr, band = vbt.ATR.run(high, low, close, 14, ewm=True).atr, vbt.BBANDS.run(close, 20, alpha=2.0)
    usual, calm = vbt.MA.run(volume, 20).ma, atr < vbt.MA.run(atr, 50).ma.to_numpy() * 1.5
    crossed = fast.ma_crossed_above(slow).to_numpy() | macd.macd_crossed_above(macd.signal).to_numpy()
    entry = crossed & (rsi < 70.0) & (rsi > 30.0) & (volume > usual.to_numpy() * 0.8) & calm & (close < band.upper)
    return entry, fast.ma_crossed_below(slow).to_numpy() | (rsi > 80.0) | (close < band.lower - atr * 0.5)


def sweep_by_vectorbt(d: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return entries and exits of every combination, a column each; equal windows are computed once."""
    rows = list(product(*GRID.values()))
    windows, others, levels = ([row[at] for row in rows] for at in range(3))
    close, volume = d["close"], d["volume"]
    fast = vbt.MA.run(close, windows, ewm=True, run_unique=True)
    slow = vbt.MA.run(close, others, run_unique=True)
    rsi = vbt.RSI.run(close, 14, ewm=True).rsi.to_numpy()[:, None]
    atr = vbt.ATR.run(d["high"], d["low"], close, 14, ewm=True).atr
    band, usual = vbt.BBANDS.run(close, 20, alpha=2.0), vbt.MA.run(volume, 20).ma
    calm = (volume > usual * 0.8) & (atr < vbt.MA.run(atr, 50).ma.to_numpy() * 1.5) & (close < band.upper)
    leave = ((rsi[:, 0] > 80.0) | (close < band.lower - atr * 0.5)).to_numpy()[:, None]
    entry = fast.ma_crossed_above(slow).to_numpy() & (rsi < np.array(levels)) & calm.to_numpy()[:, None]
    return entry, fast.ma_crossed_below(slow).to_numpy() | leave


@njit
def by_numba(close, high, low, volume, n, w, level):  # type: ignore[no-untyped-def]  # noqa: C901  # one fused pass
    """Return entries and exits of the swept program in one pass over the bars, with TA-Lib's definitions."""
    size = close.size
    entry, leave = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    fast = slow = gain = loss = atr = last_fast = last_slow = np.nan
    fast_sum = slow_sum = volume_sum = atr_sum = gain_sum = loss_sum = true_sum = band_sum = band_squares = 0.0
    atrs = np.empty(size)
    for at in range(size):
        price = close[at]
        slow_sum += price - (close[at - w] if at >= w else 0.0)
        volume_sum += volume[at] - (volume[at - 20] if at >= 20 else 0.0)
        old = close[at - 20] if at >= 20 else 0.0
        band_sum += price - old
        band_squares += price * price - old * old
        if at < n:
            fast_sum += price
        if at == n - 1:
            fast = fast_sum / n
        elif at >= n:
            fast = (price - fast) * (2.0 / (n + 1)) + fast
        if at >= w - 1:
            slow = slow_sum / w
        if at > 0:
            move = price - close[at - 1]
            up, down = max(move, 0.0), max(-move, 0.0)
            true = max(high[at] - low[at], abs(high[at] - close[at - 1]), abs(low[at] - close[at - 1]))
            if at <= 14:
                gain_sum += up
                loss_sum += down
                true_sum += true
            if at == 14:
                gain, loss, atr = gain_sum / 14, loss_sum / 14, true_sum / 14
            elif at > 14:
                gain, loss, atr = (gain * 13 + up) / 14, (loss * 13 + down) / 14, (atr * 13 + true) / 14
        atrs[at] = atr
        if at >= 14:
            atr_sum += atr - (atrs[at - 50] if at >= 64 else 0.0)
        rsi = 100.0 * gain / (gain + loss)
        middle = band_sum / 20
        spread = 2.0 * np.sqrt(max(band_squares / 20 - middle * middle, 0.0))
        if at >= 63:
            quiet = volume[at] > volume_sum / 20 * 0.8 and atr < atr_sum / 50 * 1.5 and price < middle + spread
            entry[at] = fast > slow and last_fast <= last_slow and rsi < level and quiet
        if at >= 19:
            leave[at] = (fast < slow and last_fast >= last_slow) or rsi > 80.0 or price < middle - spread - atr * 0.5
        last_fast, last_slow = fast, slow
    return entry, leave


def by_talipp(data: dict[str, np.ndarray]) -> float:
    """Return the seconds that talipp takes to bring its indicators of the program one bar forward."""
    fast, slow, rsi, atr = EMA(12), SMA(50), RSI(14), ATR(14)
    macd, band, usual = MACD(12, 26, 9), BB(20, 2.0), SMA(20)
    calm = SMA(50, input_indicator=atr)
    closing, ranging = (fast, slow, rsi, macd, band), (atr,)
    rows = list(zip(*(values.tolist() for values in data.values()), strict=True))
    begin = time.thread_time()
    for opened, high, low, close, volume in rows:
        for indicator in closing:
            indicator.add(close)
        for indicator in ranging:
            indicator.add(OHLCV(opened, high, low, close, volume))
        usual.add(volume)
    assert len(calm) == len(rows)
    return (time.thread_time() - begin) / len(rows)


def measure() -> dict[str, float]:
    """T4, and the rows of T8 and T9 that name other libraries; every program is compiled beforehand."""
    warnings.filterwarnings("ignore", module="vectorbt")
    return _measure_runs() | _measure_sweep() | _measure_stream()


def _measure_runs() -> dict[str, float]:
    runner, found = Runner(compile_source(STRATEGY).program), {}
    for size, repeat in REPEAT.items():
        data = bars(size)
        table = pd.DataFrame(data)
        ours = best(lambda data=data: runner.run(data, None, OFF), repeat)
        theirs = best(lambda table=table: by_vectorbt(table), max(repeat // 20, 2))
        found[f"t4_vectorbt_over_run_{size}"] = theirs / ours
    return found


def _measure_sweep() -> dict[str, float]:
    program, data = compile_source(SWEEP).program, bars(10_000)
    columns = (data["close"], data["high"], data["low"], data["volume"])
    runner = Runner(program)
    expected, (entry, leave) = runner.run(data, None, OFF).result, by_numba(*columns, 12, 50, 70.0)
    for name, found in (("entry", entry), ("exit", leave)):
        assert (expected[name] != found).mean() < SIGNALS_APART, f"{name}: the kernel computes something else"
    ours = best(lambda: sweep(program, data, GRID), 3)
    rows, table = list(product(*GRID.values())), pd.DataFrame(data)
    return {
        "t8_numba_over_grid": best(lambda: [by_numba(*columns, *row) for row in rows], 3) / ours,
        "t8_vectorbt_over_grid": best(lambda: sweep_by_vectorbt(table), 2) / ours,
    }


def _measure_stream() -> dict[str, float]:
    data, stream = bars(5_000), Runner(compile_source(STRATEGY).program).stream()
    rows = [dict(zip(data, row, strict=True)) for row in zip(*(v.tolist() for v in data.values()), strict=True)]
    begin = time.thread_time()
    for row in rows:
        stream.update(row)
    return {"t9_talipp_over_stream": by_talipp(data) / ((time.thread_time() - begin) / len(rows))}


LIMITS = {
    "t4_vectorbt_over_run_1000": -40, "t4_vectorbt_over_run_100000": -8, "t4_vectorbt_over_run_1000000": -4,
    "t8_vectorbt_over_grid": -4, "t8_numba_over_grid": -3, "t9_talipp_over_stream": -1.5,
}  # fmt: skip
"""At least."""
