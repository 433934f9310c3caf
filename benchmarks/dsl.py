"""What the strategy engine costs, as ratios inside one run."""

import ast
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import talib

from mysingle.dsl.engine.run import Runner, RunOptions
from mysingle.dsl.engine.sweep import sweep
from mysingle.dsl.ir.codec import decode, encode
from mysingle.dsl.ir.signing import Keyring
from mysingle.dsl.kernels.floats import clean_from
from mysingle.dsl.lang.lower import compile_source
from mysingle.dsl.sandbox.pool import WorkerPool

THRESHOLDS = {"MALLOC_MMAP_THRESHOLD_": "268435456", "MALLOC_TRIM_THRESHOLD_": "1073741824"}
REPEAT = {1_000: 300, 100_000: 40, 1_000_000: 7}
OFF = RunOptions(warmup="off")
STRATEGY = """
fast = EMA(close, 12)
slow = SMA(close, 50)
rsi = RSI(close, 14)
a = atr(high, low, close, 14)
m = MACD(close)
b = bbands(close, 20, 2.0)
usual = SMA(volume, 20)
calm = a < SMA(a, 50) * 1.5
entry = (crossover(fast, slow) | crossover(m.macd, m.signal)) & (rsi < 70.0) & (rsi > 30.0)
entry = entry & (volume > usual * 0.8) & calm & (close < b.upper)
result = {'entry': entry, 'exit': crossunder(fast, slow) | (rsi > 80.0) | (close < b.lower - a * 0.5)}
"""
SWEEP = """
n = param.int(12, min=2, max=400)
w = param.int(50, min=2, max=400)
level = param.float(70.0)
fast = EMA(close, n)
slow = SMA(close, w)
rsi = RSI(close, 14)
a = atr(high, low, close, 14)
usual = SMA(volume, 20)
b = bbands(close, 20, 2.0)
calm = a < SMA(a, 50) * 1.5
result = {
    'entry': crossover(fast, slow) & (rsi < level) & (volume > usual * 0.8) & calm & (close < b.upper),
    'exit': crossunder(fast, slow) | (rsi > 80.0) | (close < b.lower - a * 0.5),
}
"""
TRAILING = """
a = atr(high, low, close, 14)
var inside = False
var stop = 0.0
if crossover(close, SMA(close, 20)) and not inside:
    inside = True
    stop = close - 2 * a
if inside:
    stop = max(stop, close - 2 * a)
    if close < stop:
        inside = False
result = inside
"""


def bars(size: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, size)))
    opened = close * (1 + rng.normal(0, 0.003, size))
    high = np.maximum(opened, close) * (1 + abs(rng.normal(0, 0.004, size)))
    low = np.minimum(opened, close) * (1 - abs(rng.normal(0, 0.004, size)))
    return {"open": opened, "high": high, "low": low, "close": close, "volume": np.round(rng.uniform(0, 1e5, size))}


def best(work: Callable[[], object], repeat: int, clock: Callable[[], float] = time.thread_time) -> float:
    """Give the least processor time of this thread: ratios then hold on a machine that does other work too."""
    work()
    found = []
    for _ in range(repeat):
        begin = clock()
        work()
        found.append(clock() - begin)
    return min(found)


def copy_of(data: dict[str, np.ndarray]) -> Callable[[], None]:
    room = {name: np.empty_like(values) for name, values in data.items()}

    def copy() -> None:
        for name, values in data.items():
            np.copyto(room[name], values)

    return copy


