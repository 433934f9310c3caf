"""DuckDB files for analysis: one connection, a cursor for each thread, and an async side that never blocks the loop."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

import duckdb
from duckdb import DuckDBPyConnection

__all__ = ["BaseDuckDBManager"]

Parameters: TypeAlias = Sequence[object] | Mapping[str, object] | None
Row: TypeAlias = tuple[Any, ...]


class BaseDuckDBManager:
    """
    One DuckDB database; subclass it and override `create_schema`.

    Use it as a context manager, or call `connect` and `close`. All methods may be called from any thread.

    Args:
        db_path: a file, whose folder is made, or ":memory:".
        read_only: open an existing file that others may read at the same time; no schema is made.
    """

    def __init__(self, db_path: str | Path = ":memory:", *, read_only: bool = False) -> None:
        self.db_path = str(db_path)
        self.read_only = read_only
        self._root: DuckDBPyConnection | None = None
        self._lock = threading.RLock()
        self._cursors = threading.local()

    def create_schema(self) -> None:
        """Create tables and views with `self.execute`; runs after each `connect` that may write."""

    def connect(self) -> Self:
        """Open the file and make the schema; opening twice is fine."""
        with self._lock:
            if self._root is None:
                self._open()
        return self

    def close(self) -> None:
        """Close the file, and with it the cursors of all threads; closing twice is fine."""
        with self._lock:
            root, self._root = self._root, None
            self._cursors = threading.local()
            if root is not None:
                root.close()

    def __enter__(self) -> Self:
        return self.connect()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.connect)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    def connection(self) -> DuckDBPyConnection:
        """
        Return this thread's cursor. Do not close it, and do not pass it to another thread.

        Raises:
            RuntimeError: the database is not open.
        """
        cursor: DuckDBPyConnection | None = getattr(self._cursors, "cursor", None)
        return cursor or self._make_cursor()

    def execute(self, query: str, parameters: Parameters = None) -> DuckDBPyConnection:
        """Run a statement on this thread's cursor; values go into `parameters`, never into the text."""
        return self.connection().execute(query, parameters)

    def fetch_all(self, query: str, parameters: Parameters = None) -> list[Row]:
        """Run a query and return its rows."""
        return self.execute(query, parameters).fetchall()

    def fetch_one(self, query: str, parameters: Parameters = None) -> Row | None:
        """Run a query and return its first row, None when there is none."""
        return self.execute(query, parameters).fetchone()

    async def execute_async(self, query: str, parameters: Parameters = None) -> None:
        """Run a statement in a thread."""
        await asyncio.to_thread(self.execute, query, parameters)

    async def fetch_all_async(self, query: str, parameters: Parameters = None) -> list[Row]:
        """Run a query in a thread and return its rows."""
        return await asyncio.to_thread(self.fetch_all, query, parameters)

    async def fetch_one_async(self, query: str, parameters: Parameters = None) -> Row | None:
        """Run a query in a thread and return its first row, None when there is none."""
        return await asyncio.to_thread(self.fetch_one, query, parameters)

    def _open(self) -> None:
        if self.db_path != ":memory:" and not self.read_only:
            Path(self.db_path).parent.mkdir(parents=True, exist_ok=True)
        self._root = duckdb.connect(self.db_path, read_only=self.read_only)
        if self.read_only:
            return
        try:
            self.create_schema()
        except BaseException:
            self.close()
            raise

    def _make_cursor(self) -> DuckDBPyConnection:
        with self._lock:
            if self._root is None:
                raise RuntimeError(f"DuckDB {self.db_path} is not open: use `with manager:` or call connect()")
            cursor: DuckDBPyConnection = self._root.cursor()
            self._cursors.cursor = cursor
        return cursor
