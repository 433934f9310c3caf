# ruff: noqa: E501  # a message in a table stands in one line
import pytest

from mysingle.dsl import api
from mysingle.dsl.errors import (
    DSLCode,
    DSLCompilationError,
    DSLError,
    DSLLimitError,
    DSLLookaheadError,
    DSLSecurityError,
    DSLValidationError,
    Severity,
)
from mysingle.dsl.lang.diagnostics import render

REJECTED_FORMS = {
    "lambda": "f = lambda x: x",
    "walrus": "x = (y := 1)",
    "f-string": "x = f'{close}'",
    "byte string": "x = b'a'",
    "set comprehension": "x = {i for i in [1]}",
    "dict comprehension": "x = {i: 1 for i in [1]}",
    "generator": "x = (i for i in [1])",
    "star argument": "x = EMA(*[close, 3])",
    "star parameter": "def f(*a):\n    return 1",
    "keyword parameter": "def f(*, a):\n    return 1",
    "positional parameter": "def f(a, /):\n    return 1",
    "decorator": "@f\ndef g():\n    return 1",
    "class": "class A:\n    pass",
    "async": "async def f():\n    return 1",
    "await": "x = await f",
    "yield": "def f():\n    yield 1",
    "with": "with x:\n    pass",
    "try": "try:\n    x = 1\nexcept ValueError:\n    x = 2",
    "match": "match close:\n    case 1:\n        pass",
    "while": "while close:\n    x = 1",
    "for else": "for i in [1]:\n    x = i\nelse:\n    x = 2",
    "break": "for i in [1]:\n    break",
    "continue": "for i in [1]:\n    continue",
    "global": "global x",
    "nonlocal": "nonlocal x",
    "del": "del close",
    "import": "import math",
    "import from": "from math import pi",
    "left shift": "x = close << 1",
    "right shift": "x = close >> 1",
    "matrix product": "x = close @ close",
    "slice": "x = close[1:3]",
    "in": "x = close in high",
    "is": "x = close is high",
    "complex": "x = 1j",
    "ellipsis": "x = ...",
    "getattr": "x = getattr(close, 'x')",
    "print": "print(close)",
    "np.roll": "x = np.roll(close, 1)",
    "np.diff": "x = np.diff(close)",
    "apply": "x = close.apply(f)",
    "data.iloc": "x = data.iloc[0]",
    "mask": "x = close[close > 1]",
    "resample": "x = close.resample('1D')",
    "chained": "a = b = 1",
    "list append": "x = []\nx.append(1)",
}


def failure(source: str, mode: str = "strict") -> DSLError:
    with pytest.raises(DSLError, match="DSL-0") as caught:
        api.compile(source, mode=mode)
    return caught.value


@pytest.mark.parametrize("source", REJECTED_FORMS.values(), ids=REJECTED_FORMS)
def test_s1_says_what_to_write_instead(source: str) -> None:
    """A construct that is not part of the language is refused at its place, with what to write instead."""
    error = failure(source)
    first = error.diagnostics[0]

    assert first.line
    assert first.column
    assert any(item.hint for item in error.diagnostics)


@pytest.mark.parametrize(
    ("source", "kind", "code"),
    [
        ("x = = 1", DSLCompilationError, "DSL-001"),
        ("x = EMA(close)", DSLValidationError, "DSL-002"),
        ("x = eval('1')", DSLSecurityError, "DSL-003"),
        ("x = SMA(close, 5001)", DSLLimitError, "DSL-005"),
        ("result = close.shift(-1)", DSLLookaheadError, "DSL-010"),
    ],
)
def test_class_and_code(source: str, kind: type[DSLError], code: str) -> None:
    """Each code of a compile has its class, and `str` has the older form with the place."""
    error = failure(source)

    assert type(error) is kind
    assert error.code == code
    assert str(error).startswith(f"[{code}] ")
    assert str(error).endswith(f" at line {error.line}, column {error.column}")


