"""Comparison has a relative tolerance, in columns as in single numbers."""

import itertools

import numpy as np
import pytest

from mysingle.dsl.kernels.compare import COMPARE_ONE, tolerant, tolerant_pair

EDGE = [
    0.0, -0.0, 1.0, 1.0 + 1e-10, 1.0 + 1.5e-10, 1.0 - 1e-10, 1.0 + 1e-12, -1.0, -1.0 - 1e-10, 1e10, 1e10 + 1, 1e-300,
    5e-324, -5e-324, 1e300, -1e300, np.nan, 70.0, 70.0 + 7e-9, 70.0 + 7.1e-9, 1e-8, 1e-8 + 1e-18,
]  # fmt: skip


def _expected(op, left, right):
    return np.array([COMPARE_ONE[op](a, b) for a, b in zip(left, right, strict=True)])


@pytest.mark.parametrize("op", sorted(COMPARE_ONE))
def test_columns_follow_the_rule(op):
    """Every pair of values around a tie is decided as the rule for one number decides it."""
    left, right = map(np.array, zip(*itertools.product(EDGE, EDGE), strict=True))

    np.testing.assert_array_equal(tolerant(op, left, right), _expected(op, left, right))


@pytest.mark.parametrize("constant", EDGE)
@pytest.mark.parametrize("op", sorted(COMPARE_ONE))
def test_against_a_number(op, constant):
    """A column against a number, either way round, follows the rule to the last float."""
    near = [constant + k * 1e-10 * abs(constant) for k in (-2, -1, -0.5, 0.5, 1, 2)]
    around = [x for value in near for x in (value, np.nextafter(value, np.inf), np.nextafter(value, -np.inf))]
    left = np.array([*EDGE, *around])
    right = np.full(left.size, constant)

    np.testing.assert_array_equal(tolerant(op, left, constant), _expected(op, left, right))
    np.testing.assert_array_equal(tolerant(op, constant, left), _expected(op, right, left))


def test_a_pair_in_one_pass():
    """Two comparisons of the same columns give what each gives alone."""
    left, right = map(np.array, zip(*itertools.product(EDGE, EDGE), strict=True))

    first, second = tolerant_pair(("gt", "le"), left, right)

    np.testing.assert_array_equal(first, tolerant("gt", left, right))
    np.testing.assert_array_equal(second, tolerant("le", left, right))


@pytest.mark.parametrize(("ticks", "short", "long"), [(7, 5, 10), (100, 20, 50), (3, 3, 9)])
def test_crossings_of_integer_truth(ticks, short, long, bars):
    """Crossovers of moving averages on ticks are those of exact integers: none missed, none invented."""
    talib = pytest.importorskip("talib")
    from mysingle.dsl.kernels.signals import cross

    whole = np.round(bars(20_000)["close"] % ticks + np.arange(20_000) % 3).astype(np.int64)
    for scale in (0.01, 1e-5, 100.0):
        price = whole * scale
        sums = np.concatenate(([0], np.cumsum(whole)))
        fast = (sums[long:] - sums[long - short : -short]) * long
        slow = (sums[long:] - sums[:-long]) * short
        truth = np.zeros(whole.size, dtype=bool)
        truth[long:] = (fast[1:] > slow[1:]) & (fast[:-1] <= slow[:-1])

        found = cross("gt", talib.SMA(price, short), talib.SMA(price, long))

        np.testing.assert_array_equal(found, truth)
