# ruff: noqa: E501  # a program in a table stands in one line
"""Each limit at its value and one beyond: the first is a program, the second an error that names the limit (DSL-005)."""

from collections.abc import Callable

import pytest

from mysingle.dsl import api
from mysingle.dsl.errors import DSLError
from mysingle.dsl.limits import LIMITS

END = "\nresult = close"


def lines(text: str, count: int) -> str:
    return "\n".join(text.format(i=i) for i in range(count))


def chain(count: int) -> str:
    """Functions of which each calls the one before."""
    body = "def f0(x):\n    return x\n" + "".join(f"def f{i}(x):\n    return f{i - 1}(x)\n" for i in range(1, count))
    return body + f"result = f{count - 1}(close)"


def nested_ifs(count: int) -> str:
    return "x = 1.0\n" + "".join("    " * i + f"if close > {i}:\n" for i in range(count)) + "    " * count + "x = 2.0"


def grown(count: int) -> str:
    """Build a column, two constants and a chain of sums: as many nodes as asked for."""
    rounds, rest = divmod(count - 3, 5)
    loop = f"for i in [0] * {rounds}:\n" + "    t = t + close\n" * 5
    return "t = close\n" + loop + "t = t * close\n" * rest + "result = t"


def many_tokens(count: int) -> str:
    """Four tokens for each statement, five for some."""
    rounds, rest = divmod(count - 3, 4)
    return "x=1;" * (rounds - rest) + "x=+1;" * rest + "\nresult = close"


def many_statements(count: int) -> str:
    """Two loops, each counted itself, and the last line."""
    body = "".join(f"    {name} = i\n" for name in "xyzw")
    return f"for i in range(2000):\n{body}for i in range({count - 8_003}):\n    x = i" + END


TABLE: dict[str, tuple[int, Callable[[int], str]]] = {
    "source bytes": (LIMITS.source_bytes, lambda n: "result = close\n#" + "x" * (n - 16)),
    "source lines": (LIMITS.source_lines, lambda n: "\n" * (n - 1) + "result = close"),
    "nesting": (LIMITS.nesting, lambda n: "result = " + "(" * n + "close" + ")" * n),
    "statement depth": (LIMITS.statement_depth - 1, nested_ifs),
    "identifier": (LIMITS.identifier, lambda n: "a" * n + " = 1" + END),
    "string": (LIMITS.string, lambda n: f"x = '{'a' * n}'" + END),
    "expression depth": (LIMITS.expression_depth, lambda n: "result = close" + "[1]" * (n - 1)),
    "nodes": (LIMITS.nodes, grown),
    "statements": (LIMITS.statements, many_statements),
    "tokens": (LIMITS.tokens, many_tokens),
    "integer": (LIMITS.integer, lambda n: f"x = {n}" + END),
    "unroll": (LIMITS.unroll, lambda n: f"for i in range({n}):\n    x = i" + END),
    "functions": (LIMITS.functions, lambda n: lines("def f{i}(x):\n    return x", n) + END),
    "call depth": (LIMITS.call_depth, chain),
    "call arguments": (LIMITS.call_arguments, lambda n: f"result = max({', '.join(['close'] * n)})"),
    "list elements": (LIMITS.list_elements, lambda n: f"x = [{', '.join(['1'] * n)}]" + END),
    "members": (LIMITS.members, lambda n: "l = [0] * 99\nx = [" + ", ".join(["l"] * 99) + f", {', '.join(['0'] * (n - 99 * 100))}]" + END),
    "window": (LIMITS.window, lambda n: f"result = SMA(close, {n})"),
    "history": (LIMITS.window, lambda n: f"result = close[{n}]"),
    "parameters": (LIMITS.parameters, lambda n: lines("p{i} = param.int(1)", n) + END),
    "plots": (LIMITS.plots, lambda n: lines("plot(close)", n)),
    "order ids": (LIMITS.order_ids, lambda n: lines("strategy.entry('{i}', strategy.long)", n)),
    "states": (LIMITS.states, lambda n: lines("var s{i} = 0.0", n) + END),
    "timeframes": (LIMITS.timeframes, lambda n: "\n".join(f"t{i} = timeframe('{i + 1}h')" for i in range(n)) + END),
    "power exponent": (LIMITS.power_exponent, lambda n: f"result = close > 1 ** {n}"),
    "power base": (LIMITS.power_base, lambda n: f"result = close > {n} ** 1"),
}  # fmt: skip
OTHER_WORDS = {"integer": "2**53", "statement depth": str(LIMITS.statement_depth)}


@pytest.mark.parametrize("name", TABLE)
def test_at_and_beyond(name: str) -> None:
    """One less and the limit itself compile; one more is refused, and the message says what the limit is."""
    limit, source = TABLE[name]

    for value in (limit - 1, limit):
        assert api.compile(source(value))
    with pytest.raises(DSLError) as caught:
        api.compile(source(limit + 1))

    assert OTHER_WORDS.get(name, str(limit)) in caught.value.diagnostics[0].message
    assert caught.value.code == ("DSL-002" if name == "integer" else "DSL-005")
