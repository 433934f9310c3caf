"""The type of a node from its op and its arguments: one rule for the builder and for the verifier."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from mysingle.dsl.ir.kinds import NUMERIC, Const, Kind, Phase, Type, merge_kinds
from mysingle.dsl.ir.ops import OPS, Arg, Op
from mysingle.dsl.ir.row import Flag
from mysingle.dsl.limits import LIMITS

__all__ = ["BROKER", "META", "ReadTypeError", "constant_kind", "infer", "infer_by_name"]

META: Final = {
    "input.symbol": Kind.STR,
    "input.interval": Kind.STR,
    "universe.sector": Kind.STR,
    "universe.market_cap": Kind.FLOAT,
}
"""What a `meta` node may read, and the kind of the answer; known at bind."""

BROKER: Final = frozenset({
    "equity", "position_size", "unrealized_pnl", "realized_pnl", "drawdown", "sharpe_ratio",
})  # fmt: skip

_SERIES: Final = frozenset({
    "col", "time", "hour", "minute", "day_of_week", "is_regular_session", "is_open", "is_new_bar", "bar_index",
    "broker", "state", "tf_col", "align", "broadcast",
})  # fmt: skip


class ReadTypeError(ValueError):
    """Arguments that the op does not take; the text names the argument."""


def infer(op: Op, args: Sequence[Type], declared: Type | None = None) -> Type:
    """
    Return the type of `op(args)`; `declared` is given for ops whose immediates decide (const, param, state, get).

    Raises:
        ReadTypeError: wrong number of arguments, a kind or a phase that the row does not allow, or mixed grids.
    """
    return infer_by_name(op.name, tuple(args), declared)


@lru_cache(maxsize=4096)
def infer_by_name(name: str, args: tuple[Type, ...], declared: Type | None) -> Type:
    """Infer and remember the answer: a language of some hundred operations has few signatures that programs use."""
    op = OPS[name]
    _check_arguments(op, args)
    grid = _grid(op, args, declared)
    if op.result == "declared":
        if declared is None:
            raise ReadTypeError(f"{op.name} needs a declared type")
        return _declared(op, args, declared)
    found = Type(_kind(op, args), _phase(op, args), grid)
    if found.kind is Kind.STR and found.phase is Phase.SERIES:
        raise ReadTypeError(f"{op.name}: a text cannot change from bar to bar")
    return found


def _declared(op: Op, args: Sequence[Type], declared: Type) -> Type:
    phases = {"const": Phase.CONST, "param": Phase.PARAM, "meta": Phase.PARAM, "state": Phase.SERIES}
    phase = args[0].phase if op.name == "get" else phases[op.name]
    return Type(declared.kind, phase, args[0].grid if op.name == "get" else 0)


def _check_arguments(op: Op, args: Sequence[Type]) -> None:
    rows = op.args
    if rows and rows[-1].variadic:
        if not len(rows) - 1 <= len(args) <= LIMITS.call_arguments:
            raise ReadTypeError(f"{op.name} takes at least {len(rows) - 1} arguments, got {len(args)}")
        rows = (*rows[:-1], *(rows[-1],) * (len(args) - len(rows) + 1))
    if len(rows) != len(args):
        raise ReadTypeError(f"{op.name} takes {len(rows)} arguments, got {len(args)}")
    for row, found in zip(rows, args, strict=True):
        _check_argument(op, row, found)


def _check_argument(op: Op, row: Arg, found: Type) -> None:
    if found.kind is Kind.RECORD and op.name != "get":
        raise ReadTypeError(f"{op.name}: {row.name} is a record with several outputs")
    if not _accepts(row.kind, found.kind):
        raise ReadTypeError(f"{op.name}: {row.name} must be {row.kind}, got {found.kind.value}")
    if found.phase > row.phase:
        limit = "a constant" if row.phase is Phase.CONST else "a number known before the run"
        raise ReadTypeError(f"{op.name}: {row.name} must be {limit}, got a value that changes from bar to bar")


def _accepts(wanted: str, found: Kind) -> bool:
    if wanted == "any":
        return True
    if wanted in {"float", "int"}:
        return found in {Kind.FLOAT, Kind.INT}
    return found.value == wanted


def _grid(op: Op, args: Sequence[Type], declared: Type | None) -> int:
    if op.name == "tf_col":
        return declared.grid if declared else 0
    grids = {item.grid for item in args if item.phase is Phase.SERIES}
    if len(grids) > 1:
        raise ReadTypeError(f"{op.name}: series of different timeframes")
    return 0 if op.name == "align" or not grids else grids.pop()


def _phase(op: Op, args: Sequence[Type]) -> Phase:
    if op.name in _SERIES:
        return Phase.SERIES
    if op.has(Flag.REDUCTION) or op.name == "n_bars":
        return Phase.RUN
    phase = max((item.phase for item in args), default=Phase.SERIES)
    return phase if op.has(Flag.BAR) else Phase.SERIES


_MERGED: Final = {"select": (1, 2), "where": (1, 2), "shift": (0, 2), "or_else": (0, 1), "and_then": (0, 1)}


def _kind(op: Op, args: Sequence[Type]) -> Kind:
    if op.result == "same":
        return _merged(op, [args[i].kind for i in _MERGED.get(op.name, (0,))])
    if op.result in {"num", "int_scalar"}:
        scalars = all(item.phase < Phase.SERIES for item in args)
        integers = op.result == "int_scalar" or all(item.kind is Kind.INT for item in args)
        return Kind.INT if scalars and integers else Kind.FLOAT
    return Kind(op.result)


def _merged(op: Op, kinds: list[Kind]) -> Kind:
    found = kinds[0]
    if op.name == "shift" and found is Kind.TIME and kinds[1] in NUMERIC:
        return found  # no time is there before the first bar: na fills it
    for kind in kinds[1:]:
        merged = merge_kinds(found, kind)
        if merged is None:
            raise ReadTypeError(f"{op.name}: cannot be {found.value} here and {kind.value} there")
        found = merged
    return found


def constant_kind(value: Const) -> Kind:
    """Return the kind of a constant as it stands in a program."""
    return _CONSTANTS[type(value)]


_CONSTANTS: Final[dict[type, Kind]] = {
    bool: Kind.BOOL, int: Kind.INT, float: Kind.FLOAT, str: Kind.STR, type(None): Kind.NONE,
}  # fmt: skip
