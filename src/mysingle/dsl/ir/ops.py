"""
The keystone: every operation of the language in one table.

Types, look-ahead, warm-up, gas, kernels, completion and documentation are derived from a row. A row's `id` is never
reused. Rows with `Flag.COMPOSITE` are functions of the language that the compiler expands; all others may stand in a
program, and `row.kernel` is the name under which an engine finds their kernel (rows with `Flag.SPECIAL` have none).

Semantics that all rows share:

- Pointwise rows work on scalars below phase SERIES (Python numbers, `None` is na) and on arrays alike.
- `gt ge lt le eq ne` use the relative tolerance of 1e-10 when an argument is of phase RUN or SERIES and compare exactly
  otherwise; the `_exact` rows are plain IEEE. A comparison with na is False, also `ne`.
- A bool is never na. Float results are finite or na; rows with `MAY_OVERFLOW` turn ±inf into na.
- `const(None)` of kind float is na. `min_periods` 0 means: as many as the window has.
"""

from functools import cache
from hashlib import sha256
from typing import Final

from mysingle.dsl.ir.kinds import Const
from mysingle.dsl.ir.ops_core import CORE
from mysingle.dsl.ir.ops_functions import FUNCTIONS
from mysingle.dsl.ir.ops_talib import TALIB
from mysingle.dsl.ir.row import REQUIRED, Arg, Flag, Gas, NaPolicy, Op, OutputSpec

__all__ = [
    "ARITHMETIC",
    "BY_ID",
    "CLOCK",
    "COMPARISONS",
    "MIRRORED",
    "OPS",
    "REQUIRED",
    "Arg",
    "Flag",
    "Gas",
    "NaPolicy",
    "Op",
    "OutputSpec",
    "ops_fingerprint",
]

_ROWS: Final = (*CORE, *TALIB, *FUNCTIONS)

OPS: Final[dict[str, Op]] = {row.name: row for row in _ROWS}
"""Name in programs → row."""

BY_ID: Final[dict[int, Op]] = {row.id: row for row in _ROWS}
"""Number in containers → row."""

ARITHMETIC: Final = frozenset({"add", "sub", "mul", "div", "floordiv", "mod", "pow"})
COMPARISONS: Final = frozenset({"gt", "ge", "lt", "le", "eq", "ne"})
MIRRORED: Final = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq", "ne": "ne"}
CLOCK: Final = frozenset({"time", "hour", "minute", "day_of_week", "is_regular_session", "is_open", "is_new_bar"})


@cache
def ops_fingerprint() -> str:
    """Return a hash of everything in the table that changes what a program means: of another one it is stale."""
    digest = sha256()
    for row in sorted(_ROWS, key=lambda item: item.id):
        digest.update(repr((row.id, row.name, row.args, row.outputs, row.result, row.kernel, row.imm)).encode())
        digest.update(repr((sorted(row.flags), row.na, row.gas, row.since, _probe(row))).encode())
    return digest.hexdigest()


def _probe(row: Op) -> tuple[float, ...]:
    """Rules are code; their values at two points stand for them."""
    points: list[float] = []
    for number in (3, 10):
        values: tuple[Const, ...] = tuple(
            None if arg.phase > 1 else number if arg.kind in {"int", "float", "any"} else 0 for arg in row.args
        )
        horizon = row.horizon or row.first
        points += [row.lead(values), row.first(values), horizon(values)]
    return tuple(points)
