"""One run: what goes in is checked, what comes out has the form of the data, and budgets hold."""

import threading

import numpy as np
import pandas as pd
import pytest

from mysingle.dsl.engine.broker import BrokerSettings
from mysingle.dsl.engine.budget import CancelToken
from mysingle.dsl.engine.run import RunOptions
from mysingle.dsl.errors import (
    DSLDataError,
    DSLExecutionError,
    DSLMemoryError,
    DSLParameterError,
    DSLTimeoutError,
    DSLWarmupError,
)
from mysingle.dsl.limits import ResourceLimits, Tier

OFF = RunOptions(warmup="off")


def test_result_of_a_frame(runner, frame):
    """A condition is a bool Series on the index of the data; a record is a DataFrame."""
    data = frame(50)

    condition = runner("result = close > open").run(data).result
    table = runner("result = {'up': close > open, 'body': close - open}").run(data).result

    assert np.bool_ == condition.dtype
    pd.testing.assert_index_equal(data.index, condition.index)
    assert list(table.columns) == ["up", "body"]


def test_result_of_arrays(runner, bars):
    """A dict of arrays gives a read-only array."""
    result = runner("result = close * 2").run(bars(20)).result

    assert isinstance(result, np.ndarray)
    assert not result.flags.writeable


def test_results_are_the_callers_own(runner, frame):
    """Writing into a result changes neither the data nor the next result."""
    data, program = frame(20), runner("result = close")
    before = data["close"].copy()

    mine = program.run(data).result
    mine.iloc[0] = -1.0

    pd.testing.assert_series_equal(before, data["close"])
    assert before.iloc[0] == program.run(data).result.iloc[0]


def test_a_plot_of_a_column_is_the_column(runner, frame):
    """A raw column is given back as it came."""
    data = frame(20)

    (row,) = runner("plot(close, title='price')").run(data).plots

    pd.testing.assert_series_equal(data["close"], row.values)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda d: d.drop(columns="close"), "no column 'close'"),
        (lambda d: pd.concat([d, d[["close"]]], axis=1), "more than one column 'close'"),
        (lambda d: d.astype({"close": object}), "must hold numbers"),
        (lambda d: d.iloc[::-1], "must rise"),
        (lambda d: pd.concat([d, d]), "duplicate"),
        (lambda d: {"close": d["close"].to_numpy(), "open": d["open"].to_numpy()[1:]}, "different lengths"),
        (lambda d: [1, 2, 3], "cannot be read"),
    ],
)
def test_data_that_is_refused(change, match, runner, frame):
    """Columns that are missing, double, no numbers, unequal, or out of order are refused."""
    with pytest.raises(DSLDataError, match=match):
        runner("result = close > open").run(change(frame(20)))


def test_infinite_values_are_missing(runner, bars):
    """An infinite price counts as missing, with a warning, and poisons nothing."""
    data = bars(60)
    data["close"] = data["close"].copy()
    data["close"][10] = np.inf

    result = runner("result = EMA(close, 3)").run(data, None, OFF)

    assert np.isnan(result.result[10])
    assert np.isfinite(result.result[11:]).all()
    assert "infinite" in result.warnings[0]


def test_nullable_integers(runner, frame):
    """Pandas' own integers with missing values are numbers too."""
    data = frame(20)
    data["volume"] = pd.array([None, *range(19)], dtype="Int64")

    result = runner("result = volume + 1").run(data).result

    assert np.isnan(result.iloc[0])
    assert result.iloc[1] == 1.0


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"n": 1}, "between 2 and 50"),
        ({"n": 51}, "between 2 and 50"),
        ({"n": 14.5}, "must be int"),
        ({"n": True}, "must be int"),
        ({"n": "14"}, "must be int"),
        ({"n": float("nan")}, "finite"),
        ({"n": 10**400}, "finite"),
        ({"n": None}, "must not be None"),
        ({"m": 3}, "Unknown parameter 'm'"),
    ],
)
def test_parameters_that_are_refused(params, match, runner, frame):
    """A parameter must be known, of its type and in its range."""
    program = runner("n = param.int(14, min=2, max=50)\nresult = RSI(close, n) > 30")

    with pytest.raises(DSLParameterError, match=match):
        program.run(frame(100), params)