def by_hand(d: dict[str, np.ndarray], n: int = 12, w: int = 50) -> tuple[np.ndarray, np.ndarray]:
    close, high, low, volume = d["close"], d["high"], d["low"], d["volume"]
    fast, slow, rsi = talib.EMA(close, n), talib.SMA(close, w), talib.RSI(close, 14)
    a = talib.ATR(high, low, close, 14)
    macd, signal, _ = talib.MACD(close, 12, 26, 9)
    upper, _, lower = talib.BBANDS(close, 20, 2.0, 2.0, 0)

    def cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        found = np.zeros(x.size, dtype=bool)
        found[1:] = (x[1:] > y[1:]) & (x[:-1] <= y[:-1])
        return found

    entry = (cross(fast, slow) | cross(macd, signal)) & (rsi < 70.0) & (rsi > 30.0)
    entry &= (volume > talib.SMA(volume, 20) * 0.8) & (a < talib.SMA(a, 50) * 1.5) & (close < upper)
    return entry, cross(slow, fast) | (rsi > 80.0) | (close < lower - a * 0.5)


def by_pandas(d: pd.DataFrame) -> pd.DataFrame:
    close = d["close"]
    fast, slow = close.ewm(span=12, adjust=False).mean(), close.rolling(50).mean()
    move = close.diff()
    gain = move.clip(lower=0).ewm(span=14, adjust=False).mean()
    loss = (-move.clip(upper=0)).ewm(span=14, adjust=False).mean()
    rsi = 100 - 100 / (1 + gain / loss)
    before = close.shift()
    ranges = pd.concat([d["high"] - d["low"], (d["high"] - before).abs(), (d["low"] - before).abs()], axis=1).max(
        axis=1
    )
    a = ranges.ewm(span=14, adjust=False).mean()
    macd = close.ewm(span=12, adjust=False).mean() - close.ewm(span=26, adjust=False).mean()
    signal = macd.ewm(span=9, adjust=False).mean()
    middle, spread = close.rolling(20).mean(), close.rolling(20).std()

    def cross(x: pd.Series, y: pd.Series) -> pd.Series:
        return (x > y) & (x.shift() <= y.shift())

    entry = (cross(fast, slow) | cross(macd, signal)) & (rsi < 70) & (rsi > 30)
    entry &= d["volume"] > d["volume"].rolling(20).mean() * 0.8
    entry &= (a < a.rolling(50).mean() * 1.5) & (close < middle + 2 * spread)
    leave = cross(slow, fast) | (rsi > 80) | (close < middle - 2 * spread - a * 0.5)
    return pd.DataFrame({"entry": entry, "exit": leave})


