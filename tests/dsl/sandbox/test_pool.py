"""Workers give what a run in the process gives, hold nothing that could do harm, and are replaced when they fail."""

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest

from mysingle.dsl.engine.run import Runner, RunOptions
from mysingle.dsl.errors import DSLExecutionError, DSLParameterError, DSLTimeoutError
from mysingle.dsl.lang.lower import compile_source
from mysingle.dsl.limits import ResourceLimits
from mysingle.dsl.sandbox.pool import WorkerPool

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pipes and memory of Linux")
SOURCE = """
n = param.int(12, min=2, max=50)
fast = EMA(close, n)
if crossover(fast, SMA(close, 30)):
    strategy.entry("L", strategy.long, qty=2)
plot(fast, title="fast")
result = {'up': fast > SMA(close, 30), 'gap': fast - close.rolling(9, min_periods=3).std()}
"""
ACCOUNT = """
if strategy.position_size == 0 and close > close[3]:
    strategy.entry("L", strategy.long)
if strategy.position_size > 0 and close < close[3]:
    strategy.close("L")
"""


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(2) as found:
        yield found


def _program(source):
    return compile_source(source).program


def _frame(bars, size=300):
    return pd.DataFrame(bars(size), index=pd.date_range("2024-01-01", periods=size, freq="h"))


def test_same_result(pool, bars):
    """Result, orders and plots are those of a run in the process, in the form of the data."""
    program, data = _program(SOURCE), _frame(bars)

    found, expected = pool.run(program, data, {"n": 9}), Runner(program).run(data, {"n": 9})

    pd.testing.assert_frame_equal(expected.result, found.result)
    assert [repr(row) for row in expected.orders] == [repr(row) for row in found.orders]
    pd.testing.assert_series_equal(expected.plots[0].values, found.plots[0].values)


def test_clock(pool, bars):
    """The time of the bars reaches the worker."""
    program, data = _program("result = market.hour >= 9"), _frame(bars)

    pd.testing.assert_series_equal(Runner(program).run(data).result, pool.run(program, data).result)


def test_account_fills_at_the_open(pool, bars):
    """A program that reads its account gets the prices of its fills although it names none of them."""
    program, data = _program(ACCOUNT), _frame(bars)
    data["open"] += 5.0

    found, expected = pool.run(program, data), Runner(program).run(data)

    assert expected.stats["trades"] > 0
    assert expected.stats == found.stats


def test_errors_keep_their_class(pool, bars):
    """A refused parameter and a guard are told as they would be in the process."""
    with pytest.raises(DSLParameterError, match="between 2 and 50"):
        pool.run(_program(SOURCE), bars(100), {"n": 99})
    with pytest.raises(DSLExecutionError, match="too dear"):
        pool.run(_program("assert close < 1, 'too dear'\nresult = close"), bars(100))


def test_many_callers(pool, bars):
    """Threads share the workers, and each gets its own answer."""
    program, data, found = _program(SOURCE), bars(200), {}
    expected = {n: Runner(program).run(data, {"n": n}).result["up"] for n in range(5, 15)}

    def work(n):
        found[n] = pool.run(program, data, {"n": n}).result["up"]

    threads = [threading.Thread(target=work, args=(n,)) for n in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for n, values in expected.items():
        np.testing.assert_array_equal(values, found[n])


def test_a_slow_run_is_ended(bars):
    """A worker past its time is killed, and the next run has a new one."""
    program, data = _program(SOURCE), bars(200)
    many = {name: np.tile(values, 2_000) for name, values in data.items()}
    with WorkerPool(1) as pool:
        pool.run(program, data)
        with pytest.raises(DSLTimeoutError):
            pool.run(program, many, None, RunOptions(limits=ResourceLimits(MAX_EXECUTION_TIME_SECONDS=0)))

        assert pool.run(program, data).result["up"].any()


def test_limits_of_this_process_are_untouched(pool, bars):
    """Only the worker gives up rights."""
    import resource

    kinds = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)
    before = [resource.getrlimit(kind) for kind in kinds]

    pool.run(_program(SOURCE), bars(100))

    assert before == [resource.getrlimit(kind) for kind in kinds]


ATTEMPTS = {
    "open a file": "open('/etc/hostname')",
    "write a file": "open('/tmp/written-by-a-worker', 'w')",
    "open a socket": "socket.socket()",
    "fork": "os.fork()",
    "start a program": "os.execv('/bin/true', ['true'])",
    "make a directory": "os.mkdir('/tmp/made-by-a-worker')",
    "signal a process": "os.kill(os.getppid(), 0)",
    "map executable memory": "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
}


SCRIPT = f"""
import json, mmap, os, socket, sys
import numpy as np
from mysingle.dsl.kernels.talib_kernels import call_talib, has_talib
from mysingle.dsl.sandbox.jail import lock_down
if has_talib():
    call_talib("RSI", [np.arange(50.0)], (14,))
report, found = lock_down(1 << 28, 60), {{}}
for name, attempt in {ATTEMPTS!r}.items() if report.seccomp else ():
    try:
        exec(attempt)
        found[name] = "done"
    except PermissionError:
        found[name] = "refused"
    values = call_talib("RSI", [np.arange(50.0)], (14,)) if has_talib() else np.ones(50)
    found[name] += "" if values.size == 50 else ", and the kernels are broken"
sys.stdout.write(json.dumps(found))
sys.stdout.flush()
"""


@pytest.fixture(scope="module")
def outcomes():
    """Try everything in one process that has locked itself down."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, check=False)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


@pytest.mark.parametrize("attempt", sorted(ATTEMPTS))
def test_what_a_worker_cannot_do(attempt, outcomes):
    """After the lock-down the operating system refuses, and numpy and TA-Lib go on working."""
    if not outcomes:
        pytest.skip("this kernel has no seccomp filter")
    assert outcomes[attempt] == "refused"
