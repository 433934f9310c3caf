"""The bars of a request: made from a number, or read from a visitor's file within bounds."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from mysingle.dsl.errors import DSLDataError
from mysingle.dsl.playground.demo import Demo, demo_bars
from mysingle.dsl.playground.requests import CsvData, DemoData
from mysingle.dsl.workbench.datafile import check_bars, read_csv

__all__ = ["MOST_BARS", "MOST_COLUMNS", "check_columns", "read_prices"]

MOST_BARS: Final = 200_000
MOST_COLUMNS: Final = 100
_FILE: Final = Path("your file")
_DRAWN: Final = ("open", "high", "low", "close", "volume")


def read_prices(data: DemoData | CsvData) -> pd.DataFrame:
    """
    Return the bars that a request asks for or brings along.

    Raises:
        DSLDataError: the file is no table of bars, or too large; its size is known before it is read as numbers.
    """
    if isinstance(data, DemoData):
        return demo_bars(Demo(data.demo, data.bars, data.seed))
    _refuse_large(data.csv)
    found = read_csv(_FILE, data.csv.encode("utf-8", "surrogatepass"))
    if len(found) < 2:
        raise DSLDataError(f"{_FILE}: one bar is not enough to draw or to run over")
    return found


def _refuse_large(text: str) -> None:
    if text.count("\n") + text.count("\r") - text.count("\r\n") > MOST_BARS + 1:
        raise DSLDataError(f"{_FILE}: the file has more than {MOST_BARS:,} bars")
    try:
        header = next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error:
        raise DSLDataError(f"{_FILE}: line 1 is no list of names") from None
    if len(header) > MOST_COLUMNS:
        raise DSLDataError(f"{_FILE}: the file has {len(header):,} columns, the limit is {MOST_COLUMNS}")


def check_columns(data: pd.DataFrame, needed: Sequence[str]) -> None:
    """
    Check what a strategy reads, and make numbers of what is only drawn.

    Raises:
        DSLDataError: a column is not there or holds text, or there is no close.
    """
    check_bars(_FILE, data, needed, allow_missing=True)
    if "close" not in data.columns:
        raise DSLDataError(f"{_FILE}: there is no column close, without which nothing can be drawn or measured")
    for name in _DRAWN:
        if name in data.columns and name not in needed and not pd.api.types.is_numeric_dtype(data[name].dtype):
            data[name] = pd.to_numeric(data[name], errors="coerce")
