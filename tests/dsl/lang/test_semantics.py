# ruff: noqa: E501  # a strategy in a table stands in one line
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mysingle.dsl import api
from mysingle.dsl.errors import DSLExecutionError, DSLLookaheadError


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Give 400 bars of a random walk."""
    rng = np.random.default_rng(3)
    close = 100 + np.cumsum(rng.normal(size=400))
    return pd.DataFrame(
        {
            "open": close - rng.normal(size=400),
            "high": close + 1,
            "low": close - 1,
            "close": close,
            "volume": 1.0 + close,
        },
        index=pd.date_range("2024-01-01", periods=400, freq="h"),
    )


def run(source: str, data: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
    return api.compile(source, mode="research").run(data, params, warmup="off").result


def test_bar_loop_is_a_python_loop(data: pd.DataFrame) -> None:
    """A bar loop with carried variables gives what the same loop in Python gives."""
    found = run(
        "signal = close > open\nr = pd.Series([False] * len(data))\nheld = False\nentry = 0.0\n"
        "for i in range(1, len(data)):\n"
        "    if not held and signal.iloc[i]:\n        held = True\n        entry = close.iloc[i]\n"
        "    elif held and close.iloc[i] < entry - 1:\n        held = False\n"
        "    if held and not r.iloc[i - 1]:\n        r.iloc[i] = True\n"
        "result = r",
        data,
    )
    close, signal = data["close"].to_numpy(), (data["close"] > data["open"]).to_numpy()
    expected, held, entry = [False] * len(data), False, 0.0
    for i in range(1, len(data)):
        if not held and signal[i]:
            held, entry = True, close[i]
        elif held and close[i] < entry - 1:
            held = False
        if held and not expected[i - 1]:
            expected[i] = True

    assert found.tolist() == expected


def test_state(data: pd.DataFrame) -> None:
    """A state variable carries its value from bar to bar; `x[1]` is the value at the end of the bar before."""
    found = run(
        "var n = 0\nif close > open:\n    n = n + 1\nelse:\n    n = 0\nresult = {'n': n, 'before': n[1], 'two': n[2]}",
        data,
    )
    count, expected = 0, []
    for up in (data["close"] > data["open"]).tolist():
        count = count + 1 if up else 0
        expected.append(float(count))

    assert found["n"].tolist() == expected
    assert found["before"].tolist() == [0.0, *expected[:-1]]
    assert found["two"].tolist()[2:] == expected[:-2]


def test_branches_per_bar(data: pd.DataFrame) -> None:
    """if/elif/else on a series decide at each bar; a variable of one path is na on the other."""
    found = run(
        "s = 0\nif close > open + 1:\n    s = 2\n    t = close\nelif close > open:\n    s = 1\nelse:\n    s = -1\n"
        "result = {'s': s, 't': t}",
        data,
    )
    difference = data["close"] - data["open"]

    assert found["s"].tolist() == np.where(difference > 1, 2, np.where(difference > 0, 1, -1)).tolist()
    assert found["t"].isna().tolist() == (difference <= 1).tolist()


def test_early_return_per_bar(data: pd.DataFrame) -> None:
    """A return under a condition ends the function for the bars on which it is true."""
    found = run(
        "def f(x, y):\n    if x > y:\n        return 1\n    if x < y:\n        return -1\n    return 0\nresult = f(close, open)",
        data,
    )

    assert found.tolist() == np.sign(data["close"] - data["open"]).tolist()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7 // 2", 3), ("-7 // 2", -4), ("-7 % 3", 2), ("2 ** 10", 1024), ("1 / 0", np.nan), ("0 / 0", np.nan), ("5 or 3", 5),
        ("0 or 3", 3), ("None or 3", 3), ("0 and 3", 0), ("not 3", 0), ("1 if 2 > 1 else 3", 1), ("len([1, 2])", 2),
        ("max(1, 2.5, 2)", 2.5), ("sum([1, 2, 3])", 6), ("round(2.567, 2)", 2.57), ("int(3.9)", 3), ("abs(-2)", 2),
        ("min([4, 2])", 2), ("np.mean([1, 2, 3])", 2), ("{'a': 5}['a']", 5), ("[1, 2, 3][1]", 2), ("sorted([3, 1])[0]", 1),
        ("sum(list(map(int, [1.5, 2.5])))", 3), ("float('nan')", np.nan), ("(-8) ** 0.5", np.nan), ("True + True", 2),
        ("0.1 + 0.2 == 0.3", 0), ("3 in [1, 3]", 1), ("1 < 2 < 3", 1), ("isinstance(3, (int, float))", 1),
    ],
)  # fmt: skip
def test_constants(expression: str, value: float, data: pd.DataFrame) -> None:
    """Constants fold as in Python, except that what Python raises for is na."""
    found = run(f"x = {expression}\nresult = close * 0 + x", data)

    assert found.iloc[-1] == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(("given", "window"), [({}, 14), ({"w": 5}, 5), ({"w": 0}, 14), ({"w": None}, 14)])
def test_or_of_a_parameter(given: dict[str, Any], window: int, data: pd.DataFrame) -> None:
    """`params.get('w') or 14` has Python's value semantics at bind."""
    found = run("w = params.get('w') or 14\nresult = close.rolling(w).mean()", data, given)

    assert found.isna().sum() == window - 1


