"""What people read, in both languages, letter by letter: `golden.txt` holds it. Set GOLDEN_WRITE=1 to write it anew."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mysingle.dsl import api
from mysingle.dsl.errors import Diagnostic, DSLCode, DSLError
from mysingle.dsl.ir.signing import Keyring
from mysingle.dsl.lang.diagnostics import render
from mysingle.dsl.limits import ResourceLimits

GOLDEN = Path(__file__).with_name("golden.txt")
SOURCES = {
    "open bracket": "x = (close",
    "Korean names": "가격 = close\n신호 = EMA(가격, windw=3)\nresult = 신호",
    "several errors": "a = EMA(close)\nb = clos + 1\nimport os\nc = SMA(close, 0)\nd = np.cumsm(close)\nresult = a",
    "forbidden names": "x = getattr(close, 'a')\ny = close.__class__\nz = f(print)",
    "forbidden syntax": "f = lambda x: x\nwith a:\n    pass\nx = close[1:3]\ny = {1, 2}",
    "f-string": "x = f'{close}'",
    "look-ahead": "result = (close.shift(-2) > close) & (close > close.mean())",
    "future bar": "r = close\nfor i in range(len(data)):\n    r.iloc[i] = close.iloc[i + 1]\nresult = r",
    "limits": "x = SMA(close, 5001)\ny = close[9999]\nz = 2 ** 65",
    "one path": "if close > 1:\n    x = 2.0\nresult = x",
    "state": "var s = 0.0\ns = SMA(s, 3)\nresult = s",
    "section": "@metadata\n    profile: classic\n@calculate\n    return close",
    "guards": "raise KeyError('x')\nassert close > 1, close\nwhile True:\n    x = 1",
    "orders": "strategy.entry(close, 'up')\nstrategy.entri('a', strategy.long)",
    "tab and wide letters": "if close > 1:\n\tx = EMA('가나다', clos)\nresult = x",
}


def diagnostics(source: str) -> tuple[Diagnostic, ...]:
    try:
        return api.compile(source).warnings
    except DSLError as error:
        return error.diagnostics


def renderings() -> str:
    parts = []
    for name, source in SOURCES.items():
        found = diagnostics(source)
        parts.append(f"===== {name}\n{source}\n")
        parts += [
            f"----- {language}\n" + "\n".join(render(item, language) for item in found) for language in ("en", "ko")
        ]
    return "\n".join(parts) + "\n"


def test_golden() -> None:
    """Every rendering is the one that was read and agreed to."""
    if os.environ.get("GOLDEN_WRITE"):
        GOLDEN.write_text(renderings(), encoding="utf-8")

    assert renderings() == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_places_are_inside_the_text(source: str) -> None:
    """Line, column and the caret's end lie inside the source, and a fix replaces text that is there."""
    lines = source.split("\n")
    for item in diagnostics(source):
        assert 1 <= item.line <= len(lines)
        assert 1 <= item.column <= len(lines[item.line - 1]) + 1
        assert item.source_line == lines[item.line - 1]
        for fix in item.fixits:
            assert 1 <= fix.column < fix.end_column <= len(lines[fix.line - 1]) + 1


DATA = {name: np.linspace(1.0, 2.0, 200) for name in ("open", "high", "low", "close", "volume")}


def run(source: str, data: object = DATA, **options: object) -> Callable[[], object]:
    return lambda: api.compile(source).run(data, **options)


RAISED: dict[str, Callable[[], object]] = {
    "DSL-001": lambda: api.compile("x = ="),
    "DSL-002": lambda: api.compile("x = EMA()"),
    "DSL-003": lambda: api.compile("import os"),
    "DSL-004": run("assert close < 1, 'no'\nresult = close"),
    "DSL-005": lambda: api.compile("result = SMA(close, 5001)"),
    "DSL-006": run("result = close * 2", limits=ResourceLimits(MAX_OUTPUT_SIZE_MB=0)),
    "DSL-007": lambda: api.load(b"MSLB" + b"\0" * 40, keyring=Keyring()),
    "DSL-008": run("w = params['w']\nresult = SMA(close, w)"),
    "DSL-009": run("result = close", {"close": ["a"]}),
    "DSL-010": lambda: api.compile("result = close[-1]"),
    "DSL-011": run("result = SMA(close, 300)"),
}


@pytest.mark.parametrize("code", RAISED)
def test_every_code_is_raised(code: str) -> None:
    """Each code of a failure comes from something, with its own class and one line for people."""
    with pytest.raises(DSLError) as caught:
        RAISED[code]()

    assert caught.value.code == code
    assert str(caught.value).startswith(f"[{code}] ")
    assert "\n" not in str(caught.value)
    assert RAISED.keys() | {"DSL-012"} == {item.value for item in DSLCode}
