"""A planned sweep gives what single runs give, and computes less."""

import math

import numpy as np
import pytest

from mysingle.dsl.engine.metrics import METRICS
from mysingle.dsl.engine.run import RunOptions
from mysingle.dsl.engine.sweep import combinations_of, sweep
from mysingle.dsl.errors import DSLParameterError

CROSSING = """
fast = param.int(5, min=2, max=60)
slow = param.int(20, min=2, max=60)
level = param.float(70.0)
wide = fast * 2
f = EMA(close, fast)
s = SMA(close, slow)
r = RSI(close, 14)
result = {
    'entry': crossover(f, s) & (r < level) & (close > SMA(close, wide)) & (volume > SMA(volume, 20) * 0.5),
    'exit': crossunder(f, s) | (r > 80.0) | ~(close > s),
}
"""
BRANCH = "n = param.int(5)\nx = SMA(close, n) if n > 3 else close\nresult = close > x"
STATE = "n = param.int(5)\nvar m = 0.0\nif close > SMA(close, n):\n    m = close\nresult = close < m"
SPACES = {
    "grid": {"fast": [3, 5, 8], "slow": [10, 20], "level": [50.0, 70.0]},
    "random": [{"fast": 3 + k % 7, "slow": 10 + k * 3 % 11, "level": 50.0 + k} for k in range(20)],
    "few": [{"fast": 5}, {"fast": 9}, {"fast": 5}],
}


def _key(outputs):
    return float(sum((at + 1) * float(np.packbits(values).astype(float) @ np.arange(1, 1 + -(-values.size // 8)))
                     for at, values in enumerate(outputs.values())))  # fmt: skip


@pytest.mark.parametrize("warmup", ["off", "first_valid"])
@pytest.mark.parametrize("shape", ["random", "ticks", "gaps"])
@pytest.mark.parametrize("space", sorted(SPACES))
def test_equals_single_runs(space, shape, warmup, runner, bars):
    """Every combination gives the bits that a run of its own gives."""
    program, data, options = runner(CROSSING), bars(300, shape), RunOptions(warmup=warmup)

    found = sweep(program.program, data, SPACES[space], _key, options=options)

    expected = [_key(program.run(data, combination, options).result) for combination in combinations_of(SPACES[space])]
    assert expected == found.values.tolist()


@pytest.mark.parametrize("source", [BRANCH, STATE])
def test_branches_and_states(source, runner, bars):
    """What cannot be planned is run one by one, with the same outcome."""
    program, data = runner(source), bars(120)

    found = sweep(program.program, data, {"n": [1, 3, 4, 9]}, _key)

    assert [_key({"result": program.run(data, {"n": n}).result}) for n in (1, 3, 4, 9)] == found.values.tolist()


def test_computes_less(runner, bars):
    """Filters that no parameter reaches are computed once."""
    program, data = runner(CROSSING), bars(300)
    operations = program.run(data).metadata["operations"]

    found = sweep(program.program, data, {"fast": range(3, 13), "level": [50.0 + k for k in range(10)]})

    assert found.evaluated < operations * 100 / 4


def test_the_best_come_first(runner, bars):
    """The table holds the best combinations in order, with their metric."""
    found = sweep(runner(CROSSING).program, bars(300), SPACES["grid"], "total_return", top=3)

    assert sorted(found.values.tolist(), reverse=True)[:3] == [row["metric"] for row in found.best]
    assert {"fast", "slow", "level", "metric"} == set(found.best[0])


def test_metrics_of_a_known_path(runner):
    """Bought at 100 after the first bar, sold at 121: two gains of ten per cent, one trade, no fall."""
    data = {"close": np.array([100.0, 110.0, 121.0, 60.5, 60.5]), "entry": np.array([1.0, 0, 0, 0, 0])}
    source = "n = param.int(0)\nresult = {'entry': entry > n, 'exit': close == 121.0}"
    program = runner(source, columns=["entry"]).program

    found = {name: sweep(program, data, [{"n": 0}], name).values[0] for name in METRICS}

    assert pytest.approx(0.21) == found["total_return"]
    assert pytest.approx(0.04 / math.sqrt(0.02 / 5 - 0.04**2)) == found["sharpe"]
    assert (found["max_drawdown"], found["win_rate"], found["trades"]) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("space", "metric"),
    [([], "sharpe"), ({"fast": []}, "sharpe"), ({"fast": [3]}, "profit"), ({"fast": [1]}, "sharpe")],
)
def test_refused(space, metric, runner, bars):
    """A sweep needs combinations, a known metric, and values that the program takes."""
    with pytest.raises(DSLParameterError):
        sweep(runner(CROSSING).program, bars(100), space, metric)
