import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mysingle.dsl import lsp
from mysingle.dsl.lang.lower import METADATA
from mysingle.dsl.lang.tables import INDICATOR_NAMES
from mysingle.dsl.limits import LIMITS


def at(text: str) -> tuple[str, int, int]:
    """Give the source without its mark, and the line and column of the mark."""
    before, _, after = text.partition("^")
    return before + after, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def labels(text: str, **options: Any) -> list[str]:
    return [item.label for item in lsp.complete(*at(text), **options).items]


# findings


def test_diagnostics_are_those_of_the_compiler() -> None:
    """An error has code, place and repair, as the compiler gives it."""
    (found,) = lsp.diagnostics("fast = EMA(close, windw=12)\nresult = fast > 1\n")

    assert (found.code.value, found.line, found.column, found.end_column) == ("DSL-002", 1, 19, 24)
    assert [(fix.line, fix.column, fix.end_column, fix.text) for fix in found.fixits] == [(1, 19, 24, "span")]


def test_sound_source_has_no_findings() -> None:
    """Nothing is said of a source that compiles without warning, and its program is there."""
    program, found = lsp.analyse("result = close > SMA(close, 5)\n")

    assert found == ()
    assert program is not None


# completion

OFFERED = [
    ("function", "x = EM^", ["EMA", "ema"]),
    ("arguments in their order", "x = EMA(^", ["series=", "span="]),
    ("arguments that are left", "x = MACD(close, signal=3, ^", ["fast=", "slow="]),
    ("no argument after its sign", "x = EMA(close, span=cl^", ["close"]),
    ("fields of a record", "m = MACD(close)\nx = m.^", ["histogram", "macd", "signal"]),
    ("fields of a call", "x = bbands(close).^", ["lower", "middle", "upper"]),
    ("fields of a pattern", "x = pattern.doji().^", ["is_bearish", "is_bullish"]),
    ("methods of a window", "x = close.rolling(20).m^", ["max", "mean", "median", "min"]),
    ("methods of a fading window", "x = close.ewm(span=3).^", ["mean", "std", "var"]),
    ("methods of an expression", "x = (close + 1).sh^", ["shift"]),
    ("namespace", "strategy.ex^", ["exit"]),
    ("indicator", "x = indicator.hm^", ["hma"]),
    ("columns", "x = data['v^", ["vix", "volume"]),
    ("columns of a timeframe", "d = timeframe('1D')\nx = d.^", ["close", "high", "low", "open", "volume", "col"]),
    ("own variable first", "closing = 1\nx = clo^", ["closing", "close"]),
    ("own function", "def steep(series, n):\n    return series\nx = ste^", ["steep"]),
    ("own function's arguments", "def steep(series, n):\n    return series\nx = steep(^", ["series=", "n="]),
    ("loop variable", "for step in range(3):\n    x = ste^", ["step"]),
    ("state", "var stopped = 0.0\nx = stopp^", ["stopped"]),
    ("header", "@metadata\n    des^", ["description"]),
    ("profile", "@metadata\n    profile: ^", ["mysingle-1", "standard"]),
    ("parameter line", "@params\n    n: ^", ["param.bool", "param.float", "param.int", "param.str"]),
    ("parameter by its name", "@params\n    length: param.int(3)\n@strategy\n    x = leng^", ["length"]),
    ("section", "@str^", ["strategy"]),
    ("inside a line that goes on", "x = SMA(\n    clo^", ["close"]),
]


@pytest.mark.parametrize(("text", "wanted"), [case[1:] for case in OFFERED], ids=[case[0] for case in OFFERED])
def test_completion(text: str, wanted: list[str]) -> None:
    """What fits is offered, in the order of how likely it is meant."""
    found = labels(text, columns=["vix"])

    assert found[: len(wanted)] == wanted


@pytest.mark.parametrize("text", ["# cl^", "x = 'cl^", 'x = "cl^ose"', "'''\ncl^", "x = 12^", "x = 1e^"])
def test_nothing_is_offered(text: str) -> None:
    """Inside of comments, texts and numbers nothing is offered."""
    assert labels(text) == []


def test_completion_replaces_the_word() -> None:
    """A proposal replaces the word before the cursor, counted in letters also after Korean text."""
    found = lsp.complete(*at("값 = close.shi^"))

    assert (found.column, found.items[0].insert) == (11, "shift(")


def test_all_indicators_are_offered() -> None:
    """Every name of the op table can be found."""
    missing = [name for name in INDICATOR_NAMES if name not in labels(f"x = indicator.{name}^")]

    assert missing == []


def test_header_fields_are_those_of_the_compiler() -> None:
    """The header offers exactly the fields that the compiler knows."""
    assert set(labels("@metadata\n    ^")) == METADATA


# hover and signatures

HOVERS = [
    ("function", "x = E^MA(close, 3)", "EMA(series, span)", 5, 8),
    ("argument", "x = EMA(clo^se, 3)", "close", 9, 14),
    ("member", "strategy.can^cel('L')", "cancel(id)", 10, 16),
    ("method", "x = close.rol^ling(3)", "rolling(window, min_periods=0)", 11, 18),
    ("variable", "speed = 1\nx = spe^ed", "speed", 5, 10),
    ("first letter", "x = ^EMA(close, 3)", "EMA(series, span)", 5, 8),
]  # fmt: skip


@pytest.mark.parametrize(("text", "signature", "first", "last"), [case[1:] for case in HOVERS])
def test_hover(text: str, signature: str, first: int, last: int) -> None:
    """A name has its signature, and its place in the line."""
    found = lsp.hover(*at(text))

    assert found is not None
    assert (found.signature, found.column, found.end_column) == (signature, first, last)


