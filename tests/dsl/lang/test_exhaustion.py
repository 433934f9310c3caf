"""Programs that are short to write and long to compile or to run: each ends with a limit's name, soon."""

import gc

import numpy as np
import pytest

from mysingle.dsl import api
from mysingle.dsl.errors import DSLError, DSLLookaheadError, DSLMemoryError
from mysingle.dsl.lang.lower import compile_source

DOUBLED = "l = [close]\n" + "l = [l, l]\n" * 40
FLOOD = "\n".join(f"if close > {i}:\n    v{i} = 1.0" for i in range(60)) + "\n"
HOSTILE = {
    "nested lists": DOUBLED + "result = close",
    "nested lists merged": DOUBLED + DOUBLED.replace("l", "m").replace("cmose", "close") + "if close > 1:\n    l = m",
    "nested dicts": "d = {'a': 1}\n" + "d = {'a': d, 'b': d}\n" * 200,
    "misspelt names": "\n".join(f"x{i} = clos{i} + vlume{i}" for i in range(900)),
    "misspelt attributes": "\n".join(f"x{i} = np.meen{i}(close)" for i in range(900)),
    "misspelt keywords": "\n".join(f"x{i} = EMA(close, windw{i}=3)" for i in range(900)),
    "parameters": "result = close\n" + "\n".join(f"if zz{i} > 1:\n    y = 1.0" for i in range(500)),
    "conversions": "x = list(zip(range(1000), range(1000)))\n"
    "for i in range(1000):\n    y = list(map(float, range(1000)))",
    "sorting": "for i in range(2000):\n    y = sorted(range(1000))",
    "comprehensions": "x = [sum([j for j in range(1000)]) for i in range(1000)]",
    "loops": "t = 0\nfor i in range(2000):\n    t = t + [k for k in range(2000)][i]",
    "members of a list that grows": "x = [1]\n" + "x = x + x\n" * 15,
    "dots": "x = " + "1." * 9_900,
    "comparisons": "result = " + " | ".join(f"(close > {i})" for i in range(1_500)),
    "elif": "if close > 1:\n    x = 1\n" + "".join(f"elif close > {i}:\n    x = {i}\n" for i in range(900)),
    "calls": "def f(x):\n    return [" + ", ".join("x" for _ in range(900)) + "]\n" + "y = f(close)\n" * 300,
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_s9_ends_soon(source: str) -> None:
    """S9: a program whose work doubles with each line is refused with a code, and the test ends."""
    with pytest.raises(DSLError, match=r"^\[DSL-0\d\d\]") as caught:
        compile_source(source, mode="research")

    assert 1 <= len(caught.value.diagnostics) <= 100


@pytest.mark.parametrize(
    "bad", ["result = close.shift(-1)", "result = close > close.mean()", "import os", "x = EMA(1)"]
)
def test_warnings_hide_no_error(bad: str) -> None:
    """However many warnings a program has, its errors are found: a flood of one must not silence the other."""
    with pytest.raises(DSLError, match="line 121"):
        api.compile(FLOOD + bad)


def test_errors_are_bounded() -> None:
    """After fifty errors nothing more is read, and all that were found are reported."""
    with pytest.raises(DSLError) as caught:
        api.compile(FLOOD + "x = EMA()\n" * 300)

    assert 50 <= len(caught.value.diagnostics) <= 101


@pytest.mark.parametrize(
    "source",
    [
        "x = 9007199254740991\nresult = close > x * x",
        "result = close > 1000000 ** 64 * 1000000 ** 64",
        "x = 2.5\nresult = close > x // 0",
        "result = close > 7 // 0",
        "result = close.round(15)",
        "result = close > -(-9007199254740991) - 1 - 1 - 1",
    ],
)
def test_a_constant_that_overflows_can_be_stored(source: str) -> None:
    """Whatever a constant becomes when it is folded, the program's own container is accepted."""
    program = api.compile(source)

    assert api.load(program.to_bytes("k"), "k") == program


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("result = close.round(1000000000)", 22),
        ("result = close > params['']", 25),
        ("result = close > params.get('', 2)", 18),
        ("d = timeframe('1D')\nresult = close > d.col('a b')", 24),
        ("result = close.shift(1, fill_value=open)", 10),
    ],
)
def test_what_a_container_refuses_a_compile_refuses(source: str, column: int) -> None:
    """What the verifier would refuse is an error of the source, with its place."""
    with pytest.raises(DSLError, match=f"column {column}$"):
        api.compile(source)


def test_a_lone_carriage_return_ends_a_comment() -> None:
    """A comment that ends in another way than usual hides nothing from the checks before the parser."""
    with pytest.raises(DSLError, match="f-strings"):
        api.compile("# \rx = f'{close}'\nresult = close")


def test_inputs_of_a_bar_region_count_as_memory(bars) -> None:
    """A thousand columns that one state reads are refused by their memory before any of them is computed."""
    program = api.compile(
        "var s = 0.0\n" + "\n".join(f"s = s + close * {i}.5" for i in range(1, 1_000)) + "\nresult = s"
    )
    data = {name: np.tile(values, 1_000) for name, values in bars(100).items()}

    with pytest.raises(DSLMemoryError, match="MB"):
        program.run(data)
    assert program.cost(100_000).peak_mb > 700


def test_a_run_leaves_nothing_to_collect(bars) -> None:
    """The columns of a run are freed when it ends, not when somebody collects garbage."""
    program = api.compile("var s = 0.0\ns = s * 0.9 + close\nm = MACD(close)\nresult = {'a': m.macd > s, 'b': s}")
    data = bars(200)
    program.run(data)
    gc.collect()
    gc.disable()
    try:
        program.run(data)
        unreachable = gc.collect()
    finally:
        gc.enable()

    assert unreachable == 0


def test_a_stream_of_what_is_drawn_and_traded(bars) -> None:
    """A series that is plotted may be an order's condition, an alert and the result as well."""
    program = api.compile(
        "up = crossover(close, SMA(close, 5))\nplot(up)\nif up:\n    strategy.entry('a', strategy.long)\n"
        "alert(up, 'x')\nresult = up"
    )
    data = bars(60)
    stream = program.stream(warmup="off")

    ticks = [stream.update({name: float(values[at]) for name, values in data.items()}) for at in range(60)]

    assert [tick.values["result"] for tick in ticks] == program.run(data, warmup="off").result.tolist()
    assert sum(len(tick.alerts) for tick in ticks) == sum(tick.values["result"] for tick in ticks) > 0


def test_a_sweep_is_charged_for_its_dearest_combination(bars) -> None:
    """One cheap combination in front does not open the door for expensive ones."""
    program = api.compile("w = param.int(10)\nresult = close > avgdev(close, w)")
    data = {name: np.tile(values, 50) for name, values in bars(1_000).items()}

    with pytest.raises(DSLError, match=r"\[DSL-005\]"):
        program.sweep(data, {"w": [5, 5_000]}, tier=api.TIERS["in_process"])


def test_the_verifier_is_not_the_only_guard() -> None:
    """A strict compile refuses look-ahead itself, also behind a flood of warnings and in a branch."""
    with pytest.raises(DSLLookaheadError):
        api.compile(FLOOD + "if close > close.max():\n    strategy.entry('a', strategy.long)")
