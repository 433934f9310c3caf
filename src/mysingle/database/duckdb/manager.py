"""DuckDB files for analysis: one connection, a cursor for each thread, and an async side that never blocks the loop."""

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeAlias, TypeVar

import duckdb
from duckdb import DuckDBPyConnection

from mysingle._kernel.context import carry_context
from mysingle._kernel.errors import UnavailableError
from mysingle.database._duckdb_call import Call, time_limit
from mysingle.database._duckdb_frames import Frames

__all__ = ["BaseDuckDBManager", "DuckDBResource"]

P = ParamSpec("P")
T = TypeVar("T")
Parameters: TypeAlias = Sequence[object] | Mapping[str, object] | None
Row: TypeAlias = tuple[Any, ...]

_LOCK_PAUSE_SECONDS = 0.1
_WRITES = re.compile(r"\s*(?:insert|update|delete|merge|copy|create|drop|alter|truncate)\b", re.IGNORECASE)


class BaseDuckDBManager(Frames):
    """
    One DuckDB database; subclass it and override `create_schema`.

    Use it as a context manager, or call `connect` and `close`. All methods may be called from any thread. What a
    statement or a `transaction` has written when it returns survives the end of the process, however it ends.

    Args:
        db_path: a file, whose folder is made, or ":memory:".
        read_only: open an existing file that others may read at the same time; no schema is made.
        threads: how many async calls run at the same time; further ones wait.
        lock_timeout_seconds: how long to wait for another process to let go of the file.
    """

    def __init__(
        self,
        db_path: str | Path = ":memory:",
        *,
        read_only: bool = False,
        threads: int = 4,
        lock_timeout_seconds: float = 0.0,
    ) -> None:
        self.db_path = str(db_path)
        self.read_only = read_only
        self._threads = threads
        self._lock_timeout_seconds = lock_timeout_seconds
        self._root: DuckDBPyConnection | None = None
        self._lock = threading.RLock()
        self._writing = threading.RLock()
        self._cursors = threading.local()
        self._executor: ThreadPoolExecutor | None = None
        self._calls: set[Call] = set()

    def create_schema(self) -> None:
        """Create tables and views with `self.execute`; runs after each `connect` that may write."""

    def connect(self) -> Self:
        """
        Open the file and make the schema; opening twice is fine.

        Raises:
            UnavailableError: `DUCKDB_LOCKED`, another process writes the file.
        """
        with self._lock:
            if self._root is None:
                self._open()
        return self

    def close(self) -> None:
        """End running calls, close the file, and with it the cursors of all threads; closing twice is fine."""
        with self._lock:
            executor, self._executor = self._executor, None
            running = tuple(self._calls)
        for call in running:
            call.interrupt()
        if executor is not None:
            executor.shutdown(wait=True, cancel_futures=True)
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

    @contextmanager
    def transaction(self) -> Iterator[DuckDBPyConnection]:
        """
        Run a block on this thread's cursor: all of its writes or, after an exception, none.

        One transaction at a time writes, so that two of them never conflict; one inside of another belongs to it.
        """
        with self._writing:
            cursor = self.connection()
            if getattr(self._cursors, "in_transaction", False):
                yield cursor
                return
            cursor.execute("BEGIN TRANSACTION")
            self._cursors.in_transaction = True
            try:
                yield cursor
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            else:
                cursor.execute("COMMIT")
            finally:
                self._cursors.in_transaction = False

    def execute(self, query: str, parameters: Parameters = None) -> DuckDBPyConnection:
        """
        Run a statement on this thread's cursor; values go into `parameters`, never into the text.

        Statements that write run one at a time, as transactions do, so that they never conflict.
        """
        cursor = self.connection()
        if not _WRITES.match(query):
            return cursor.execute(query, parameters)
        with self._writing:
            return cursor.execute(query, parameters)

    def fetch_all(self, query: str, parameters: Parameters = None) -> list[Row]:
        """Run a query and return its rows."""
        return self.execute(query, parameters).fetchall()

    def fetch_one(self, query: str, parameters: Parameters = None) -> Row | None:
        """Run a query and return its first row, None when there is none."""
        cursor = self.execute(query, parameters)
        row: Row | None = cursor.fetchone()
        # A result that is read in part would keep its snapshot. The rest of a query is not computed; that of a
        # statement that writes must be.
        if query.lstrip()[:6].lower() == "select":
            cursor.abort()
        else:
            cursor.complete()
        return row

    async def run_async(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """
        Run synchronous work, such as any method of the manager, in one of its threads.

        A call whose task is cancelled, or whose request has no time left, is interrupted: DuckDB stops and undoes it.

        Raises:
            MySingleError: `BUDGET_EXHAUSTED`, the request has no time left.
        """
        call = Call()
        inside = carry_context(lambda: work(*args, **kwargs))
        executor = self._executor or self._make_executor()
        async with time_limit():
            future = asyncio.get_running_loop().run_in_executor(executor, self._run, call, inside)
            try:
                return await future
            except asyncio.CancelledError:
                call.interrupt()
                raise

    async def execute_async(self, query: str, parameters: Parameters = None) -> None:
        """Run a statement in a thread."""
        await self.run_async(self.execute, query, parameters)

    async def fetch_all_async(self, query: str, parameters: Parameters = None) -> list[Row]:
        """Run a query in a thread and return its rows."""
        return await self.run_async(self.fetch_all, query, parameters)

    async def fetch_one_async(self, query: str, parameters: Parameters = None) -> Row | None:
        """Run a query in a thread and return its first row, None when there is none."""
        return await self.run_async(self.fetch_one, query, parameters)

    def _run(self, call: Call, work: Callable[[], T]) -> T:
        cursor = self.connection()
        with self._lock:
            self._calls.add(call)
        try:
            if not call.begin(cursor):
                raise duckdb.InterruptException("interrupted before it began")
            return work()
        finally:
            call.end()
            with self._lock:
                self._calls.discard(call)

    def _open(self) -> None:
        if self.db_path != ":memory:" and not self.read_only:
            Path(self.db_path).parent.mkdir(parents=True, exist_ok=True)
        self._root = self._connect()
        if self.read_only:
            return
        try:
            self.create_schema()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> DuckDBPyConnection:
        deadline = time.monotonic() + self._lock_timeout_seconds
        while True:
            try:
                return duckdb.connect(self.db_path, read_only=self.read_only)
            except duckdb.IOException as error:
                if "lock" not in str(error):
                    raise
                if time.monotonic() >= deadline:
                    raise UnavailableError(
                        f"Another process writes {self.db_path}: a DuckDB file has one writer, or readers only",
                        reason="DUCKDB_LOCKED",
                        retry_after_seconds=1,
                    ) from error
            time.sleep(_LOCK_PAUSE_SECONDS)

    def _make_cursor(self) -> DuckDBPyConnection:
        with self._lock:
            if self._root is None:
                raise self._not_open()
            cursor: DuckDBPyConnection = self._root.cursor()
            self._cursors.cursor = cursor
        return cursor

    def _make_executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._root is None:
                raise self._not_open()
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="duckdb")
            return self._executor

    def _not_open(self) -> RuntimeError:
        return RuntimeError(f"DuckDB {self.db_path} is not open: use `with manager:` or call connect()")


class DuckDBResource:
    """A DuckDB database as a part of a service: opened, closed and asked with it."""

    def __init__(self, manager: BaseDuckDBManager, name: str = "duckdb") -> None:
        self.manager = manager
        self.name = name

    async def open(self) -> None:
        """Open the file; see `BaseDuckDBManager.connect` for the errors."""
        await asyncio.to_thread(self.manager.connect)

    async def close(self) -> None:
        """Close the file."""
        await asyncio.to_thread(self.manager.close)

    async def ping(self) -> None:
        """Run the smallest query."""
        await self.manager.fetch_one_async("SELECT 1")