@pytest.mark.parametrize("text", ["x = nothing_known^_here", "x = 1 ^+ 2", "^", "# EM^A", "x = 'EM^A'"])
def test_hover_of_nothing(text: str) -> None:
    """Signs, comments, texts and unknown names have nothing to say."""
    assert lsp.hover(*at(text)) is None


SIGNATURES = [
    ("first", "x = EMA(^", "EMA(series, span)", 0),
    ("second", "x = EMA(close, ^", "EMA(series, span)", 1),
    ("by name", "x = EMA(span=^", "EMA(series, span)", 1),
    ("inner call", "x = EMA(close, max(1, SMA(^", "SMA(series, window)", 0),
    ("after an inner call", "x = EMA(SMA(close, 3), ^", "EMA(series, span)", 1),
    ("too many", "x = EMA(close, 3, 4^", "EMA(series, span)", -1),
    ("any number", "x = combine_signals(a, b, c^", "combine_signals(*signals, mode=and)", 0),
]


@pytest.mark.parametrize(("text", "label", "active"), [case[1:] for case in SIGNATURES])
def test_signature(text: str, label: str, active: int) -> None:
    """The innermost open call is shown, with the argument that is being written."""
    found = lsp.signature_help(*at(text))

    assert found is not None
    assert (found.label, found.active) == (label, active)


@pytest.mark.parametrize("text", ["x = ^", "x = EMA(close, 3)^", "x = [1, ^", "x = (1, ^", "# EMA(^"])
def test_no_signature(text: str) -> None:
    """Outside of calls there is none."""
    assert lsp.signature_help(*at(text)) is None


# whatever comes

BROKEN = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.sampled_from([
            "close", "EMA", "strategy", ".", "(", ")", "[", "]", "{", "'", '"', '"""', "#", "\\", "=", "==", ",", ":",
            "\n", "\n    ", "\r\n", "@metadata\n", "@params\n", "@", "param.int(", "data['", "m = MACD(close)\n", "m.",
            "def f(a, b=2):\n", "for x in ", "var ", "1", "1e", "값", "\x00", "\u202e", "\ud800", "timeframe('1D').",
        ]),
        max_size=40,
    ).map("".join),
)  # fmt: skip


@given(BROKEN, st.integers(-5, 60), st.integers(-5, 300))
@settings(max_examples=250, deadline=None)
def test_never_raises(text: str, line: int, column: int) -> None:
    """Whatever the source is, and wherever the cursor is said to be, there is an answer."""
    offered = lsp.complete(text, line, column, columns=["vix"])

    assert offered.column >= 1
    assert all(item.label for item in offered.items)
    assert isinstance(lsp.diagnostics(text), tuple)
    for found in (lsp.hover(text, line, column), lsp.signature_help(text, line, column)):
        assert found is None or found.document()


@pytest.mark.parametrize(
    "text",
    [
        "(" * LIMITS.source_bytes,
        "x = " + "EMA(" * 5_000,
        "'" * 20_000,
        "\\\n" * 10_000,
        "a." * 15_000,
        "x\n" * 15_000,
        "x = (\n" * 5_000,
        ")" * 20_000 + ".",
        "a=" * 15_000,
    ],
    ids=["brackets", "calls", "quotes", "continued", "dots", "lines", "open lines", "closed", "assignments"],
)
def test_bombs_end(text: str) -> None:
    """Texts that are made to be slow are answered, at their end too."""
    line, column = text.count("\n") + 1, len(text) - text.rfind("\n")

    assert lsp.complete(text, line, column).column >= 1
    assert lsp.signature_help(text, line, column) is None or lsp.hover(text, line, column) is None


def test_too_long_a_source_is_not_read() -> None:
    """Above the limit of the language there is nothing to offer, and the finding says so."""
    text = "x = 1\n" * 10_000

    assert lsp.complete(text, 1, 1).items == ()
    assert lsp.hover(text, 1, 1) is None
    assert lsp.signature_help(text, 1, 1) is None
    assert "source bytes" in lsp.diagnostics(text)[0].message


def test_declarations() -> None:
    """Every function and namespace is declared, with optional arguments, named outputs, and brackets in pairs."""
    text = lsp.declarations()
    declared = set(re.findall(r"^declare (?:const|function) (\w+)", text, re.MULTILINE))
    document = lsp.functions_document()

    assert {"EMA", "close", "strategy", "plot"} <= declared
    assert {entry["name"] for entry in document["globals"] if entry["kind"] == "column"} <= declared
    assert "declare function EMA(series: Value, span: number): Series;" in text
    assert "declare function MACD(series: Value, fast?: number, slow?: number, signal?: number): " in text
    assert "combine_signals(...signals: Condition[]): Series;" in text
    assert "  cumsum(): Series;" in text
    assert "  int(default: any, min?: number, max?: number, step?: number, " in text
    assert re.search(r"  cancel\(id: string\): void;", text)
    assert '"38.2%": Series;' in text
    assert "rolling(window: number, min_periods?: number): Rolling;" in text
    assert all(text.count(one) == text.count(other) for one, other in ("()", "{}", "[]"))


def test_functions_document() -> None:
    """The list of functions has signature, arguments and words for every name that can be called."""
    document = lsp.functions_document()
    by_name = {entry["name"]: entry for entry in document["globals"]}

    assert by_name["EMA"]["parameters"][1] == {
        "name": "span", "default": None, "doc": "a whole number from 1 to 5,000",
    }  # fmt: skip
    assert {"indicator", "strategy", "np"} <= document["members"].keys()
    undocumented = [
        entry["name"] for names in ("globals", "sections") for entry in document[names]
        if entry["kind"] in {"namespace", "column", "section"} and not (entry["doc"] and entry["doc_ko"])
    ]  # fmt: skip
    assert undocumented == []
