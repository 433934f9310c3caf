# ruff: noqa: E501  # a strategy in a table stands in one line
import pytest

from mysingle.dsl import api
from mysingle.dsl.ir.ops import BY_ID, OPS, Flag, ops_fingerprint
from mysingle.dsl.ir.ops_talib import TALIB
from mysingle.dsl.ir.row import Op


def test_rows() -> None:
    """Numbers and names are unique, and every row that a program may hold has a kernel or is special."""
    assert len(OPS) == len(BY_ID)
    assert len(ops_fingerprint()) == 64
    assert [row.name for row in OPS.values() if not row.kernel and not row.flags & {Flag.SPECIAL, Flag.COMPOSITE}] == []


@pytest.mark.parametrize("row", TALIB, ids=lambda row: row.name)
def test_talib_rows_say_what_the_library_says(row: Op) -> None:
    """Parameters, defaults, outputs and look-back of a row are those of the installed library."""
    talib = pytest.importorskip("talib.abstract")
    function = talib.Function(row.name)
    defaults = dict(function.info["parameters"])
    given = [arg for arg in row.args if arg.phase <= 1]

    assert {arg.name: arg.default for arg in given} == defaults
    assert [item if item not in {"real", "integer"} else "value" for item in function.info["output_names"]] == [
        output.name for output in row.outputs
    ]
    for more in (0, 1, 5, 17) if row.name != "MAVP" else ():
        chosen = {
            name: value + more if isinstance(value, int) and "matype" not in name else value
            for name, value in defaults.items()
        }
        function.set_parameters(chosen)
        assert row.first(tuple(chosen.get(arg.name) for arg in row.args)) == function.lookback


@pytest.mark.parametrize(
    ("source", "first", "converged"),
    [
        ("RSI(close, 14)", 14, 325),
        ("EMA(close, 200)", 199, 2_503),
        ("SMA(close, 20)", 19, 19),
        ("close.shift(3).rolling(5).mean()", 7, 7),
        ("MACD(close).signal", 33, 439),
        ("stochrsi(close).k", 29, None),
        ("stochrsi(close).d", 31, None),
        ("close.cumsum()", 0, float("inf")),
        ("obv(close, volume)", 0, float("inf")),
    ],
)
def test_warm_up(source: str, first: float, converged: float | None) -> None:
    """First valid bars and horizons are those of the definition, added along the chain."""
    found = api.compile(f"result = {source}", mode="research").warmup()

    assert found.first_valid == first
    assert converged is None or found.converged == converged


def test_warm_up_of_parameters() -> None:
    """A window that is a parameter counts with its value at bind."""
    program = api.compile("w = param.int(10, min=2, max=100)\nresult = SMA(close, w)")

    assert program.warmup().first_valid == 9
    assert program.warmup({"w": 50}).first_valid == 49


def test_gas_is_the_same_everywhere() -> None:
    """Gas is a sum from the table: more bars, more windows and more nodes cost more; unknown windows cost the worst."""
    small, large = api.compile("result = CCI(high, low, close, 20)"), api.compile("result = CCI(high, low, close, 500)")
    free = api.compile("w = params['w']\nresult = CCI(high, low, close, w)")

    assert small.cost(1_000).gas < small.cost(10_000).gas < large.cost(10_000).gas < free.cost(10_000).gas
    assert free.cost(1_000, {"w": 20}).gas == pytest.approx(small.cost(1_000).gas, rel=0.1)
    assert sum(large.cost(1_000).by_line.values()) == large.cost(1_000).gas


def test_equal_subexpressions_are_one_node() -> None:
    """The same call twice is computed once, also through functions."""
    program = api.compile(
        "def f(x):\n    return RSI(x, 14)\na = f(close)\nb = RSI(close)\nresult = (a > 50) & (b < 70)"
    )

    assert [node.op for node in program.ir.nodes].count("RSI") == 1


def test_difference_against_zero() -> None:
    """A difference compared with zero compares its parts, which the tolerance needs."""
    written = api.compile(
        "result = (EMA(close, 5) - SMA(close, 5) > 0) & (MACD(close).histogram < 0) & (0 < change(close))"
    )
    meant = api.compile(
        "m = MACD(close)\nresult = (EMA(close, 5) > SMA(close, 5)) & (m.macd < m.signal) & (close > close[1])"
    )

    assert [node.op for node in written.ir.nodes].count("sub") == 0
    assert sorted(node.op for node in written.ir.nodes if node.op != "const") == sorted(
        node.op for node in meant.ir.nodes if node.op != "const"
    )


def test_schema() -> None:
    """All forms of a parameter feed one JSON Schema."""
    schema = api.compile(
        "fast = param.int(12, min=2, max=200, step=1, title='Fast', group='Averages', widget='slider')\n"
        "mode = param.str('a', options=['a', 'b'])\nk = params.get('k', 2.0)\nt = params['t']\nresult = close > fast * k * t + level"
    ).params_schema

    assert schema["properties"]["fast"] == {
        "type": "integer", "default": 12, "minimum": 2, "maximum": 200, "multipleOf": 1, "title": "Fast",
        "x-group": "Averages", "x-widget": "slider",
    }  # fmt: skip
    assert schema["properties"]["mode"] == {"type": "string", "default": "a", "enum": ["a", "b"]}
    assert schema["properties"]["k"] == {"type": "number", "default": 2.0}
    assert schema["required"] == ["t", "level"]


@pytest.mark.parametrize("default", [-1, -2, 0, 10**15, -(10**15)])
@pytest.mark.parametrize("call", ["EMA(close, n)", "MACD(close, n)", "indicator.apo(close, n)", "close.shift(n)",
                                  "RSI(close, n)", "SMA(close, n)", "close.rolling(n).mean()"])  # fmt: skip
def test_a_default_that_no_run_accepts(call: str, default: int) -> None:
    """A default out of a window's range is refused when it is bound; until then the program can be stored."""
    program = api.compile(f"n = param.int({default})\nresult = {call}")

    assert api.load(program.to_bytes()) == program
    assert program.warmup().first_valid >= 0
    assert program.cost().gas > 0


@pytest.mark.parametrize("alpha", ["1e-300", "1e-17", "5e-324", "1e-9"])
def test_a_decay_that_never_ends(alpha: str) -> None:
    """A mean that forgets next to nothing has a horizon without end, and can be stored."""
    program = api.compile(f"result = close.ewm(alpha={alpha}, adjust=False).mean()")

    assert api.load(program.to_bytes()) == program
