from hypothesis import given, settings
from hypothesis import strategies as st

from mysingle.dsl import api
from mysingle.dsl.errors import DSLError

NAMES = [
    "close",
    "open",
    "x",
    "y",
    "f",
    "np",
    "pd",
    "data",
    "params",
    "strategy",
    "indicator",
    "result",
    "RSI",
    "EMA",
    "MACD",
    "bbands",
    "len",
    "max",
    "rolling",
    "i",
    "range",
    "market",
    "timeframe",
    "var",
    "plot",
    "alert",
    "m",
    "input",
]
PIECES = [
    *NAMES,
    "(",
    ")",
    "[",
    "]",
    ".",
    ",",
    "=",
    "==",
    "+",
    "-",
    "*",
    "**",
    "/",
    "%",
    "<",
    ">",
    "&",
    "|",
    "~",
    "and",
    "or",
    "not",
    "if",
    "else",
    "elif",
    "for",
    "in",
    "is",
    "None",
    "True",
    "1",
    "2.5",
    "14",
    "'a'",
    ":",
    "\n",
    "\n    ",
    "return",
    "def",
    "raise ValueError('x')",
    "assert",
    ".mean()",
    ".rolling(3)",
    ".iloc[i]",
    ".shift(1)",
    "{",
    "}",
    "@params\n",
    "lambda",
    "for i in range(len(data)):\n    ",
    "def f(x):\n    return ",
    "var x = 1\n",
    "result = ",
    "data['close']",
    "x += 1",
]


def compiles_or_refuses(source: str) -> None:
    code = ""
    try:
        api.compile(source, mode="research")
    except DSLError as error:
        code = error.code

    assert code != "DSL-004"  # the code of an exception that is none of ours


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))
def test_s17_tokens(source: str) -> None:
    """Whatever the tokens, a compile ends with a program or a DSLError."""
    compiles_or_refuses(source)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_s17_text(source: str) -> None:
    """Whatever the text, a compile ends with a program or a DSLError."""
    compiles_or_refuses(source)


def expressions() -> st.SearchStrategy[str]:
    """Make well-formed expressions, most of them badly typed."""
    leaf = st.sampled_from([*NAMES, "1", "0.5", "None", "'a'", "[1, 2]", "{'a': 1}", "True", "close[1]", "MACD(close)"])
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.tuples(
                inner,
                st.sampled_from(
                    ["+", "-", "*", "/", "//", "%", "**", "&", "|", "==", "<", ">=", "and", "or", "in", "is"]
                ),
                inner,
            ).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
            st.tuples(
                st.sampled_from(["-", "not ", "~", "abs", "max", "RSI", "len", "float", "np.where", "pd.Series"]), inner
            ).map(lambda t: f"{t[0]}({t[1]})"),
            st.tuples(
                inner, st.sampled_from([".shift(1)", ".rolling(5).mean()", "[0]", "['a']", ".x", ".any()", "()"])
            ).map("".join),
            st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
            st.tuples(inner, inner).map(lambda t: f"EMA({t[0]}, {t[1]})"),
        ),
        max_leaves=8,
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(expressions(), min_size=1, max_size=3))
def test_s17_expressions(parts: list[str]) -> None:
    """Whatever the types, a compile ends with a program or a DSLError."""
    compiles_or_refuses("\n".join(f"v{i} = {part}" for i, part in enumerate(parts)) + "\nresult = v0")
