"""DuckDB files for analysis."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.database.duckdb.manager import BaseDuckDBManager

__all__ = ["BaseDuckDBManager"]

__getattr__, __dir__ = lazy_exports(__name__, {"BaseDuckDBManager": ".manager"}, extra="database")
