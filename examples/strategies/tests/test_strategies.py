import json
import re

import numpy as np
import pytest
from examples.strategies import data
from examples.strategies.figures import EXPECTED, HERE, STRATEGIES, figures_of, source_of

from mysingle import dsl

ROWS = re.compile(r"^\| `(\w+)\.dsl` \| (.+) \|$", re.MULTILINE)
PREFIX = 3_000


def test_ten_are_described() -> None:
    """There are ten strategies, and the page lists each with what it shows."""
    rows = dict(ROWS.findall((HERE / "README.md").read_text(encoding="utf-8")))

    assert len(STRATEGIES) == 10
    assert sorted(rows) == STRATEGIES
    assert sorted(json.loads(EXPECTED.read_text(encoding="utf-8"))) == STRATEGIES


@pytest.mark.parametrize("name", STRATEGIES)
def test_key_numbers(name: str) -> None:
    """A strategy compiles without a warning, and gives the numbers that are stored."""
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))[name]

    assert dsl.compile(source_of(name)).warnings == ()
    assert figures_of(name) == pytest.approx(expected, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_past_does_not_change(name: str) -> None:
    """What a strategy decides about the first 3,000 bars is the same when it sees the later ones."""
    program, bars = dsl.compile(source_of(name)), data.load()
    whole, part = program.run(bars), program.run(bars.iloc[:PREFIX])

    assert program.lookahead == ()
    assert [repr(row) for row in whole.orders if row.bar < PREFIX] == [repr(row) for row in part.orders]
    for key, values in part.signals.items():
        assert np.array_equal(np.asarray(values), np.asarray(whole.signals[key])[:PREFIX])
