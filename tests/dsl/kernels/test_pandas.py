"""Rolling, exponential, expanding and cumulative operations follow pandas."""

import numpy as np
import pandas as pd
import pytest

from mysingle.dsl.kernels.floats import free, strict_floats
from mysingle.dsl.kernels.registry import kernel

N = 120
WINDOWS = [1, 2, 3, 14, 50, N - 1, N, N + 1]
ROLLING = {
    "mean": ([], lambda r: r.mean()),
    "sum": ([], lambda r: r.sum()),
    "min": ([], lambda r: r.min()),
    "max": ([], lambda r: r.max()),
    "std": ([1], lambda r: r.std()),
    "var": ([0], lambda r: r.var(ddof=0)),
    "median": ([], lambda r: r.median()),
    "quantile": ([0.3], lambda r: r.quantile(0.3)),
    "rank": ([], lambda r: r.rank(pct=True)),
}


def _run(name, arrays, numbers):
    with strict_floats():
        return kernel(name).columns(arrays, numbers, free)


def _close(found, expected):
    scale = np.nanmax(np.abs(expected), initial=1.0)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-8 * scale)


@pytest.mark.parametrize("shape", ["random", "prefix", "gaps"])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", sorted(ROLLING))
def test_rolling(name, window, shape, bars):
    """A window gives what pandas gives, na where the window is not complete."""
    values, (numbers, ask) = bars(N, shape)["close"], ROLLING[name]

    found = _run(f"rolling_{name}", [values], [window, 0, *numbers])

    _close(found, ask(pd.Series(values).rolling(window)).to_numpy())


@pytest.mark.parametrize("shape", ["random", "prefix", "gaps"])
@pytest.mark.parametrize("required", [1, 4])
@pytest.mark.parametrize("name", sorted(ROLLING))
def test_incomplete_windows(name, required, shape, bars):
    """With fewer required values a window counts those that are there."""
    values, (numbers, ask) = bars(N, shape)["close"], ROLLING[name]

    found = _run(f"rolling_{name}", [values], [9, required, *numbers])

    _close(found, ask(pd.Series(values).rolling(9, min_periods=required)).to_numpy())


@pytest.mark.parametrize("shape", ["random", "gaps", "flat"])
@pytest.mark.parametrize("window", [2, 5, 40])
def test_pairs(window, shape, bars):
    """Correlation and covariance of two columns."""
    data = bars(N, shape)
    left, right = data["close"], data["volume"]
    rolling = pd.Series(left).rolling(window)

    _close(_run("rolling_corr", [left, right], [window, 0]), rolling.corr(pd.Series(right)).to_numpy())
    _close(_run("rolling_cov", [left, right], [window, 0, 1]), rolling.cov(pd.Series(right)).to_numpy())


@pytest.mark.parametrize("shape", ["random", "prefix", "gaps"])
@pytest.mark.parametrize("adjust", [True, False])
@pytest.mark.parametrize("ignore_na", [True, False])
def test_exponential_weights(adjust, ignore_na, shape, bars):
    """The cell's recursion is pandas' own, except that a missing bar stays missing."""
    values = bars(N, shape)["close"]
    cell = kernel("ewm_mean").cell([0.2, adjust, 3, ignore_na])

    found = np.array([cell.step(value) for value in values.tolist()])

    expected = pd.Series(values).ewm(alpha=0.2, adjust=adjust, min_periods=3, ignore_na=ignore_na).mean().to_numpy()
    _close(found, np.where(np.isnan(values), np.nan, expected))


@pytest.mark.parametrize("name", ["mean", "sum", "min", "max", "std", "var", "count"])
def test_expanding(name, bars):
    """Statistics of everything so far."""
    values = bars(N, "gaps")["close"]
    numbers = [2, 1] if name in {"std", "var"} else [2]

    found = _run(f"expanding_{name}", [values], numbers)

    expected = getattr(pd.Series(values).expanding(2), name)().to_numpy()
    _close(found, np.where(np.isnan(values), np.nan, expected))


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "cummax", "cummin"])
def test_cumulative(name, bars):
    """Missing bars stay missing and are skipped."""
    values = bars(N, "gaps")["close"] / 100.0

    _close(_run(name, [values], []), getattr(pd.Series(values), name)().to_numpy())
