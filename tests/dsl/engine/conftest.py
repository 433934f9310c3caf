"""Programs, from source, ready to run."""

from collections.abc import Callable

import pandas as pd
import pytest

from mysingle.dsl.engine.run import Runner
from mysingle.dsl.lang.lower import compile_source


@pytest.fixture(scope="session")
def runner() -> Callable[..., Runner]:
    return lambda source, **how: Runner(compile_source(source, **how).program)


@pytest.fixture(scope="session")
def frame(bars) -> Callable[..., pd.DataFrame]:
    def make(size: int = 400, shape: str = "random", freq: str = "h") -> pd.DataFrame:
        return pd.DataFrame(bars(size, shape), index=pd.date_range("2024-01-01", periods=size, freq=freq))

    return make
