"""`mysingle dsl sweep`: the best of many parameters, and every one of them as a single run has it."""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysingle import dsl
from mysingle.cli import main
from mysingle.dsl.workbench.grid import choose, read_condition, read_space

CROSS = """
fast = param.int(5, min=2, max=50)
slow = param.int(20, min=2, max=100)
a = SMA(close, fast)
b = SMA(close, slow)
result = {'entry': crossover(a, b), 'exit': crossunder(a, b)}
"""
HELD = "result = close > SMA(close, param.int(5, min=2, max=50))\n"
ORDERS = """
n = param.int(5, min=2, max=50)
if close > SMA(close, n):
    strategy.entry('L', strategy.long)
else:
    strategy.close('L')
"""
NOTHING = "result = {'a': close > open, 'b': close < open, 'c': close}\n"

Sweep = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Enter a folder with strategies and 400 bars that rise and fall."""
    steps = np.random.default_rng(7).normal(0.0005, 0.02, 400)
    close = 100 * np.exp(np.cumsum(steps) + 0.1 * np.sin(np.arange(400) / 15))
    index = pd.date_range("2023-01-02", periods=400, name="time")
    frame = pd.DataFrame({"open": close, "high": close * 1.01, "low": close * 0.99, "close": close}, index)
    monkeypatch.chdir(tmp_path)
    frame.to_csv("bars.csv")
    for name, source in (("cross", CROSS), ("held", HELD), ("orders", ORDERS), ("nothing", NOTHING)):
        Path(f"{name}.dsl").write_text(source)
    return pd.read_csv("bars.csv", index_col="time", parse_dates=True)


@pytest.fixture
def sweep(bars: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> Sweep:
    """Give a function that sweeps a strategy over the bars: exit code, output, errors."""

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["dsl", "sweep", *words, "--data", "bars.csv"])
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return call


def plain_return(close: Any, held: Any) -> float:
    """Return what the market gave while a position was held, bar after bar, without any of the package's code."""
    worth = 1.0
    for bar in range(1, len(close)):
        worth *= close[bar] / close[bar - 1] if held[bar - 1] else 1.0
    return worth - 1.0


def positions(close: Any, fast: int, slow: int) -> list[bool]:
    """Return where the fast average has crossed above the slow one and not back, worked out by hand."""
    series, held, inside = pd.Series(close), [], False
    above = (series.rolling(fast).mean() > series.rolling(slow).mean()).tolist()
    below = (series.rolling(fast).mean() < series.rolling(slow).mean()).tolist()
    for bar in range(len(close)):
        known = bar >= max(fast, slow)
        if known and below[bar] and above[bar - 1]:
            inside = False
        elif known and above[bar] and below[bar - 1]:
            inside = True
        held.append(inside)
    return held


def test_values(sweep: Sweep, bars: pd.DataFrame) -> None:
    """Every combination has the value that a plain computation gives, and the best is the largest."""
    code, out, _ = sweep("cross.dsl", "--param", "fast=3:12:3", "--param", "slow=10,20,40", "--where", "fast<slow",
                         "--metric", "total_return", "--csv", "all.csv", "--json")  # fmt: skip
    close = bars["close"].tolist()
    with Path("all.csv").open(newline="") as file:
        rows = {(int(row["fast"]), int(row["slow"])): float(row["total_return"]) for row in csv.DictReader(file)}
    best = json.loads(out)["best"]

    assert code == 0
    assert sorted(rows) == sorted((a, b) for a in (3, 6, 9, 12) for b in (10, 20, 40) if a < b)
    for (fast, slow), value in rows.items():
        assert value == pytest.approx(plain_return(close, positions(close, fast, slow)), abs=1e-9)
    assert [item["value"] for item in best] == sorted(rows.values(), reverse=True)[:10]
    assert best[0]["figures"]["total_return"] == best[0]["value"]


