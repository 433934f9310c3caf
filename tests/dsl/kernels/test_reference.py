"""The plain-Python references give what TA-Lib gives; stored values stand in for the library."""

import json
from pathlib import Path

import numpy as np
import pytest

from mysingle.dsl.ir.kinds import Phase
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.ir.ops_talib import TALIB
from mysingle.dsl.kernels.floats import free, strict_floats
from mysingle.dsl.kernels.reference.table import REFERENCES
from mysingle.dsl.kernels.registry import kernel
from mysingle.dsl.kernels.talib_kernels import by_reference

STORED = json.loads(Path(__file__).with_name("vectors.json").read_text())
NOISE = {"STOCHRSI"}
"""A stochastic of an unchanging RSI divides rounding errors: only moving data says anything."""

CANCELLING = {"CORREL": 1e-6}
"""Two bars leave a difference of large squares; the reference subtracts the mean first."""


def _inputs(name, bars):
    columns = iter(("close", "volume"))
    return [bars[arg.column or next(columns)] for arg in OPS[name].args if arg.phase is Phase.SERIES]


def _lines(found):
    return found if isinstance(found, tuple) else (found,)


def _numbers(name, window=None):
    found = [arg for arg in OPS[name].args if arg.phase is not Phase.SERIES]
    if window is None:
        return [5 + at if arg.is_window else arg.default for at, arg in enumerate(found)]
    return [window if arg.is_window else arg.default for arg in found]


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_stored_values(name, bars):
    """A reference repeats what TA-Lib gave when the values were stored."""
    inputs = _inputs(name, bars(STORED["bars"]))

    found = _lines(by_reference(name, *inputs, *_numbers(name)))

    for line, stored in zip(found, STORED["functions"][name], strict=True):
        expected = np.array([np.nan if value is None else value for value in stored])
        if name in {"MAXINDEX", "MININDEX"}:
            line = np.nan_to_num(line)
        np.testing.assert_allclose(line, expected, rtol=1e-9, atol=1e-9)


def test_every_function_has_stored_values():
    """A function of the library has a plain-Python form or values that its kernel must give."""
    assert STORED["functions"].keys() | STORED["others"].keys() == {row.name for row in TALIB}


@pytest.mark.parametrize("name", sorted(STORED["others"]))
def test_stored_values_of_the_library(name, bars):
    """The kernel gives what the library gave when the values were stored: an upgrade that changes them is seen."""
    pytest.importorskip("talib")
    numbers = [arg.default for arg in OPS[name].args if arg.phase is not Phase.SERIES]
    stored = STORED["others"][name]
    data = bars(STORED["candles"], "candles") if "bars" in stored else bars(STORED["long"])
    with strict_floats():
        found = _lines(kernel(f"talib.{name}").columns(_inputs(name, data), numbers, free))

    if "bars" in stored:
        first = np.flatnonzero(found[0])[: len(stored["bars"])]
        assert [[int(at), found[0][at]] for at in first] == stored["bars"]
        return
    for line, known in zip(found, stored["last"], strict=True):
        expected = np.array([np.nan if value is None else value for value in known])
        np.testing.assert_allclose(line[-expected.size :], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", ["random", "ticks", "flat"])
@pytest.mark.parametrize("window", [2, 3, 14, 50])
@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_against_the_library(name, window, shape, bars):
    """A reference equals the installed TA-Lib for short and long windows, on moving, stepped and flat prices."""
    talib = pytest.importorskip("talib")
    if name in NOISE and shape != "random":
        pytest.skip("noise divided by noise")
    inputs, numbers = _inputs(name, bars(160, shape)), _numbers(name, window)

    expected = _lines(getattr(talib, name)(*inputs, *numbers))
    found = _lines(by_reference(name, *inputs, *numbers))

    for line, other in zip(found, expected, strict=True):
        if name in {"MAXINDEX", "MININDEX"}:
            line = np.nan_to_num(line)
        other = np.where(np.isinf(other), np.nan, other)
        scale = np.nanmax(np.abs(other), initial=1e-300)
        np.testing.assert_allclose(line, other, rtol=1e-9, atol=CANCELLING.get(name, 1e-9) * max(scale, 1.0))