def test_all_errors_at_once() -> None:
    """One compile reports every error of the program, in the order of the lines."""
    error = failure("a = EMA(close)\nb = foo.bar\nimport os\nc = SMA(close, 0)\nresult = clos > 1")

    assert [item.line for item in error.diagnostics] == [1, 2, 3, 4, 5]


def test_rendering() -> None:
    """A diagnostic shows line, caret and the nearest name."""
    error = failure("fast = EMA(close, windw=12)\nresult = fast")

    assert render(error.diagnostics[0]) == (
        "[DSL-002] EMA() has no parameter 'windw'\n"
        "  --> line 1, col 19\n"
        "   1 | fast = EMA(close, windw=12)\n"
        "     |                   ^^^^^\n"
        "     = help: EMA(series, span); did you mean 'span'?"
    )


def test_rendering_in_korean_counts_code_points() -> None:
    """Columns are code points, also behind Korean text, and the Korean rendering is complete."""
    error = failure("'''설명'''\n가격 = close; 신호 = EMA(가격)\nresult = 신호")
    first = error.diagnostics[0]

    assert (first.line, first.column) == (2, 18)
    assert render(first, "ko").startswith("[DSL-002] EMA()에 'span'이 필요합니다\n  --> 2행 18열")


def test_every_message_has_both_languages() -> None:
    """No message of the compiler lacks its Korean sentence."""
    from mysingle.dsl.lang.messages import MESSAGES

    assert [key for key, item in MESSAGES.items() if not item.ko or not item.en] == []
    assert {item.code for item in MESSAGES.values()} <= {code.value for code in DSLCode}


@pytest.mark.parametrize(
    "source",
    [
        "result = close > close.mean()",
        "result = ichimoku(high, low)['chikou'] > close",
        "result = close.iloc[0] < close",
    ],
)
def test_research_mode_reports_lookahead(source: str) -> None:
    """What strict mode refuses, research mode reports: never silent (DSL-010)."""
    program = api.compile(source, mode="research")

    assert failure(source).code == "DSL-010"
    assert program.lookahead
    assert [item.severity for item in program.warnings if item.code == "DSL-010"] == [Severity.WARNING]


@pytest.mark.parametrize("source", ["plot(ichimoku(high, low, close).chikou, offset=-26)", "assert len(data) > 10"])
def test_lookahead_that_decides_nothing(source: str) -> None:
    """A plot or a guard may look ahead in strict mode too."""
    assert api.compile(source + "\nresult = close > 1")


@pytest.mark.parametrize("bad", [b"x", None, 3])
def test_only_text(bad: object) -> None:
    """Something else than text is a programming error of the host, not of the author."""
    with pytest.raises(TypeError, match="source is a str"):
        api.compile(bad)  # type: ignore[arg-type]


SAYS = {
    "x = a && b": "write 'and', or & for series",
    "x = a || b": "write 'or', or | for series",
    "x = !a": "write 'not', or ~ for series",
    "x = a => b": "write >=",
    "if close = open:\n    x = 1": "write == to compare",
    "var x": "write var x = 0.0",
    "x = a ? b : c": "write a if condition else b",
    "x = np.linspace(0, 1, 5)": "write the numbers out: [0.0, 0.5, 1.0]",
    "x = close.rsi(14)": "it is a function: rsi(series, period=14)",
    "x = market.weekday": "it has day_of_week, hour, is_open, is_regular_session, minute, time",
    "x = param.integer(5)": "it has int, float, bool, str",
    "x = data[['close']]": "write data['close']; the bar before it is close[1]",
    "result = close.ewm(span=5)": "write x.ewm(span=12).mean()",
    "result = pattern.doji": "call it: name(...)",
}


@pytest.mark.parametrize(("source", "hint"), SAYS.items(), ids=SAYS)
def test_says_what_was_meant(source: str, hint: str) -> None:
    """What other languages write, and what is nearly right, is answered with what to write."""
    assert hint in [item.hint for item in failure(source).diagnostics]


