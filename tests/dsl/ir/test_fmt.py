"""A program as text: it comes back as it was, and no text becomes anything but a verified program."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dsl.test_properties import program_of

from mysingle.dsl import api
from mysingle.dsl.errors import DSLContainerError
from mysingle.dsl.ir.fmt import from_text, to_text

SOURCES = [
    "result = SMA(close, 20) > open",
    "n = param.int(14, min=2, options=[14, 20], title='a \"b\" ] ( % \\n')\nresult = RSI(close, n)",
    "var x = 0.0\nif close > open:\n    x = x + 1\nelse:\n    x = -1e-7\nresult = {'가격': x, 'b': close[1]}",
    "d = timeframe('1D')\nplot(d.close, 'day', color='red')\nalert(close > d.open, 'up ](x) : y')\nresult = close",
    "if close > open:\n    strategy.entry('L', strategy.long, qty=2, stop=low)\nassert volume > 0, 'no\\tvolume'",
    "k = params.get('k', 'a')\nresult = close if k == 'a' else MACD(close).histogram",
]


@pytest.mark.parametrize("source", SOURCES)
def test_sources_round_trip(source: str) -> None:
    """The text of a compiled program gives the same program back."""
    program = api.compile(source).ir

    assert from_text(to_text(program)) == program


@pytest.mark.parametrize("seed", range(40))
def test_random_programs_round_trip(seed: int) -> None:
    """Whatever the op table allows comes back from its text, and the text is the same again."""
    program = program_of(seed)
    text = to_text(program)

    assert from_text(text) == program
    assert to_text(from_text(text)) == text


def test_reads_well() -> None:
    """A line names the operation, its arguments by number, type and place."""
    lines = api.compile("result = SMA(close, 20)").to_text().splitlines()

    assert lines[1:] == [
        '%0 = col["close"]() : float series @ 1:14',
        "%1 = const[20]() : int const @ 1:14",
        "%2 = SMA(%0, %1) : float series @ 1:10",
        'column "close"',
        'shape "series"',
        'output ["result", 2]',
        'name ["result", 2, 1]',
    ]


CHANGES = ("", "0", "9", "%", "[", '"', " ", "-", "\n", "e", "NaN", "x")


@pytest.mark.parametrize("seed", range(200))
def test_changed_texts_are_refused_or_programs(seed: int) -> None:
    """A text with changed characters is refused as DSL-007, or is a program of its own."""
    chance = random.Random(seed)
    text = list(to_text(api.compile(chance.choice(SOURCES)).ir))
    for _ in range(chance.randint(1, 4)):
        text[chance.randrange(len(text))] = chance.choice(
            ["", "0", "9", "%", "[", '"', " ", "-", "\n", "e", "NaN", "x"]
        )
    try:
        program = from_text("".join(text))
    except DSLContainerError:
        return
    assert from_text(to_text(program)) == program


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_text(text: str) -> None:
    """Any text at all is refused as DSL-007."""
    for candidate in (text, "mslt " + text, "%0 = " + text, "[" * 3000 + text):
        with pytest.raises(DSLContainerError):
            from_text(candidate)


BAD = (
    "%0 = nothing() : float series @ 1:1", "%0 = col[](", "%1 = bar_index() : float series @ 1:1", "colour []",
    "param 3", "param []", "output", "output [", "%0 = const[NaN]() : float const @ 1:1",
    "%0 = const[[]]() : float const @ 1:1",
)  # fmt: skip


@pytest.mark.parametrize("line", BAD)
def test_a_bad_line_is_refused(line: str) -> None:
    """A line that says nothing is refused."""
    with pytest.raises(DSLContainerError):
        from_text(f'mslt ["1.0", "standard", "strict", ""]\n{line}\n')
