import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mysingle.dsl.errors import DSLDataError
from mysingle.dsl.workbench.datafile import check_bars, read_bars

HEAD = "time,open,high,low,close\n"
GOOD = HEAD + "2024-01-01,1,2,1,2\n2024-01-02,2,3,1,1\n"

BAD = {
    "empty": (b"", "the file is empty"),
    "blank": (b" \n\n ", "the file is empty"),
    "header only": (HEAD.encode(), "the file has no rows"),
    "no header": (b"2024-01-01,1,2\n2024-01-02,1,2\n", "line 1 must name the columns, and it holds numbers"),
    "not a table": (b"just a sentence\n", "line 1 must name the columns, separated by commas"),
    "semicolons": (b"time;close\n2024-01-01;1\n", "line 1 must name the columns, separated by commas"),
    "random bytes": (bytes(range(128, 256)) * 9, "neither Parquet nor text in UTF-8"),
    "zeros": (b"time,close\n\0\0,1\n", "it has binary zeros"),
    "damaged Parquet": (b"PAR1rubbish", "the Parquet file is damaged"),
    "damaged gzip": (b"\x1f\x8b\x08rubbish", "damaged|cannot be read"),
    "double column": (b"time,close,close\n2024-01-01,1,2\n", "line 1 names the column 'close' twice"),
    "same in lower case": (b"time,close,Close\n2024-01-01,1,2\n", "'close' and 'Close' have the same name"),
    "too many values": (HEAD.encode() + b"2024-01-01,1,2,1,2\n2024-01-02,1,2,1,2,7,8\n", "line 3 has 7 values"),
    "too many everywhere": (HEAD.encode() + b"2024-01-01,1,2,1,2,9\n", "more values than line 1 has names"),
    "unsorted": (HEAD.encode() + b"2024-01-02,1,2,1,2\n2024-01-01,1,2,1,2\n", "line 3: time 2024-01-01 comes after"),
    "double row": (HEAD.encode() + b"2024-01-02,1,2,1,2\n2024-01-02,1,2,1,2\n", "line 3: time 2024-01-02 is there"),
    "no time": (HEAD.encode() + b"2024-01-01,1,2,1,2\nyesterday,1,2,1,2\n", "line 3: time 'yesterday' is no time"),
    "blank line": (HEAD.encode() + b"2024-01-01,1,2,1,2\n\n2024-01-02,1,2,1,2\n", "line 3: time is missing"),
    "missing column": (b"time,open\n2024-01-01,1\n", "the strategy reads the column close; the file has: open"),
    "missing value": (HEAD.encode() + b"2024-01-01,1,2,1,2\n2024-01-02,1,2,1,\n", r"line 3: close is missing \(1 of 2"),
    "text": (HEAD.encode() + b"2024-01-01,1,2,1,2\n2024-01-02,1,2,1,high\n", "line 3: close is 'high', not a number"),
}


@pytest.mark.parametrize(("content", "said"), BAD.values(), ids=BAD)
def test_bad_files(tmp_path: Path, content: bytes, said: str) -> None:
    """Whatever is wrong with a file is one sentence that begins with its name."""
    file = tmp_path / "bars.csv"
    file.write_bytes(content)
    with pytest.raises(DSLDataError, match=said) as caught:
        check_bars(file, read_bars(file), ["close"])

    assert caught.value.message.startswith(f"{file}: ")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("place", ["nowhere.csv", "."])
def test_no_file(tmp_path: Path, place: str) -> None:
    """A file that is not there, or is a folder, is one sentence."""
    with pytest.raises(DSLDataError, match="the file cannot be read"):
        read_bars(tmp_path / place)


@pytest.mark.parametrize("form", ["csv", "bom", "gzip", "parquet"])
def test_forms(tmp_path: Path, form: str) -> None:
    """CSV, with a mark of order or packed, and Parquet give the same bars."""
    file = tmp_path / "bars"
    match form:
        case "csv":
            file.write_text(GOOD)
        case "bom":
            file.write_text(GOOD, encoding="utf-8-sig")
        case "gzip":
            file.write_bytes(gzip.compress(GOOD.encode()))
        case "parquet":
            source = tmp_path / "source.csv"
            source.write_text(GOOD)
            read_bars(source).to_parquet(file)
    bars = read_bars(file)

    assert bars.columns.tolist() == ["open", "high", "low", "close"]
    assert bars.index.tolist() == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02")]
    assert bars["close"].tolist() == [2, 1]


@pytest.mark.parametrize(
    "times", [["1704067200", "1704153600"], ["1704067200000", "1704153600000"], ["2024-01-01T00:00:00", "2024-01-02"]]
)
def test_times(tmp_path: Path, times: list[str]) -> None:
    """Times are dates, or seconds or milliseconds since the epoch."""
    file = tmp_path / "bars.csv"
    file.write_text(f"Date,Adj Close\n{times[0]},1\n{times[1]},2\n")
    if "T" in times[0]:
        file.write_text(f"Date,Adj Close\n{times[0]},1\n{times[1]}T00:00:00,2\n")
    bars = read_bars(file)

    assert bars.columns.tolist() == ["adj_close"]
    assert [time.strftime("%Y-%m-%d") for time in bars.index] == ["2024-01-01", "2024-01-02"]


def test_without_time(tmp_path: Path) -> None:
    """A file without a time is numbered."""
    file = tmp_path / "bars.csv"
    file.write_text("open,close\n1,2\n3,4\n")

    assert read_bars(file).index.tolist() == [0, 1]


def test_missing_on_request(tmp_path: Path) -> None:
    """Missing values are left to the language when the caller says so."""
    file = tmp_path / "bars.csv"
    file.write_text(GOOD.replace("2024-01-02,2,3,1,1", "2024-01-02,2,3,1,"))
    bars = read_bars(file)
    check_bars(file, bars, ["close"], allow_missing=True)

    assert np.isnan(bars["close"].iloc[1])


def outcome(file: Path) -> str:
    try:
        bars = read_bars(file)
        check_bars(file, bars, ["close"])
    except DSLDataError as error:
        return error.message
    assert not bars["close"].isna().any()
    return f"{file}: bars"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(",\n\r\"'0123456789.-eaTN:", max_size=120).map(str.encode)))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    """Any bytes are a table of bars without holes, or one sentence."""
    file = tmp_path / "bars.csv"
    for head in (b"", b"time,close\n"):
        file.write_bytes(head + content)
        said = outcome(file)

        assert said.startswith(f"{file}: ")
        assert "\n" not in said