def measure_runs() -> dict[str, float]:
    """T1, T2, T3 and T5: against copying the columns, TA-Lib by hand, and pandas with the older formulas."""
    runner, found = Runner(compile_source(STRATEGY).program), {}
    for size, repeat in REPEAT.items():
        data = bars(size)
        table = pd.DataFrame(data)
        entry, leave = by_hand(data)
        result = runner.run(data, None, OFF).result
        assert (entry == result["entry"]).all(), "signals must be those of TA-Lib"
        assert (leave == result["exit"]).all(), "signals must be those of TA-Lib"
        times = {
            "lb": best(copy_of(data), repeat),
            "run": best(lambda data=data: runner.run(data, None, OFF), repeat),
            "hand": best(lambda data=data: by_hand(data), repeat),
            "pandas": best(lambda table=table: by_pandas(table), max(repeat // 8, 2)),
        }
        found |= {f"{name}_ms_{size}": value * 1e3 for name, value in times.items()}
        found |= {
            f"t1_run_over_lb_{size}": times["run"] / times["lb"],
            f"t2_run_over_hand_{size}": times["run"] / times["hand"],
            f"t3_t5_pandas_over_run_{size}": times["pandas"] / times["run"],
        }
    container, table = encode(compile_source(STRATEGY).program, Keyring()), pd.DataFrame(bars(1_000))
    whole = best(lambda: Runner(decode(container, Keyring())).run(table, None, OFF), 50)
    found["t5_end_to_end_1000"] = best(lambda: by_pandas(table), 20) / whole
    return found


def measure_sweeps() -> dict[str, float]:
    """T6, T7 and T8: 1 000 combinations over 10 000 bars."""
    program, data = compile_source(SWEEP).program, bars(10_000)
    runner, copy = Runner(program), copy_of(data)
    grid = {"n": range(5, 25, 2), "w": range(30, 130, 10), "level": [50.0 + 3 * k for k in range(10)]}
    rng = np.random.default_rng(3)
    scattered = [
        {"n": int(n), "w": int(w), "level": float(level)}
        for n, w, level in zip(
            rng.integers(3, 60, 1000), rng.integers(20, 300, 1000), rng.uniform(50, 90, 1000), strict=True
        )
    ]
    lb = best(lambda: [copy() for _ in range(1000)], 3)
    planned, random = best(lambda: sweep(program, data, grid), 3), best(lambda: sweep(program, data, scattered), 3)
    single = best(lambda: [runner.run(data, item, OFF) for item in scattered[:100]], 2) * 10
    hand = best(lambda: [by_hand(data, item["n"], item["w"]) for item in scattered[:100]], 2) * 10
    return {
        "sweep_lb_ms": lb * 1e3,
        "t6_grid_over_lb": planned / lb,
        "t6_random_over_lb": random / lb,
        "t7_unplanned_over_grid": single / planned,
        "t7_unplanned_over_random": single / random,
        "t8_hand_over_grid": hand / planned,
        "t8_hand_over_random": hand / random,
        "t8_pandas_over_grid": best(lambda: by_pandas(pd.DataFrame(data)), 5) * 1000 / planned,
    }


def measure_stream() -> dict[str, float]:
    """T9: bits, and the cost of a bar against the cost of a bar in a run over 100 000 bars."""
    runner, data, wide = Runner(compile_source(STRATEGY).program), bars(5_000), bars(100_000)
    whole, stream = runner.run(data).result, runner.stream()
    rows = [
        dict(zip(data, row, strict=True)) for row in zip(*(values.tolist() for values in data.values()), strict=True)
    ]
    begin = time.thread_time()
    ticks = [stream.update(row).values for row in rows]
    bar = (time.thread_time() - begin) / len(rows)
    wrong = sum(int((np.array([tick[name] for tick in ticks]) != whole[name]).sum()) for name in whole)
    return {
        "t9_mismatching_bits": float(wrong),
        "stream_us_per_bar": bar * 1e6,
        "t9_stream_over_vector": bar / (best(lambda: runner.run(wide, None, OFF), 20) / 100_000),
    }


def measure_compile() -> dict[str, float]:
    """T10: compile against the parser alone, load against compile."""
    container, ring = encode(compile_source(STRATEGY).program, Keyring()), Keyring()
    works = (lambda: ast.parse(STRATEGY), lambda: compile_source(STRATEGY), lambda: decode(container, ring))
    rounds = [[best(work, 20) for work in works] for _ in range(10)]  # in turns: other work slows all of them alike
    parse, built, load = (min(times) for times in zip(*rounds, strict=True))
    return {
        "compile_ms": built * 1e3,
        "t10_compile_over_parse": built / parse,
        "load_us": load * 1e6,
        "t10_load_over_compile": load / built,
    }


def measure_region() -> dict[str, float]:
    """T11: a trailing stop bar by bar against a loop over `.iloc`."""
    size = 20_000
    data = bars(size)
    table = pd.DataFrame(data)
    table["a"] = talib.ATR(data["high"], data["low"], data["close"], 14)
    table["s"] = talib.SMA(data["close"], 20)

    def loop() -> list[bool]:
        inside, stop, found = False, 0.0, [False]
        for at in range(1, size):
            close, a = table["close"].iloc[at], table["a"].iloc[at]
            crossed = close > table["s"].iloc[at] and table["close"].iloc[at - 1] <= table["s"].iloc[at - 1]
            if crossed and not inside:
                inside, stop = True, close - 2 * a
            if inside:
                stop = max(stop, close - 2 * a)
                inside = not close < stop
            found.append(inside)
        return found

    runner = Runner(compile_source(TRAILING).program)
    assert loop()[50:] == runner.run(data, None, OFF).result.tolist()[50:]
    ours = best(lambda: runner.run(data, None, OFF), 5)
    return {"region_us_per_bar": ours / size * 1e6, "t11_iloc_over_region": best(loop, 1) / ours}


def peak_kilobytes() -> int:
    """Return the peak of this program's memory. `getrusage` would begin with that of the process that started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1])


def measure_memory() -> dict[str, float]:
    """T12: peak memory of a run over a million bars, beyond the data, in multiples of the five columns."""
    data = bars(1_000_000)
    runner = Runner(compile_source(STRATEGY).program)
    runner.run({name: values[:1000].copy() for name, values in data.items()}, None, OFF)
    before = peak_kilobytes()
    runner.run(data, None, OFF)
    return {"t12_peak_over_columns": (peak_kilobytes() - before) * 1024 / (5 * 8e6)}


def measure_import() -> dict[str, float]:
    """T13: importing the package against importing numpy, each in a fresh process, and what it loads."""

    def fresh(statement: str) -> float:
        code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
        return min(float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5))

    code = "import sys, mysingle.dsl; print(sum(n in sys.modules for n in ('numpy', 'pandas', 'talib', 'numba')))"
    numpy, ours = fresh("import numpy"), fresh("import mysingle.dsl")
    return {
        "import_ms": ours * 1e3,
        "t13_import_over_numpy": ours / numpy,
        "t13_loaded": float(subprocess.check_output([sys.executable, "-c", code])),
    }


def measure_guards() -> dict[str, float]:
    """T14: the check for missing values against copying, and a worker against a run in the process."""
    close = bars(1_000_000)["close"]
    room, program, data = np.empty_like(close), compile_source("result = close > SMA(close, 5)").program, bars(1_000)
    runner = Runner(program)
    with WorkerPool(1) as pool:
        worker = best(lambda: pool.run(program, data, None, OFF), 200, time.perf_counter)
    return {
        "t14_guard_ns_per_bar": best(lambda: clean_from(close), 50) * 1e3,
        "t14_guard_over_copy": best(lambda: clean_from(close), 50) / best(lambda: np.copyto(room, close), 50),
        "t14_worker_overhead_us": (worker - best(lambda: runner.run(data, None, OFF), 200, time.perf_counter)) * 1e6,
    }


LIMITS = {
    "t1_run_over_lb_1000": 60, "t1_run_over_lb_100000": 30, "t1_run_over_lb_1000000": 16,
    "t2_run_over_hand_1000": 3.5, "t2_run_over_hand_100000": 1.3, "t2_run_over_hand_1000000": 1.2,
    "t3_t5_pandas_over_run_1000": -15, "t3_t5_pandas_over_run_100000": -5, "t3_t5_pandas_over_run_1000000": -5,
    "t5_end_to_end_1000": -8, "t6_grid_over_lb": 6, "t6_random_over_lb": 20, "t7_unplanned_over_grid": -5,
    "t7_unplanned_over_random": -3, "t8_hand_over_grid": -8, "t8_hand_over_random": -3, "t8_pandas_over_grid": -100,
    "t9_mismatching_bits": 0, "t9_stream_over_vector": 600, "t10_compile_over_parse": 5, "t10_load_over_compile": 0.65,
    "t11_iloc_over_region": -50, "t12_peak_over_columns": 2.5, "t13_import_over_numpy": 0.3, "t13_loaded": 0,
    "t14_guard_over_copy": 3, "t14_worker_overhead_us": 100,
}  # fmt: skip
"""At most, or at least where it is negative."""


def measure() -> dict[str, float]:
    """Measure in a process of its own, whose memory is not given back to the system between runs."""
    command = [sys.executable, "-m", "benchmarks.dsl"]
    done = subprocess.run(command, env={**os.environ, **THRESHOLDS}, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    found: dict[str, float] = {}
    for work in (
        measure_memory, measure_runs, measure_sweeps, measure_stream, measure_compile, measure_region, measure_import,
        measure_guards,
    ):  # fmt: skip
        found |= work()
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
