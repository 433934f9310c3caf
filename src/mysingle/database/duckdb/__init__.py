"""DuckDB files for analysis."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.database.duckdb.manager import BaseDuckDBManager, DuckDBResource

__all__ = ["BaseDuckDBManager", "DuckDBResource"]

__getattr__, __dir__ = lazy_exports(
    __name__, {"BaseDuckDBManager": ".manager", "DuckDBResource": ".manager"}, extra="database"
)