def test_order_under_conditions(data: pd.DataFrame) -> None:
    """Orders under nested conditions, in functions and in conditional expressions happen on the bars of their path."""
    result = api.compile(
        "def enter(name, when):\n    if when:\n        strategy.entry(name, strategy.long)\n"
        "if close > 0:\n    enter('a', close > open)\n"
        "strategy.close('a') if close < open else None\nresult = close > 0"
    ).run(data, warmup="off")
    up = data["close"] > data["open"]

    assert [row.bar for row in result.orders if row.action == "entry"] == np.flatnonzero(up).tolist()
    assert [row.bar for row in result.orders if row.action == "close"] == np.flatnonzero(~up).tolist()


def test_numbers_beside_a_series(data: pd.DataFrame) -> None:
    """A number or a bool in a result with a series stands on every bar, as in a DataFrame."""
    found = run("n = param.int(3)\nresult = {'a': close, 'b': n, 'c': True, 'd': np.nan}", data)

    pd.testing.assert_frame_equal(
        found, pd.DataFrame({"a": data["close"], "b": 3.0, "c": True, "d": np.nan}), check_names=False
    )


@pytest.mark.parametrize("arguments", ["", "pct=True", "pct=False"])
def test_rank_of_all_bars(arguments: str, data: pd.DataFrame) -> None:
    """The rank among all bars is that of pandas, ties and missing values included."""
    found = run(f"result = close.round(0)[1].rank({arguments})", data)
    expected = data["close"].round(0).shift(1).rank(pct=arguments == "pct=True")

    np.testing.assert_allclose(found, expected, rtol=1e-15)


@pytest.mark.parametrize("call", ["percentile([4, 1, 3, 2], 25)", "percentile([1, 2], 100)", "percentile([7], 30)",
                                  "std([1, 2, 4], ddof=1)", "std([1, 2, 4])", "var([1, 2, 4], ddof=1)",
                                  "median([4, 1, 3, 2])", "prod([2, 3])"])  # fmt: skip
def test_statistics_of_constants(call: str, data: pd.DataFrame) -> None:
    """A statistic of numpy over constants is what numpy says."""
    name, _, rest = call.partition("(")
    values, _, more = rest.rstrip(")").partition("]")
    numbers = [float(value) for value in values.strip("[").split(",")]
    extra = {"ddof": 1} if "ddof" in more else {}
    plain = [float(more.strip(", "))] if more and not extra else []

    assert run(f"result = close * 0 + np.{call}", data).iloc[0] == pytest.approx(
        getattr(np, name)(numbers, *plain, **extra), rel=1e-14
    )


GUARDS = {
    "if check_missing_data(data)['close'] > 0.1:": True,
    "if check_missing_data(data)['close'] > 0.2:": False,
    "if check_missing_data(data)['open'] > 0:": False,
    "if check_missing_data(data):": True,
    "if check_missing_data(data, threshold=0.3):": False,
    "m = check_missing_data(data)\nif m.close > 0.1 or m.volume > 0.1:": True,
}


@pytest.mark.parametrize(("guard", "ends"), GUARDS.items(), ids=GUARDS)
def test_guards_over_missing_data(guard: str, ends: bool, data: pd.DataFrame) -> None:
    """A guard sees the share of missing values of each column, in strict mode too."""
    holes = data.copy()
    holes.iloc[50:110, holes.columns.get_loc("close")] = np.nan  # 15 %
    program = api.compile(f"{guard}\n    raise ValueError('holes')\nresult = open")

    if ends:
        with pytest.raises(DSLExecutionError, match="holes"):
            program.run(holes)
    else:
        assert len(program.run(holes).result) == len(data)


def test_missing_data_decides_nothing_else() -> None:
    """Where missing values of the whole data would reach a result, it is look-ahead."""
    with pytest.raises(DSLLookaheadError):
        api.compile("result = close > check_missing_data(data)['close']")


@pytest.mark.parametrize(("text", "value"), [("int('3')", 3), ("int(' -3')", -3), ("float('2.5e1')", 25),
                                             ("np.array([1, 2])[1]", 2), ("float('4') ** 2", 16)])  # fmt: skip
def test_numbers_in_texts_and_arrays(text: str, value: float, data: pd.DataFrame) -> None:
    """A constant text that says a number is one, and an array of constants is a list."""
    assert run(f"result = close * 0 + {text}", data).iloc[7] == value


def test_section_that_returns_early(data: pd.DataFrame) -> None:
    """A return under a condition ends @calculate on the bars on which it is true, as it ends a function."""
    found = run(
        "@params\n    n: 2\n@calculate\n    x = close * n\n    if close > open:\n        return x\n    return -x", data
    )
    rises = data["close"] > data["open"]

    np.testing.assert_array_equal(found, (data["close"] * 2).where(rises, -data["close"] * 2))