def test_a_window_is_checked_again_at_bind(runner, frame):
    """A parameter that is no window here is refused before the run, with the function's signature."""
    program = runner("n = param.int(14)\nresult = RSI(close, n) > 30")

    with pytest.raises(DSLParameterError, match="timeperiod must be between 2 and 5000"):
        program.run(frame(100), {"n": 1})
    assert program.run(frame(100), {"n": 14.0}).result.any()


def test_only_the_taken_branch_is_checked(runner, frame):
    """A branch that the parameters do not take is neither computed nor judged."""
    program = runner("n = param.int(14)\nresult = (RSI(close, n) if n > 1 else close) > 30")

    assert program.run(frame(50), {"n": 1}).result.iloc[1:].all()


def test_warm_up(runner, frame):
    """Signals are False before their first valid bar, later when the start must not matter, never with "off"."""
    data, program = frame(400), runner("result = ~(RSI(close, 14) > 200)")

    first = [int(program.run(data, None, RunOptions(warmup=how)).result.sum()) for how in ("off", "first_valid")]
    late = program.run(frame(600), None, RunOptions(warmup="converged")).result

    assert first == [400, 400 - 14]
    assert 600 - late.sum() > 300


def test_data_shorter_than_the_warm_up(runner, frame):
    """Too few bars are an error, and a warning for lenient callers."""
    program = runner("result = SMA(close, 50) > 1")

    with pytest.raises(DSLWarmupError, match="number 50"):
        program.run(frame(49))
    assert "number 50" in program.run(frame(49), None, RunOptions(is_lenient=True)).warnings[0]
    assert program.run(frame(50)).result.iloc[-1]


def test_guards(runner, frame):
    """A true guard ends the run with its own words; a guard on parameters needs no bar."""
    by_data = runner("if close.min() > 0:\n    raise ValueError('prices are positive')\nresult = close > 1")
    by_parameter = runner("n = param.int(5)\nassert n > 3, 'n is small'\nresult = close > n")

    with pytest.raises(DSLExecutionError, match="prices are positive"):
        by_data.run(frame(20))
    with pytest.raises(DSLExecutionError, match="n is small"):
        by_parameter.run(frame(20), {"n": 2})


def test_nothing_to_give(runner, frame):
    """A program without any outcome compiles, and says so when it runs."""
    with pytest.raises(DSLExecutionError, match="Variable 'result' not found"):
        runner("x = close + 1").run(frame(20))


def test_gas_and_memory_are_refused_before_the_run(runner, frame):
    """A tier that is too small refuses the run without running it."""
    program = runner("result = EMA(close, 12) > SMA(close, 50)")

    with pytest.raises(DSLTimeoutError, match="gas"):
        program.run(frame(100), None, RunOptions(tier=Tier(gas=1_000, memory_bytes=2**30)))
    with pytest.raises(DSLMemoryError, match="MB"):
        program.run(frame(400), None, RunOptions(tier=Tier(gas=10**12, memory_bytes=100)))


def test_output_is_limited(runner, bars):
    """A result larger than the host allows is refused."""
    many = {name: np.tile(values, 1_000) for name, values in bars(200).items()}
    with pytest.raises(DSLMemoryError, match="bytes"):
        runner("result = close * 2").run(many, None, RunOptions(limits=ResourceLimits(MAX_OUTPUT_SIZE_MB=1)))


