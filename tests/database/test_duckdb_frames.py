import importlib.util
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mysingle.database import BaseDuckDBManager


@pytest.fixture
def prices() -> Any:
    with BaseDuckDBManager() as manager:
        manager.execute("CREATE TABLE prices (symbol VARCHAR, close DOUBLE)")
        manager.execute("INSERT INTO prices VALUES ('A', 1.5), ('B', NULL)")
        yield manager


ROWS = [("A", 1.5), ("B", None)]


def rows_of(manager: BaseDuckDBManager) -> list[Any]:
    return manager.fetch_all("SELECT symbol, close FROM prices ORDER BY ALL")


def test_stream(prices: BaseDuckDBManager) -> None:
    """A result passes as Arrow columns without any library, and goes into a table as it came."""
    stream = prices.fetch_stream("SELECT close * 2 AS close, symbol FROM prices WHERE symbol < $s", {"s": "B"})

    assert prices.insert_frame("prices", stream) == 1
    assert rows_of(prices) == [("A", 1.5), ("A", 3.0), ("B", None)]


def test_stream_of_another_database(prices: BaseDuckDBManager) -> None:
    """Columns pass from one database to another, into a table that is made for them."""
    with BaseDuckDBManager() as other:
        assert other.insert_frame("copy", prices.fetch_stream("SELECT * FROM prices"), create=True) == 2
        assert other.fetch_all("SELECT * FROM copy ORDER BY ALL") == ROWS


def test_pandas(prices: BaseDuckDBManager) -> None:
    """A pandas DataFrame comes out and goes in, whatever the order of its columns."""
    pandas = pytest.importorskip("pandas")
    frame = prices.fetch_pandas("SELECT * FROM prices WHERE symbol = ?", ["A"])
    more = pandas.DataFrame({"close": [2.5], "symbol": ["C"]})

    assert frame.to_dict("records") == [{"symbol": "A", "close": 1.5}]
    assert prices.insert_frame("prices", more) == 1
    assert rows_of(prices) == [("A", 1.5), ("B", None), ("C", 2.5)]


def test_numpy(prices: BaseDuckDBManager) -> None:
    """Columns come out as arrays."""
    numpy = pytest.importorskip("numpy")
    columns = prices.fetch_numpy("SELECT range::DOUBLE AS x FROM range(1000)")

    assert columns["x"].dtype == numpy.float64
    assert columns["x"].sum() == 499_500


@pytest.mark.parametrize(("library", "fetch"), [("polars", "fetch_polars"), ("pyarrow", "fetch_arrow")])
def test_columns(prices: BaseDuckDBManager, library: str, fetch: str) -> None:
    """Polars and pyarrow take results and give frames; where they are missing, the message is the pip command."""
    if importlib.util.find_spec(library) is None:
        with pytest.raises(ImportError, match=f"pip install {library}"):
            getattr(prices, fetch)("SELECT * FROM prices")
        return
    frame = getattr(prices, fetch)("SELECT * FROM prices WHERE symbol = $s", {"s": "A"})

    assert prices.insert_frame("prices", frame) == 1
    assert rows_of(prices) == [("A", 1.5), ("A", 1.5), ("B", None)]


def test_names_end_with_the_block(prices: BaseDuckDBManager) -> None:
    """A frame has its name inside of the block only."""
    with prices.registered(prices.fetch_stream("SELECT * FROM prices")) as name:
        assert prices.fetch_one(f"SELECT count(*) FROM {name}") == (2,)
    with pytest.raises(duckdb.CatalogException):
        prices.execute(f"SELECT * FROM {name}")


async def test_parquet(prices: BaseDuckDBManager, tmp_path: Path) -> None:
    """A query goes to a Parquet file and back, values with quotes too; a failed export leaves no file."""
    folder = tmp_path / "it's deep"
    path = folder / "prices.parquet"
    written = await prices.run_async(prices.export_parquet, "SELECT * FROM prices WHERE symbol <> ?", path, ["x'"])
    again = prices.export_parquet("SELECT * FROM prices", path)
    read = await prices.run_async(prices.import_parquet, "copy", folder / "*.parquet", create=True)
    with pytest.raises(duckdb.Error):
        prices.export_parquet("SELECT * FROM nothing", folder / "failed.parquet")

    assert (written, again, read) == (2, 2, 2)
    assert prices.fetch_all("SELECT * FROM copy ORDER BY ALL") == ROWS
    assert [entry.name for entry in folder.iterdir()] == ["prices.parquet"]


@pytest.mark.parametrize(
    "query", ["SELECT 1) TO '{0}' (FORMAT csv); --", "SELECT 1; SELECT 2", "DROP TABLE prices", ""]
)
def test_export_is_one_query(prices: BaseDuckDBManager, tmp_path: Path, query: str) -> None:
    """Text that is more than a query cannot leave the statement that it is put into."""
    with pytest.raises((ValueError, duckdb.ParserException)):
        prices.export_parquet(query.format(tmp_path / "other.csv"), tmp_path / "prices.parquet")

    assert list(tmp_path.iterdir()) == []
    assert len(prices.fetch_all("SELECT * FROM prices")) == 2


@pytest.mark.parametrize("name", ["", None, 5, "a b", 'a"b', "a;DROP TABLE prices", "1a", "a.b", "x" * 64])
def test_names_of_tables(prices: BaseDuckDBManager, name: Any) -> None:
    """What is no plain name never gets into a statement."""
    with pytest.raises(ValueError, match="is no name of a table"):
        prices.insert_frame(name, prices.fetch_stream("SELECT 1"))