WORDS = {
    "@params\n    n: 5\n@calculate\nreturn close": "expected an indented block after '@calculate' on line 3",
    "if close > open:\nx = 1": "expected an indented block after 'if' statement on line 1",
    "x = SMA(close, window=5, window=6)": "SMA() gets 'window' twice",
    "x = close.rolling(window=5, window=6)": "rolling() gets 'window' twice",
    "x = param.int('a')": "The default must be int, it is 'a'",
    "x = param.int(5, min=10)": "The default of 'x' is 5, it must be at least 10",
    "SMA = 3\nx = SMA(close, 3)": "This is an int, it cannot be called",
    "plot('x')": "This must be a number or series, it is a str",
    "x = 'abc'[0]": "a text has no such items",
    "result = max(close)": "Look-ahead: 'max' needs the whole data and reaches result",
    "result = close.iloc[0]": "Look-ahead: '.iloc[k]' needs the whole data and reaches result",
    "result = len(data) * close": "Look-ahead: 'len(data)' needs the whole data and reaches result",
}


@pytest.mark.parametrize(("source", "message"), WORDS.items(), ids=WORDS)
def test_speaks_of_the_source(source: str, message: str) -> None:
    """A message names what the author wrote, never how the compiler calls it."""
    assert message in [item.message for item in failure(source).diagnostics]


NO_SENSE = {
    "if close > open:\n    x = 'a'\nelse:\n    x = 'b'\nresult = close if x == 'a' else open": "A text cannot change from bar to bar",
    "x = 'a' if close > open else 'b'\nresult = close": "A text cannot change from bar to bar",
    "def f(x):\n    for k in [1, 2]:\n        return x + k\nresult = f(close)": "'return' must be the last statement, or the last of every branch of a final if",
    "def f(a, a):\n    return a\nresult = f(close, open)": "The function has two parameters 'a'",
    "result = close[1.5]": "x[k] takes a whole number of bars, it is 1.5",
    "result = close[-1]": "x[-1] would read bars of the future",
    "result = close.ewm(halflife=0).mean()": "ewm(): halflife=0 must be above 0",
    "result = indicator.ma(close, 30, -1)": "indicator.ma(): matype=-1 must be at least 0",
    "result = close.rolling(5, min_periods=-1).mean()": "rolling(): min_periods=-1 must be at least 0 and at most 5000",
    "strategy.entry('a', strategy.long, qty=-1)": "strategy.entry(): qty=-1 must be above 0",
    "strategy.close('a', qty_percent=500)": "strategy.close(): qty_percent=500 must be above 0 and at most 100",
    "strategy.entry('', strategy.long)": "An order needs an id",
}


@pytest.mark.parametrize(("source", "message"), NO_SENSE.items(), ids=NO_SENSE)
def test_what_makes_no_sense_is_refused_when_it_is_compiled(source: str, message: str) -> None:
    """What cannot mean anything is an error of the source, not of a run, and never a guess."""
    found = [item.message for item in failure(source).diagnostics]

    assert any(item.startswith(message) for item in found), found


UNKNOWN = {
    "result = math.sqrt(close)": ("The name 'math' is not known", "np has these functions: np.sqrt(x)"),
    "result = talib.SMA(close, 5)": ("The name 'talib' is not known", "indicators need no prefix: SMA(close, 20)"),
    "result = df['close']": ("The name 'df' is not known", "write data['close'] or close"),
    "@params\n    n: 5\n    n: 6\n@strategy\n    result = close * n": ("The parameter 'n' is declared twice", ""),
    "result = params.get('a', 1) * close + params.get('a', 2)": (
        "The parameter 'a' has the default 1 already, here it is 2", "read it once: x = params.get('a', 1)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("source", "said"), UNKNOWN.items(), ids=UNKNOWN)
def test_names_that_nobody_declared_or_two_did(source: str, said: tuple[str, str]) -> None:
    """A module that is none and a parameter with two values are named as what they are."""
    assert said in [(item.message, item.hint) for item in failure(source).diagnostics]
