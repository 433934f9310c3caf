"""The programs in `tests/cases/dsl`: good ones run and are causal, bad ones are refused where their comments say."""

import json
from pathlib import Path

import numpy as np
import pytest

from mysingle.dsl import api
from mysingle.dsl.ir.kinds import Kind
from mysingle.testing import StrategyCase, check_strategy, strategy_cases

CASES = strategy_cases(Path(__file__).parents[1] / "cases" / "dsl")
GOOD = [case for case in CASES if not case.expected]
EXAMPLES = {Kind.FLOAT: 1.5, Kind.INT: 5, Kind.BOOL: True, Kind.STR: "a"}


def parameters(source: str) -> dict[str, object]:
    specs = api.compile(source).ir.params
    return {spec.name: 5 if spec.name == "span" else EXAMPLES[spec.kind] for spec in specs if spec.required}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(case: StrategyCase, frame) -> None:
    """A good program gives the same bits when more bars follow; a bad one is refused with code and line."""
    check_strategy(case, frame(200, "gaps"), {} if case.expected else parameters(case.source))


@pytest.mark.parametrize("case", GOOD, ids=[case.name for case in GOOD])
def test_equal_programs_give_equal_numbers(case: StrategyCase, bars) -> None:
    """A compile is deterministic, a container holds the same program, and both give the same bits."""
    first, second = api.compile(case.source), api.compile(case.source + "\n# the same\n")
    loaded = api.load(first.to_bytes("k"), "k")
    data = {**bars(120), "time": 1.7e12 + 3.6e6 * np.arange(120)}
    results = [program.run(data, parameters(case.source), warmup="off") for program in (first, second, loaded)]

    assert first.hash == second.hash == loaded.hash
    assert first.to_bytes("k") == loaded.to_bytes("k")
    assert len({_bits(result.result) for result in results}) == 1


def _bits(result: object) -> bytes:
    lines = result.values() if isinstance(result, dict) else [] if result is None else [result]
    return b"".join(line.tobytes() for line in lines)


@pytest.mark.parametrize("case", GOOD, ids=[case.name for case in GOOD])
def test_graph(case: StrategyCase) -> None:
    """A graph is JSON, its edges go from older to younger nodes, and equal programs have equal graphs."""
    graph = api.compile(case.source).to_graph()
    count = len(graph["nodes"])

    assert json.loads(json.dumps(graph)) == graph
    assert all(0 <= edge["from"] < edge["to"] < count and edge["argument"] for edge in graph["edges"])
    assert all(0 <= item["node"] < count for item in graph["outputs"])
    assert api.compile(case.source).to_graph() == graph


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("result = close  # DSL-010", "and it compiles"),
        ("result = close.shift(-1)", "found [(1, 'DSL-010')]"),
        ("x = 1\nresult = close.shift(-1)\n# DSL-010", "found [(2, 'DSL-010')]"),
        ("result = close.shift(-1)  # DSL-002", "expected [(1, 'DSL-002')]"),
    ],
)
def test_a_wrong_expectation_is_reported(source: str, message: str, tmp_path: Path) -> None:
    """The check fails when code or line differ from what the comments say."""
    (tmp_path / "a.dsl").write_text(f"{source}\n---\n\n")
    (case,) = strategy_cases(tmp_path)

    with pytest.raises(AssertionError) as caught:
        check_strategy(case)

    assert message in str(caught.value)


def test_a_leak_is_reported(frame) -> None:
    """A program that needs the whole data is caught by replay too, whatever the compiler says of it."""
    program = api.compile("result = close > close.mean()", mode="research")

    changes = program.verify_causality(frame(200))

    assert changes
    assert {change.name for change in changes} == {"result"}
    assert all(change.bar < change.bars < 200 for change in changes)


def test_orders_and_alerts_are_replayed(frame) -> None:
    """An order or an alert that only the whole data decides is a change."""
    source = (
        "if close > close.max() * 0.99:\n    strategy.entry('a', strategy.long)\nalert(volume > volume.mean(), 'x')"
    )

    changes = api.compile(source, mode="research").verify_causality(frame(200))

    assert {change.name for change in changes} == {"orders", "alerts"}