def test_smallest_drawdown_is_best(sweep: Sweep) -> None:
    """Of drawdowns the smallest is the best; a condition alone is a strategy too."""
    source = "n = param.int(5, min=2, max=50)\n" + HELD.replace("param.int(5, min=2, max=50)", "n")
    Path("held.dsl").write_text(source)
    found = json.loads(sweep("held.dsl", "--param", "n=2:20", "--metric", "max_drawdown", "--json")[1])
    values = [item["value"] for item in found["best"]]

    assert (found["combinations"], len(values)) == (19, 10)
    assert values == sorted(values)


def test_orders(sweep: Sweep, bars: pd.DataFrame) -> None:
    """A strategy of orders is measured by the account of the simulated broker, with its costs."""
    words = ("orders.dsl", "--param", "n=2:20:3", "--metric", "total_return", "--top", "100", "--json")
    free = json.loads(sweep(*words)[1])["best"]
    dear = json.loads(sweep(*words, "--commission", "0.01")[1])["best"]
    program = dsl.compile(ORDERS, columns=bars.columns)
    single = {item["params"]["n"]: program.run(bars, item["params"]) for item in free}

    assert len(free) == 7
    assert max(item["value"] for item in dear) < max(item["value"] for item in free)
    for item in free:
        assert item["value"] == pytest.approx(by_hand(bars, single[item["params"]["n"]].orders) / 100_000, abs=1e-12)


def by_hand(bars: pd.DataFrame, orders: Any) -> float:
    """Return the gain of one unit that is bought and sold at the open behind each order."""
    gain, bought = 0.0, None
    opens = bars["open"].tolist()
    for row in orders:
        if row.bar + 1 >= len(opens):
            continue
        price = opens[row.bar + 1]
        if row.action == "entry" and bought is None:
            bought = price
        elif row.action != "entry" and bought is not None:
            gain, bought = gain + price - bought, None
    return gain + (bars["close"].iloc[-1] - bought if bought is not None else 0.0)


def test_random(sweep: Sweep) -> None:
    """The same seed tries the same combinations, another one others, and none twice."""
    words = ("cross.dsl", "--param", "fast=2:50", "--param", "slow=2:100", "--random", "40", "--where", "fast<slow")

    def tried(seed: str) -> list[str]:
        assert sweep(*words, "--seed", seed, "--csv", "all.csv")[0] == 0
        return [row.rpartition(",")[0] for row in Path("all.csv").read_text().splitlines()[1:]]

    first = tried("1")
    assert first == tried("1")
    assert first != tried("2")
    assert len(set(first)) == 40


def test_table(sweep: Sweep) -> None:
    """The text has the parameters and figures of the best, and says what the best of many is worth."""
    code, out, _ = sweep("cross.dsl", "--param", "fast=3,5", "--params", "slow=30", "--top", "2")
    head, first, second = out.splitlines()[3:6]

    assert code == 0
    assert "2 combinations in" in out
    assert head.split()[:3] == ["#", "slow", "fast"]
    assert {first.split()[2], second.split()[2]} == {"3", "5"}
    assert "has not seen" in out


def test_heat_map(sweep: Sweep) -> None:
    """Two parameters become a picture; one or three are refused before anything is computed."""
    words = ("cross.dsl", "--param", "fast=3:12:3", "--chart", "map.png")
    code, _, err = sweep(*words, "--param", "slow=10,20,40", "--where", "fast<slow")
    refused, out, said = sweep(*words)

    assert (code, err) == (0, "map.png is written\n")
    assert Path("map.png").read_bytes().startswith(b"\x89PNG")
    assert (refused, out) == (2, "")
    assert "two parameters" in said


