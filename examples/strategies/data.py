"""
Twenty years of the S&P 500, day by day: `python -m examples.strategies.data [FILE]` writes them as CSV.

The series comes with the package `arch` (extra `dev`), which uses it in its own examples. It is read where that
package is installed, and is no part of this repository.
"""

import sys
from pathlib import Path

import pandas as pd
from arch.data import sp500

DEFAULT = Path("sp500.csv")


def load() -> pd.DataFrame:
    """Return 5,031 bars from 1999 to 2018: open, high, low, close and volume, indexed by day."""
    frame = sp500.load().drop(columns="Adj Close")
    return frame.rename(columns=str.lower).rename_axis("time")


def write(path: Path = DEFAULT) -> Path:
    """Write the series where `mysingle dsl run` can read it."""
    load().to_csv(path)
    return path


if __name__ == "__main__":
    print(f"{write(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT)} is written")
