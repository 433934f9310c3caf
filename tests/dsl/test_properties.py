"""Random well-typed programs, made from the op table: what holds for every program."""

import random
from dataclasses import replace

import numpy as np
import pytest

from mysingle.dsl.engine.replay import replay
from mysingle.dsl.engine.run import Runner, RunOptions
from mysingle.dsl.engine.sweep import sweep
from mysingle.dsl.ir.build import Builder
from mysingle.dsl.ir.codec import decode, encode
from mysingle.dsl.ir.gas import cost_of
from mysingle.dsl.ir.kinds import Kind, Phase, Type
from mysingle.dsl.ir.ops import OPS, REQUIRED, Arg, Flag, Op
from mysingle.dsl.ir.passes import prune
from mysingle.dsl.ir.program import Output, ParamSpec, Program, State
from mysingle.dsl.ir.signing import Keyring
from mysingle.dsl.ir.typing import ReadTypeError
from mysingle.dsl.ir.warmup import warm_up

OHLCV = ("open", "high", "low", "close", "volume")
OFF = RunOptions(warmup="off")
RING = Keyring()
LEFT_OUT = {"lead", "rank_all", "at", "align", "isin_exact", "str_eq", "is_none", "is_type", "to_str", "time_diff"}
LEFT_OUT |= {"or_else", "and_then", "select", "broadcast", "MAVP"}
ROWS = [
    row for row in OPS.values()
    if row.kernel and row.name not in LEFT_OUT and not row.flags & {Flag.COMPOSITE, Flag.SPECIAL, Flag.REDUCTION}
]  # fmt: skip
SEEDS = range(40)
SIZE = 25


class Maker:
    """Adds random operations whose arguments have the kinds that their rows ask for."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.builder = Builder()
        self.floats = [self.builder.emit("col", imm=(name,)) for name in OHLCV]
        self.bools = [self.builder.emit("gt", self.floats[3], self.floats[0])]
        self.length = self.builder.emit("param", imm=("n",), declared=Type(Kind.INT, Phase.PARAM))

    def add(self) -> None:
        """Add one operation, and all its outputs."""
        row = self.chance.choice(ROWS)
        try:
            node = self.builder.emit(row.name, *(self._argument(arg) for arg in row.args if not arg.variadic))
        except ReadTypeError:
            return
        for index in self._outputs(row, node):
            found = self.builder.type_of(index)
            if found.phase is Phase.SERIES:
                (self.bools if found.kind is Kind.BOOL else self.floats).append(index)

    def _outputs(self, row: Op, node: int) -> list[int]:
        if len(row.outputs) == 1:
            return [node]
        kinds = [Type(Kind(output.kind), Phase.SERIES) for output in row.outputs]
        return [self.builder.emit("get", node, imm=(at,), declared=kind) for at, kind in enumerate(kinds)]

    def _argument(self, arg: Arg) -> int:
        if arg.phase is Phase.SERIES:
            if arg.kind == "bool":
                return self.chance.choice(self.bools)
            return self.chance.choice(self.floats[:5] if self.chance.random() < 0.3 else self.floats)
        return self._number(arg)

    def _number(self, arg: Arg) -> int:
        if arg.kind == "bool":
            return self.builder.const(self.chance.random() < 0.5)
        if arg.is_window and self.chance.random() < 0.3 and (arg.low or 0) <= 4:
            return self.length
        if arg.is_window and "matype" not in arg.name:
            return self.builder.const(self.chance.randint(max(int(arg.low or 0), 2), 12))
        if arg.default is not REQUIRED:
            return self.builder.const(float(arg.default) if arg.kind == "float" else arg.default)
        low, high = arg.low or 0.0, min(arg.high or 1.0, 5.0)
        value = self.chance.uniform(low, high)
        return self.builder.const(round(value) if arg.kind == "int" else value)

    def state(self) -> tuple[State, ...]:
        """Give one variable that follows a series, through operations that look at one bar only."""
        leaf = self.builder.emit("state", imm=(0,), declared=Type(Kind.FLOAT, Phase.SERIES))
        half = self.builder.emit("mul", leaf, self.builder.const(0.5))
        update = self.builder.emit("where", self.bools[-1], self.builder.emit("add", half, self.floats[-1]), leaf)
        self.floats.append(update)
        return (State("s", Kind.FLOAT, self.builder.const(0.0), update),)

    def program(self) -> Program:
        """Give the program of the last few values."""
        for _ in range(SIZE):
            self.add()
        states = self.state() if self.chance.random() < 0.5 else ()
        chosen = [*self.floats[-5:], *self.bools[-3:]]
        return Program(
            nodes=tuple(self.builder.nodes),
            locs=tuple(self.builder.locs),
            params=(ParamSpec("n", Kind.INT, required=False, default=5, minimum=4, maximum=12),),
            columns=OHLCV,
            states=states,
            shape="frame",
            outputs=tuple(Output(f"o{at}", node) for at, node in enumerate(chosen)),
        )


def program_of(seed: int) -> Program:
    return prune(Maker(seed).program())


def same(left: dict, right: dict) -> bool:
    return all(np.array_equal(left[name], right[name], equal_nan=left[name].dtype != bool) for name in left)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", ["random", "gaps"])
def test_vector_stream_and_prefix(seed: int, shape: str, bars) -> None:
    """A run gives the bits of a stream, the bits of a run over fewer bars, and no infinite number."""
    pytest.importorskip("talib")
    runner, data = Runner(program_of(seed)), bars(150, shape)
    whole = runner.run(data, None, OFF).result
    stream = runner.stream(None, OFF)

    ticks = [
        stream.update(dict(zip(data, row, strict=True))).values
        for row in zip(*(values.tolist() for values in data.values()), strict=True)
    ]

    streamed = {name: np.array([tick[name] for tick in ticks], dtype=whole[name].dtype) for name in whole}
    assert same(whole, streamed)
    assert replay(runner, data, None, OFF, 4, seed) == ()
    assert not any(np.isinf(values).any() for values in whole.values() if values.dtype != bool)


@pytest.mark.parametrize("seed", SEEDS)
def test_container_and_passes(seed: int, bars) -> None:
    """A container gives the program back with the same bytes, and dropping dead nodes changes no bit of a result."""
    pytest.importorskip("talib")
    raw = Maker(seed).program()
    pruned = prune(raw)
    data = encode(pruned, RING)

    assert decode(data, RING) == pruned
    assert encode(decode(data, RING), RING) == data
    assert prune(pruned) == pruned
    assert same(Runner(raw).run(bars(90), None, OFF).result, Runner(pruned).run(bars(90), None, OFF).result)


@pytest.mark.parametrize("seed", SEEDS)
def test_sweep_and_single_runs(seed: int, bars) -> None:
    """A planned sweep gives what a run of each combination gives."""
    pytest.importorskip("talib")
    program, data = replace(program_of(seed), states=()), bars(90)
    if any(node.op == "state" for node in program.nodes) or not any(node.op == "param" for node in program.nodes):
        return

    def key(outputs: dict) -> float:
        return float(sum((at + 1) * np.nansum(np.arctan(values)) for at, values in enumerate(outputs.values())))

    found = sweep(program, data, {"n": [4, 7, 12]}, key, options=OFF)

    runner = Runner(program)
    assert found.values.tolist() == [key(runner.run(data, {"n": n}, OFF).result) for n in (4, 7, 12)]


@pytest.mark.parametrize("seed", SEEDS)
def test_cost_and_warm_up_grow(seed: int) -> None:
    """Gas and memory rise with the bars and never fall with a window; a warm-up is no shorter than its inputs'."""
    program = program_of(seed)
    small, large = cost_of(program, 1_000), cost_of(program, 10_000)
    short, long = warm_up(program, {"n": 4}), warm_up(program, {"n": 12})

    assert 0 < small.gas < large.gas
    assert small.peak_mb <= large.peak_mb
    assert cost_of(program, 1_000, {"n": 4}).gas <= cost_of(program, 1_000, {"n": 12}).gas <= small.gas
    assert short.first_valid <= short.converged
    assert all(first <= converged for first, converged in long.by_output.values())


