"""A stream says, bar by bar, exactly what the run over the whole data says."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mysingle.dsl.engine.broker import BrokerSettings
from mysingle.dsl.engine.run import RunOptions
from mysingle.dsl.errors import DSLDataError, DSLLookaheadError

_spec = importlib.util.spec_from_file_location("sources", Path(__file__).with_name("sources.py"))
sources = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sources)
SHAPES = ["random", "flat", "ticks", "prefix", "gaps", "zeros", "small", "huge"]


def _bars(data):
    columns = {name: data[name].tolist() for name in data}
    for at, time in enumerate(data.index):
        yield {"time": time, **{name: values[at] for name, values in columns.items()}}


def _columns(result):
    return {name: result[name].to_numpy() for name in result} if result.ndim == 2 else {"result": result.to_numpy()}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", sorted(sources.CAUSAL))
def test_same_bits(name, shape, runner, frame):
    """Every output agrees in every bit, on clean data and on every kind of broken data."""
    data, program = frame(300, shape), runner(sources.CAUSAL[name])
    whole = _columns(program.run(data).result)

    stream = program.stream()
    ticks = [stream.update(bar).values for bar in _bars(data)]

    for column, values in whole.items():
        found = np.array([tick[column] for tick in ticks], dtype=values.dtype)
        np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("name", sorted(sources.ORDERS))
def test_same_orders(name, runner, frame):
    """Orders and alerts agree, also when they depend on the simulated account."""
    data, program = frame(400), runner(sources.ORDERS[name])
    whole = program.run(data)
    stream = program.stream()

    ticks = [stream.update(bar) for bar in _bars(data)]

    assert whole.orders
    assert [repr(row) for row in whole.orders] == [repr(row) for tick in ticks for row in tick.orders]
    assert list(whole.alerts) == [row for tick in ticks for row in tick.alerts]


@pytest.mark.parametrize("name", sorted(sources.CAUSAL))
def test_no_bar_of_the_future(name, runner, frame):
    """A run over the first bars gives the first values of the run over all of them."""
    data, program = frame(260, "gaps"), runner(sources.CAUSAL[name])
    options = RunOptions(warmup="off")
    whole = _columns(program.run(data, None, options).result)

    for size in (1, 7, 100, 259):
        part = _columns(program.run(data.iloc[:size], None, options).result)
        for column, values in part.items():
            np.testing.assert_array_equal(values, whole[column][:size])


@pytest.mark.parametrize("name", ["averages", "trailing", "weights", "rank", "loop"])
def test_peek_changes_nothing(name, runner, frame):
    """Looking at forming bars leaves the stream as it was, and a look at the closed bar is what the update says."""
    data, program = frame(120), runner(sources.CAUSAL[name])
    plain, watched = program.stream(), program.stream()

    for bar in _bars(data):
        watched.peek({**bar, "close": bar["close"] * 1.5})
        seen = watched.peek(bar)
        found, expected = watched.update(bar), plain.update(bar)
        np.testing.assert_equal(dict(found.values), dict(expected.values))
        np.testing.assert_equal(dict(seen.values), dict(expected.values))


def test_a_fork_goes_its_own_way(runner, frame):
    """A fork continues from the same state, and neither sees the other's bars."""
    data, program = frame(100), runner(sources.CAUSAL["trailing"])
    stream, bars = program.stream(options=RunOptions(broker=BrokerSettings())), list(_bars(data))
    for bar in bars[:50]:
        stream.update(bar)

    twin = stream.fork()
    for bar in bars[:20]:
        twin.update(bar)

    straight = program.stream()
    expected = [dict(straight.update(bar).values) for bar in bars][50:]
    assert expected == [dict(stream.update(bar).values) for bar in bars[50:]]
    assert stream.checkpoint().bars == 100


def test_is_new_bar(runner, frame):
    """A strategy can tell a forming bar from a closed one."""
    program, bar = runner("result = input.is_new_bar & (close > 0)"), next(_bars(frame(5)))
    stream = program.stream()

    assert stream.peek(bar).values["result"] is False
    assert stream.update(bar).values["result"] is True


def test_a_bar_without_a_column(runner):
    """A bar must bring the columns that the strategy reads."""
    with pytest.raises(DSLDataError, match="'close'"):
        runner("result = close > 1").stream().update({"open": 1.0})


def test_a_strategy_that_looks_ahead(runner):
    """What needs the whole data cannot run bar by bar."""
    program = runner("result = close > close.mean()", mode="research")

    with pytest.raises(DSLLookaheadError):
        program.stream()