def test_cancel_from_another_thread(runner, bars):
    """A cancelled run ends before its next operation."""
    token = CancelToken()
    thread = threading.Thread(target=token.cancel)
    thread.start()
    thread.join()

    with pytest.raises(DSLTimeoutError, match="cancelled"):
        runner("result = close * 2").run(bars(10), None, RunOptions(cancel=token))


def test_deadline(runner, bars):
    """A run past its deadline ends."""
    with pytest.raises(DSLTimeoutError, match="longer than"):
        runner("result = close * 2").run(
            bars(10), None, RunOptions(limits=ResourceLimits(MAX_EXECUTION_TIME_SECONDS=-1))
        )


def test_orders_without_a_quantity_are_dropped(runner, frame):
    """An order whose quantity is missing at its bar is dropped, and counted in a warning."""
    result = runner("if close > 0:\n    strategy.entry('L', strategy.long, qty=SMA(close, 10))").run(
        frame(30), None, OFF
    )

    assert len(result.orders) == 21
    assert "9 orders were dropped" in result.warnings[0]


def test_fills(runner):
    """A market order fills at the next open, a stop before a limit in the same bar, a gap at the open."""
    data = {
        "open": np.array([10.0, 11.0, 12.0, 20.0, 20.0]),
        "high": np.array([10.5, 11.5, 14.0, 21.0, 21.0]),
        "low": np.array([9.5, 10.5, 9.0, 19.0, 19.0]),
        "close": np.array([10.0, 11.0, 12.0, 20.0, 20.0]),
    }
    source = """
if bar_is_first:
    strategy.entry("L", strategy.long, qty=2)
    strategy.exit("X", "L", stop=9.5, limit=13.0)
result = close * 0 + strategy.realized_pnl
"""
    program = runner(source.replace("bar_is_first", "na(close[1])"))

    result = program.run(data, None, RunOptions(warmup="off", broker=BrokerSettings()))

    # Bought at 11 (the open of bar 1); in bar 2 both 9.5 and 13 lie in the range, and the stop is first.
    assert result.result.tolist() == [0.0, 0.0, -3.0, -3.0, -3.0]
    assert result.stats["trades"] == 1.0


def test_timeframe_shows_closed_buckets_only(runner, frame):
    """A day is visible from the last hour of that day on, not before."""
    data = frame(24 * 4)

    result = runner("d = timeframe('1D')\nresult = d.close").run(data, None, OFF).result

    daily = data["close"].to_numpy()[23::24]
    expected = np.full(96, np.nan)
    for day in range(4):
        expected[24 * day + 23 : 24 * day + 47] = daily[day]
    np.testing.assert_array_equal(expected[: len(result)], result.to_numpy())


def test_explain(runner, frame):
    """Every variable has its value at a bar."""
    data = frame(30)

    found = {name: value for name, _, value in runner("x = close * 2\ny = x > 1\nresult = y").explain(data, -1)}

    assert data["close"].iloc[-1] * 2 == found["x"]
    assert found["y"] is True


def test_tenants_do_not_meet(runner, frame):
    """A run gives the same bytes before and after another one fails."""
    data, mine = frame(100), runner("result = EMA(close, 10)")
    before = mine.run(data).result.to_numpy().tobytes()

    with pytest.raises(DSLExecutionError):
        runner("assert close.max() < 0, 'no'\nresult = close").run(data)

    assert before == mine.run(data).result.to_numpy().tobytes()


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_other_tables(library, runner, bars):
    """Data of another library gives results of that library, with the same values."""
    module = pytest.importorskip(library)
    columns, program = bars(60), runner("result = {'up': close > open, 'mean': SMA(close, 5)}")
    data = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)

    found, expected = program.run(data).result, program.run(columns).result
    single = runner("result = close > open").run(data).result

    assert type(found) is type(data)
    for name, values in expected.items():
        np.testing.assert_array_equal(np.asarray(found[name].to_numpy(), dtype=values.dtype), values)
    np.testing.assert_array_equal(np.asarray(single.to_numpy()), expected["up"])