REFUSED = [
    (["--param", "fast"], "write NAME=FROM:TO:STEP"),
    (["--param", "fast="], "write NAME=FROM:TO:STEP"),
    (["--param", "fast=9:1"], "FROM up to TO"),
    (["--param", "fast=1:9:0"], "STEP above 0"),
    (["--param", "fast=1:9:-1"], "STEP above 0"),
    (["--param", "fast=1:2:3:4"], "FROM up to TO"),
    (["--param", "fast=1:nan"], "FROM up to TO"),
    (["--param", "fast=1:1e99"], "more than the 100,000"),
    (["--param", "fast=1:1e999999999999999999"], "FROM up to TO"),
    (["--param", "fast=a:b"], "FROM up to TO"),
    (["--param", "fast=3", "--param", "fast=4"], "there twice"),
    (["--param", "fast=1:10"], "must be between 2 and 50, got 1"),
    (["--param", "fast=word"], "must be int, got str"),
    (["--param", "speed=1,2"], "this strategy has: fast, slow"),
    (["--param", "fast=2:50:0.0001", "--param", "slow=2:100"], "more than the 100,000"),
    (["--param", "fast=2:50", "--param", "slow=2:100:0.01"], "more than the 100,000"),
    (["--param", "fast=2:5", "--where", "fast<<3"], "write NAME<NAME"),
    (["--param", "fast=2:5", "--where", "fast<other"], "may name the parameters"),
    (["--param", "fast=2:5", "--where", "fast>9"], "no combination"),
    (["--param", "fast=2:5", "--random", "0"], "whole number from 1"),
    (["--param", "fast=2:5", "--metric", "luck"], "invalid choice"),
    (["--param", "fast=2:5", "--chart", "x.html"], "must end in .png"),
    (["--param", "fast=2:5", "--csv", "no/where.csv"], "cannot be written"),
    ([], "--param"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=[" ".join(row[0]) or "nothing" for row in REFUSED])
def test_refused(sweep: Sweep, words: list[str], said: str) -> None:
    """What cannot be swept is refused with a line that says what to write, exit code 2."""
    code, _, err = sweep("cross.dsl", *words)

    assert code == 2
    assert said in err.splitlines()[-1]


def test_no_signal(sweep: Sweep) -> None:
    """A strategy that gives nothing to follow is refused in one line."""
    code, _, err = sweep("nothing.dsl", "--param", "n=1,2")

    assert (code, err.count("\n")) == (2, 1)
    assert "`entry` with `exit`" in err


NUMBERS = st.integers(-50, 50)


@given(first=NUMBERS, size=st.integers(0, 60), step=st.integers(1, 9), scale=st.sampled_from([1, 10, 100]))
def test_ranges(first: int, size: int, step: int, scale: int) -> None:
    """A range has every step from its first value, its end too when a step meets it, and no rounding adds up."""
    last = first + size
    given = ":".join(str(number) if scale == 1 else f"{number / scale!r}" for number in (first, last, step))
    (values,) = read_space([f"n={given}"]).values()

    assert values == [number if scale == 1 else number / scale for number in range(first, last + 1, step)]
    assert {type(value) for value in values} == {int if scale == 1 else float}


SPACES = st.dictionaries(st.sampled_from("abc"), st.lists(NUMBERS, min_size=1, max_size=6, unique=True), min_size=1)


@given(
    space=SPACES, count=st.none() | st.integers(1, 60), seed=st.integers(0, 3), sign=st.sampled_from(["<", ">=", "!="])
)
def test_choices(space: Mapping[str, list[int]], count: int | None, seed: int, sign: str) -> None:
    """All combinations, or as many as there are at random, each once, and only those that meet the condition."""
    condition = read_condition(f"{min(space)}{sign}{max(space)}", list(space))
    try:
        found = choose(space, [condition], count=count, seed=seed)
    except dsl.DSLParameterError:
        found = []
    everything = choose(space)
    met = [item for item in everything if condition.holds(item)]

    assert len(everything) == len({tuple(item.values()) for item in everything})
    assert all(item in met for item in found)
    assert len({tuple(item.values()) for item in found}) == len(found)
    if count is None:
        assert found == met
    else:
        assert len(found) <= count
        assert len(choose(space, count=count, seed=seed)) == min(count, len(everything))
