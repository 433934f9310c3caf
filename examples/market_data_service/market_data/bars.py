"""Daily bars in a DuckDB file."""

import datetime
from pathlib import Path
from typing import NamedTuple

from mysingle.core.errors import NotFoundError
from mysingle.database import BaseDuckDBManager

DATA = Path(__file__).parents[1] / "data" / "sp500.csv.gz"
MAX_BARS = 5_000


class Bar(NamedTuple):
    day: datetime.date
    open: float
    high: float
    low: float
    close: float
    volume: float


class Bars(BaseDuckDBManager):
    """The bars of every symbol; the S&P 500 is there from the beginning."""

    def create_schema(self) -> None:
        self.execute("CREATE TABLE IF NOT EXISTS bars AS " + _SELECT, [str(DATA)])

    async def read(self, symbol: str, start: datetime.date | None, end: datetime.date | None, limit: int) -> list[Bar]:
        """Return bars, oldest first: of a range without its end, at most the newest `limit` ones."""
        rows = await self.fetch_all_async(_READ, [symbol, start, start, end, end, limit])
        if not rows and not await self.fetch_all_async("SELECT 1 FROM bars WHERE symbol = ? LIMIT 1", [symbol]):
            raise NotFoundError(f"There is no symbol {symbol!r}", reason="SYMBOL_NOT_FOUND")
        return [Bar(*row) for row in rows]

    async def symbols(self) -> list[str]:
        rows = await self.fetch_all_async("SELECT DISTINCT symbol FROM bars ORDER BY symbol")
        return [row[0] for row in rows]


_SELECT = """
SELECT 'SPX' AS symbol, strptime(Date, '%-m/%-d/%Y')::DATE AS day,
       Open AS open, High AS high, Low AS low, Close AS close, Volume::DOUBLE AS volume
FROM read_csv(?, header = true, types = {'Date': 'VARCHAR'})
"""

_READ = """
SELECT * FROM (
    SELECT day, open, high, low, close, volume FROM bars
    WHERE symbol = ? AND (? IS NULL OR day >= ?) AND (? IS NULL OR day < ?)
    ORDER BY day DESC LIMIT ?
) ORDER BY day
"""
