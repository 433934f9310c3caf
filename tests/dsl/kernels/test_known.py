"""What is known of columns spares passes over them, and changes no result."""

import numpy as np
import pytest

from mysingle.dsl.kernels.compare import COMPARE_ONE, ORDERINGS, tolerant
from mysingle.dsl.kernels.floats import first_present, look
from mysingle.dsl.kernels.registry import kernel
from mysingle.dsl.kernels.signals import cross
from mysingle.dsl.kernels.talib_kernels import LibraryCall

CALLS = [
    ("SMA", 1, (5,)), ("EMA", 1, (5,)), ("RMA", 1, (5,)), ("WMA", 1, (5,)), ("MAX", 1, (5,)), ("MIN", 1, (5,)),
    ("SUM", 1, (5,)), ("ATR", 3, (5,)), ("RSI", 1, (5,)), ("MACD", 1, (3, 6, 4)), ("STDDEV", 1, (5, 2.0)),
    ("BBANDS", 1, (5, 2.0, 3.0, 0)), ("BBANDS", 1, (5, 2.0, 3.0, 3)), ("KAMA", 1, (5,)), ("CCI", 3, (5,)),
    ("STOCHF", 3, (5, 3, 0)),
]  # fmt: skip


def _nothing(_):
    """Charge nobody."""


def _columns(count, size, start, scale):
    rng = np.random.default_rng(size + start)
    middle = scale * np.cumsum(rng.normal(0, 1, size))
    middle[:start] = np.nan
    return [middle + scale * shift for shift in (1.0, -1.0, 0.0)][-count:]


@pytest.mark.parametrize("scale", [1e-160, 1.0, 1e99])
@pytest.mark.parametrize(("size", "start"), [(0, 0), (3, 0), (3, 3), (200, 0), (200, 7), (200, 196), (200, 200)])
@pytest.mark.parametrize(("name", "count", "numbers"), CALLS)
def test_what_a_function_says_of_its_result_holds(name, count, numbers, size, start, scale):
    """The start is that of the values, no value is larger than the bound, and unknown inputs give the same bits."""
    arrays, call = _columns(count, size, start, scale), LibraryCall(name, numbers)
    known = [look(array) for array in arrays]

    for _ in range(2):
        found, facts = call.columns(arrays, known, _nothing)
        blind, _none = call.columns(arrays, [None] * count, _nothing)
        lines, plain = (found, blind) if isinstance(found, tuple) else ((found,), (blind,))
        for line, other, fact in zip(lines, plain, facts if isinstance(found, tuple) else (facts,), strict=True):
            np.testing.assert_array_equal(line, other)
            if fact is not None:
                assert fact.start == first_present(line)
                assert np.isfinite(line[fact.start :]).all()
                assert (np.abs(line[fact.start :]) <= fact.bound).all()


@pytest.mark.parametrize(
    ("values", "start"),
    [([], 0), ([1.0], 0), ([np.nan, 2.0], 1), ([np.nan] * 70 + [2.0], 70), ([np.nan] * 3, 3), ([1e-200], 0)],
)
def test_a_whole_column(values, start):
    """A column without gaps is known by its first value and its largest."""
    array = np.array(values)
    known = look(array)

    assert known is not None
    assert known.start == start
    assert (np.abs(array[start:]) <= known.bound).all()


@pytest.mark.parametrize("values", [[1.0, np.nan, 2.0], [np.nan, 1.0, np.nan], [np.inf, 1.0], [1.0, -np.inf], [1e200]])
def test_a_column_of_which_nothing_is_known(values):
    """Nothing is said of a column with a gap, an infinite value or a huge one."""
    with np.errstate(all="ignore"):
        assert look(np.array(values)) is None


@pytest.mark.parametrize("size", [1, 40, 120_000])
@pytest.mark.parametrize("scale", [1e-200, 1e-8, 1.0, 1e60])
@pytest.mark.parametrize("op", sorted(ORDERINGS))
def test_a_known_size_changes_no_comparison(op, scale, size):
    """Ties and near ties are decided by the rule, whichever side's size is known."""
    rng = np.random.default_rng(size)
    left = np.round(rng.normal(0, 2, size)) * scale
    right = np.round(rng.normal(0, 2, size)) * scale * rng.choice([1.0, 1 + 9e-11, 1 + 1.1e-10, 1 - 1e-12], size)
    right[: size // 3] = np.nan
    expected = [COMPARE_ONE[op](a, b) for a, b in zip(left.tolist(), right.tolist(), strict=True)]

    for side in (left, right):
        np.testing.assert_array_equal(tolerant(op, left, right, bound=look(side).bound), expected)
    np.testing.assert_array_equal(tolerant(op, left, right), expected)


@pytest.mark.parametrize("starts", [(0, 0), (0, 3), (5, 2), (49, 50), (50, 0)])
@pytest.mark.parametrize("op", ["gt", "lt"])
def test_a_crossing_of_whole_columns(op, starts):
    """A crossing needs both bars: where both sides begin is no crossing."""
    rng = np.random.default_rng(sum(starts))
    left, right = np.round(rng.normal(0, 2, 50)), np.round(rng.normal(0, 2, 50))
    left[: starts[0]], right[: starts[1]] = np.nan, np.nan

    found = cross(op, left, right, max(starts), look(left).bound)

    np.testing.assert_array_equal(found, cross(op, left, right))


@pytest.mark.parametrize("name", ["rolling_mean", "rolling_sum", "rolling_min", "rolling_max"])
def test_a_rolling_statistic_of_the_library(name):
    """The prepared form gives the bits of the plain one, and exists only for whole windows of several bars."""
    values = np.cumsum(np.random.default_rng(1).normal(0, 1, 300))
    values[:4] = np.nan

    found, _ = kernel(name).prepare((20, 20))([values], [look(values)], _nothing)

    np.testing.assert_array_equal(found, kernel(name).columns([values], (20, 20), _nothing))
    assert kernel(name).prepare((1, 1)) is None
    assert kernel(name).prepare((20, 5)) is None