RECURSIVE = {
    "EMA": "EMA(close, 12)", "RMA": "rma(close, 9)", "RSI": "RSI(close, 14)", "ATR": "atr(high, low, close, 14)",
    "MACD": "MACD(close).signal", "TEMA": "TEMA(close, 10)", "ADX": "ADX(high, low, close, 7).adx",
    "stochrsi": "stochrsi(close).d", "dema": "dema(close, 8)", "kama": "kama(close, 10)",
    "trix": "indicator.trix(close, 6)",
    "ewm": "close.ewm(span=9).mean()", "ewm std": "close.ewm(span=9, adjust=False).std()", "SMA": "SMA(close, 20)",
    "natr": "indicator.natr(14)", "cmo": "indicator.cmo(close, 10)", "chain": "EMA(RSI(close, 7), 5)",
    "older": "close.rolling(10).std() + close.shift(3)",
}  # fmt: skip


@pytest.mark.parametrize("source", RECURSIVE.values(), ids=RECURSIVE)
def test_the_horizon_is_enough(source: str, bars) -> None:
    """From the converged bar on the start of the data no longer matters: any later start gives the same to 1e-9."""
    pytest.importorskip("talib")
    from mysingle.dsl import api

    program, data = api.compile(f"result = {source}"), bars(1_500)
    horizon, first = int(program.warmup().converged), int(program.warmup().first_valid)
    late = {name: values[400:] for name, values in data.items()}
    whole, part = program.run(data, warmup="off").result, program.run(late, warmup="off").result

    assert np.isnan(whole[:first]).all()
    assert not np.isnan(whole[first:]).any()
    scale = np.abs(whole[first:]).max()
    np.testing.assert_allclose(part[horizon:], whole[400 + horizon :], rtol=1e-8, atol=1e-9 * scale)
