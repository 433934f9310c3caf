"""What authors of strategies send: one that is sound, one that knows the future, one that is after something else."""

import math

from examples.demo.caller import Answer
from examples.demo.terminal import bold, dim, finding, green
from examples.demo.tour import Tour
from examples.demo.world import World

from mysingle import dsl

GOOD = """\
fast = param.int(20, min=2, max=100)
slow = param.int(100, min=10, max=400)
quick = EMA(close, fast)
steady = SMA(close, slow)
result = {'entry': crossover(quick, steady), 'exit': crossunder(quick, steady)}
"""
AHEAD = """\
tomorrow = close.shift(-1)
result = {'entry': tomorrow > close, 'exit': tomorrow < close}
"""
HOSTILE = """\
import os
x = ().__class__.__base__.__subclasses__()
y = getattr(close, '__globals__')
result = SMA(close, 1000000000) > close
"""
BARS = 1_000


def write_strategies(tour: Tour, world: World, headers: dict[str, str]) -> None:
    """Save three sources: one is compiled and run, two are refused with all that is wrong with them."""
    front, body = world.front, {"name": "Averages", "symbol": "SPY"}
    saved = tour.call(
        "a sound strategy", front, "POST", "/strategies", headers=headers, body=body | {"source": GOOD}, expect=201
    )
    path = f"/strategies/{saved.body.get('id', '')}"
    tour.call("Alice deletes it", front, "DELETE", path, headers=headers, expect=204)
    _run(GOOD)
    for said, source, code in (("one that knows tomorrow", AHEAD, "DSL_010"), ("a hostile one", HOSTILE, "DSL_003")):
        refused = {"headers": headers, "body": body | {"source": source}, "expect": 422, "code": code}
        _show(source, tour.call(said, front, "POST", "/strategies", **refused))


def _run(source: str) -> None:
    """Run the same source over a wave of prices, as any host would."""
    close = [100 + bar * 0.05 + 15 * math.sin(bar / 40) + 2 * math.sin(bar * 1.7) for bar in range(BARS)]
    program = dsl.compile(source)
    found = program.run({"close": close})
    warm_up, entries = int(program.warmup().first_valid), int(found.signals["entry"].sum())
    print(f"  {green('runs')} over {BARS:,} bars: {bold(str(entries))} entries, the first after bar {warm_up}")


def _show(source: str, answer: Answer) -> None:
    lines = source.splitlines()
    for item in answer.body.get("diagnostics", ()):
        finding(lines[item["line"] - 1], item)
    print(dim("    nothing was stored"))
