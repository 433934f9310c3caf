"""Bars from a CSV or Parquet file; whatever is wrong with the file is one sentence with its line."""

import csv
import gzip
import io
import re
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from mysingle.dsl.engine.frames import TIME_NAMES
from mysingle.dsl.errors import DSLDataError

__all__ = ["check_bars", "read_bars", "read_csv"]

_MAX_BYTES: Final = 2_000_000_000
_PARQUET: Final = b"PAR1"
_GZIP: Final = b"\x1f\x8b"
_MILLISECONDS_FROM: Final = 1e11
"""A number of seconds does not reach this before the year 5138, a number of milliseconds did in 1973."""


def read_bars(path: Path) -> pd.DataFrame:
    """
    Read a file of bars, the oldest first.

    Column names become lower case with underscores, `Adj Close` is `adj_close`. A column called time, timestamp,
    datetime or date becomes the index; numbers in it are seconds or milliseconds since the epoch, UTC.

    Raises:
        DSLDataError: the file cannot be read, is empty or no table, or its times do not rise.
    """
    content = _content(path)
    return _bars(path, _parquet(path, content) if content.startswith(_PARQUET) else _csv(path, content))


def read_csv(name: Path, content: bytes) -> pd.DataFrame:
    """
    Read bars from the bytes of a CSV file, as `read_bars` does; `name` stands in what is said about them.

    Raises:
        DSLDataError: they are empty or no table, or the times do not rise.
    """
    if not content.strip():
        raise DSLDataError(f"{name}: the file is empty")
    return _bars(name, _csv(name, content))


def _bars(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    if frame.empty:
        raise DSLDataError(f"{path}: the file has no rows")
    frame.columns = _names(path, [str(name) for name in frame.columns])
    return _with_time(path, frame)


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DSLDataError(f"{path}: the file is larger than {_MAX_BYTES // 10**9} GB")
        content = path.read_bytes()
        if content.startswith(_GZIP):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
                content = file.read(_MAX_BYTES)
    except OSError as error:
        raise DSLDataError(f"{path}: the file cannot be read: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise DSLDataError(f"{path}: the compressed file is damaged") from error
    if not content.strip():
        raise DSLDataError(f"{path}: the file is empty")
    return content


def _parquet(path: Path, content: bytes) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(io.BytesIO(content))
    except ImportError as error:
        raise DSLDataError(
            f"{path}: Parquet needs a library that is not installed. Run: pip install pyarrow"
        ) from error
    except Exception as error:  # whatever the Parquet library raises: its family is not part of our dependencies
        raise DSLDataError(f"{path}: the Parquet file is damaged") from error
    is_plain = isinstance(frame.index, pd.RangeIndex)
    return frame if is_plain else frame.reset_index(names=frame.index.name or "time")


def _csv(path: Path, content: bytes) -> pd.DataFrame:
    try:
        text = content.decode("utf-8-sig").rstrip()
    except UnicodeDecodeError as error:
        raise DSLDataError(f"{path}: the file is neither Parquet nor text in UTF-8") from error
    if "\0" in text:
        raise DSLDataError(f"{path}: the file is neither Parquet nor text: it has binary zeros")
    header = _header(text)
    if len(header) < 2:
        raise DSLDataError(
            f"{path}: line 1 must name the columns, separated by commas: time,open,high,low,close,volume"
        )
    if all(_is_number(name) for name in header[1:]):
        raise DSLDataError(f"{path}: line 1 must name the columns, and it holds numbers")
    double = next((name for at, name in enumerate(header) if name in header[:at]), None)
    if double is not None:
        raise DSLDataError(f"{path}: line 1 names the column {double!r} twice")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # values beyond the header would be lost
            return pd.read_csv(io.StringIO(text), skip_blank_lines=False, index_col=False)
    except (pd.errors.ParserError, pd.errors.ParserWarning, ValueError) as error:
        found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        where = (
            f"line {found[2]} has {found[3]} values, line 1 names {found[1]} columns"
            if found
            else "rows have more values than line 1 has names"
        )
        raise DSLDataError(f"{path}: {where}") from error


def _header(text: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error:
        return []


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _names(path: Path, given: Sequence[str]) -> list[str]:
    names = [re.sub(r"\W+", "_", name.strip().lower()).strip("_") for name in given]
    double = next((at for at, name in enumerate(names) if name in names[:at]), None)
    if double is not None:
        first = given[names.index(names[double])]
        raise DSLDataError(f"{path}: the columns {first!r} and {given[double]!r} have the same name in lower case")
    return names


def _with_time(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    name = next((name for name in TIME_NAMES if name in frame.columns), None)
    if name is None:
        return frame
    times = _times(path, name, frame[name])
    values = times.to_numpy()
    steps = values[1:] <= values[:-1]
    if steps.any():
        at = int(np.argmax(steps)) + 1
        repeated = values[at] == values[at - 1]
        said = "is there twice" if repeated else f"comes after {_shown(times[at - 1])}: sort the rows by time"
        raise DSLDataError(f"{path}: line {at + 2}: {name} {_shown(times[at])} {said}")
    return frame.drop(columns=name).set_index(times.rename("time"))


def _times(path: Path, name: str, column: Any) -> pd.DatetimeIndex:
    if column.isna().any():
        raise DSLDataError(f"{path}: line {_first(column.isna()) + 2}: {name} is missing")
    try:
        if pd.api.types.is_numeric_dtype(column.dtype):
            unit = "ms" if float(column.abs().max()) >= _MILLISECONDS_FROM else "s"
            return pd.DatetimeIndex(pd.to_datetime(column, unit=unit))
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            return pd.DatetimeIndex(column)
        return pd.DatetimeIndex(pd.to_datetime(column.astype(str), format="ISO8601"))
    except (ValueError, TypeError, OverflowError) as error:
        known = pd.to_datetime(column.astype(str), format="ISO8601", errors="coerce", utc=True)
        at = _first(known.isna()) if known.isna().any() else 0
        raise DSLDataError(f"{path}: line {at + 2}: {name} {column.iloc[at]!r} is no time, write 2024-01-31") from error


def _shown(time: Any) -> str:
    return str(time).removesuffix(" 00:00:00")


def check_bars(path: Path, frame: pd.DataFrame, needed: Sequence[str], *, allow_missing: bool = False) -> None:
    """
    Check the columns that a strategy reads.

    Raises:
        DSLDataError: one is not there, holds text, or misses values that are not allowed to be missing.
    """
    absent = [name for name in needed if name not in frame.columns]
    if absent:
        words = "columns" if len(absent) > 1 else "column"
        there = ", ".join(frame.columns[:20])
        raise DSLDataError(f"{path}: the strategy reads the {words} {', '.join(absent)}; the file has: {there}")
    for name in needed:
        frame[name] = _numbers(path, name, frame[name])
        missing = frame[name].isna()
        if missing.any() and not allow_missing:
            where = f"line {_first(missing) + 2}: {name} is missing ({int(missing.sum())} of {len(frame)} rows)"
            raise DSLDataError(f"{path}: {where}; fill or drop such rows, or pass --allow-missing")


def _numbers(path: Path, name: str, column: Any) -> Any:
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = numbers.isna() & column.notna()
    if wrong.any():
        at = _first(wrong)
        raise DSLDataError(f"{path}: line {at + 2}: {name} is {str(column.iloc[at])[:40]!r}, not a number")
    return numbers.astype("float64")


def _first(mask: Any) -> int:
    return int(np.argmax(np.asarray(mask)))
