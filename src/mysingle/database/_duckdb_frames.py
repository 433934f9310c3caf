"""DuckDB with pandas, Polars, Arrow and Parquet: each library is loaded when it is asked for."""

import importlib
import re
import uuid
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from duckdb import DuckDBPyConnection, DuckDBPyRelation, StatementType

__all__ = ["ArrowStream", "Frames", "quoted"]

Parameters: TypeAlias = Sequence[object] | Mapping[str, object] | None

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class ArrowStream(Protocol):
    """Data of any library that speaks the Arrow PyCapsule interface: Polars, pyarrow, pandas, DuckDB itself."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the capsule."""


class _Columns:
    """Hands the capsule on, and nothing else: DuckDB would look into a relation of its own."""

    def __init__(self, source: ArrowStream) -> None:
        self._source = source

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._source.__arrow_c_stream__(requested_schema)


class Frames:
    """
    What a manager does with frames and files. Every method is synchronous: `await manager.run_async(manager.…)`.

    A frame is a pandas or Polars DataFrame, a pyarrow Table, or whatever else is an `ArrowStream`.
    """

    @abstractmethod
    def connection(self) -> DuckDBPyConnection:
        """Return this thread's cursor."""

    def fetch_pandas(self, query: str, parameters: Parameters = None) -> Any:  # Any: pandas may not be there
        """Run a query and return a pandas DataFrame."""
        _load("pandas")
        return self.connection().execute(query, parameters).df()

    def fetch_numpy(self, query: str, parameters: Parameters = None) -> dict[str, Any]:  # Any: the same for numpy
        """Run a query and return its columns as arrays of numpy; where values are missing, masked arrays."""
        _load("numpy")
        columns: dict[str, Any] = self.connection().execute(query, parameters).fetchnumpy()
        return columns

    def fetch_polars(self, query: str, parameters: Parameters = None) -> Any:  # Any: Polars may not be there
        """Run a query and return a Polars DataFrame; columns pass as they are."""
        polars = _load("polars")
        return polars.DataFrame(self.fetch_stream(query, parameters))

    def fetch_arrow(self, query: str, parameters: Parameters = None) -> Any:  # Any: pyarrow may not be there
        """Run a query and return a pyarrow Table; columns pass as they are."""
        pyarrow = _load("pyarrow")
        return pyarrow.table(self.fetch_stream(query, parameters))

    def fetch_stream(self, query: str, parameters: Parameters = None) -> ArrowStream:
        """
        Return the result of a query for any Arrow library, which is none that has to be installed here.

        It is computed when it is read, on a cursor of its own, and can be read once.
        """
        cursor = self.connection().cursor()
        relation: DuckDBPyRelation = cursor.sql(query, params=parameters)
        return _Columns(relation)

    def insert_frame(self, table: str, frame: object, *, create: bool = False) -> int:
        """Insert a frame into a table by the names of its columns, and return the number of rows."""
        with self.registered(frame) as name:
            return self._insert(table, f"FROM {name}", None, create=create)

    @contextmanager
    def registered(self, frame: object) -> Iterator[str]:
        """Give a frame a name that queries of this thread can use inside of the block; nothing is copied."""
        name = f"frame_{uuid.uuid4().hex}"
        cursor = self.connection()
        cursor.register(name, _Columns(frame) if isinstance(frame, _Columns) else frame)
        try:
            yield name
        finally:
            cursor.complete()  # a result that is read in part keeps the frame
            cursor.unregister(name)

    def import_parquet(self, table: str, path: str | Path, *, create: bool = False) -> int:
        """Insert a Parquet file, or all that a pattern finds, by the names of the columns; return the rows."""
        return self._insert(table, "FROM read_parquet(?)", [str(path)], create=create)

    def export_parquet(self, query: str, path: str | Path, parameters: Parameters = None) -> int:
        """Write the result of a query to a Parquet file, and return the rows; a reader never sees half a file."""
        # By itself the text is a query, so it cannot end the statement that it is put into.
        if [found.type for found in self.connection().extract_statements(query)] != [StatementType.SELECT]:
            raise ValueError("Only one query can be exported: a SELECT, or what DuckDB takes for one")
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        statement = f"COPY ({query}) TO {_literal(str(unfinished))} (FORMAT parquet, COMPRESSION zstd)"
        try:
            rows = _count(self.connection().execute(statement, parameters))
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        return rows

    def _insert(self, table: str, source: str, parameters: Parameters, *, create: bool) -> int:
        name = quoted(table)
        cursor = self.connection()
        if create:
            cursor.execute(f"CREATE TABLE IF NOT EXISTS {name} AS {source} LIMIT 0", parameters)
        return _count(cursor.execute(f"INSERT INTO {name} BY NAME {source}", parameters))


def quoted(name: object) -> str:
    """
    Return a table's name for a statement.

    Raises:
        ValueError: it is more than letters, digits and underscores.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a table: letters, digits and underscores")
    return f'"{name}"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _count(cursor: DuckDBPyConnection) -> int:
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def _load(library: str) -> Any:
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError as error:
        raise ImportError(f"This needs {library}, which is not installed. Run: pip install {library}") from error
