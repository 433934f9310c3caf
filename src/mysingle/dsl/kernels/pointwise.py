"""Operations on one bar, each twice: on whole columns, and on one number with the same bits."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from mysingle.dsl.kernels.compare import COMPARE, COMPARE_ONE, EXACT, EXACT_ONE
from mysingle.dsl.kernels.floats import MAX_EXACT_INT, NA, Array, Mask, drop_inf, finite

__all__ = ["LOGIC", "POINTWISE", "Pointwise", "is_true", "truth"]

Columns: TypeAlias = Callable[..., Any]
Number: TypeAlias = Callable[..., Any]


class Pointwise(NamedTuple):
    """One operation: `columns(*operands, out=None)` for arrays, `number(*operands)` for one bar, and what it yields."""

    columns: Columns
    number: Number
    is_logical: bool = False
    takes_bools: bool = False


def truth(value: Any) -> Any:
    """Read a column as a condition: true iff not zero and not missing."""
    if value.dtype == np.bool_:
        return value
    return np.logical_and(value != 0.0, value == value)


def is_true(value: float | bool) -> bool:
    """Read one number as a condition: true iff not zero and not missing."""
    return bool(value) and value == value


def _repairing(ufunc: np.ufunc) -> Columns:
    # Under `strict_floats` the processor's own flags tell of an overflow, so a clean result costs no second pass.
    def run(*operands: Any, out: Array | None = None) -> Array:
        try:
            return ufunc(*operands, out=out)  # type: ignore[no-any-return]  # numpy types a ufunc call as Any
        except FloatingPointError:
            with np.errstate(all="ignore"):
                return drop_inf(ufunc(*operands, out=out))

    return run


def _plain(ufunc: np.ufunc) -> Columns:
    def run(*operands: Any, out: Any = None) -> Any:
        return ufunc(*operands, out=out)

    return run


LOGIC: Mapping[str, np.ufunc] = {
    "and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor, "not": np.logical_not,
}  # fmt: skip


def _checked(ufunc: np.ufunc) -> Columns:
    # The vector forms of these do not always raise the processor's flags.
    def run(*operands: Any, out: Array | None = None) -> Array:
        with np.errstate(all="ignore"):
            return drop_inf(ufunc(*operands, out=out))

    return run


def _one(ufunc: np.ufunc) -> Number:
    def run(*operands: float) -> float:
        with np.errstate(all="ignore"):
            return finite(float(ufunc(*operands)))

    return run


def _add(a: float, b: float) -> float:
    return finite(a + b)


def _sub(a: float, b: float) -> float:
    return finite(a - b)


def _mul(a: float, b: float) -> float:
    return finite(a * b)


def _div(a: float, b: float) -> float:
    return finite(a / b) if b else NA


def _floordiv(a: float, b: float) -> float:
    return finite(a // b) if b else NA


def _mod(a: float, b: float) -> float:
    return finite(a % b) if b else NA


def _pow(a: float, b: float) -> float:
    if isinstance(a, int) and isinstance(b, int) and 0 <= b <= 64:
        exact: int = a**b
        if -MAX_EXACT_INT <= exact <= MAX_EXACT_INT:
            return exact
    with np.errstate(all="ignore"):
        return finite(float(np.power(float(a), float(b))))


def _neg(a: float) -> float:
    return -a


def _abs(a: float) -> float:
    return abs(a)


def _sqrt(a: float) -> float:
    return math.sqrt(a) if a >= 0.0 else NA


def _floor(a: float) -> float:
    return float(math.floor(a)) if a == a and abs(a) < MAX_EXACT_INT else float(a)


def _ceil(a: float) -> float:
    return float(math.ceil(a)) if a == a and abs(a) < MAX_EXACT_INT else float(a)


def _sign(a: float) -> float:
    return a if a != a else float((a > 0) - (a < 0))


def _minimum(a: float, b: float) -> float:
    if a != a or b != b:
        return NA
    return min(a, b)


def _maximum(a: float, b: float) -> float:
    if a != a or b != b:
        return NA
    return max(a, b)


def _round(values: Array, decimals: int = 0, out: Array | None = None) -> Array:
    with np.errstate(all="ignore"):
        return drop_inf(np.round(values, int(decimals), out=out))


def _round_one(value: float, decimals: int = 0) -> float:
    with np.errstate(all="ignore"):
        return finite(float(np.round(np.float64(value), int(decimals))))


def _where(mask: Any, yes: Any, no: Any, out: Any = None) -> Any:
    return np.where(mask, yes, no)


def _where_one(mask: bool, yes: Any, no: Any) -> Any:
    return yes if mask else no


def _is_na(values: Array, out: Mask | None = None) -> Mask:
    return np.isnan(values, out=out)


def _nz(values: Array, fill: Any = 0.0, out: Array | None = None) -> Array:
    return np.where(np.isnan(values), fill, values)


def _nz_one(value: float, fill: float = 0.0) -> float:
    return fill if value != value else value


def _cast_bool(values: Any, out: Any = None) -> Any:
    return truth(np.asarray(values))


def _cast_float(values: Any, out: Any = None) -> Array:
    return np.asarray(values, dtype=np.float64)


def _trunc_one(value: float) -> float:
    return float(math.trunc(value)) if value == value else NA


_UFUNCS = {
    "exp": np.exp, "log": np.log, "log10": np.log10, "log2": np.log2, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
}  # fmt: skip

POINTWISE: Mapping[str, Pointwise] = {
    "add": Pointwise(_repairing(np.add), _add),
    "sub": Pointwise(_repairing(np.subtract), _sub),
    "mul": Pointwise(_repairing(np.multiply), _mul),
    "div": Pointwise(_repairing(np.divide), _div),
    "floordiv": Pointwise(_repairing(np.floor_divide), _floordiv),
    "mod": Pointwise(_repairing(np.remainder), _mod),
    "pow": Pointwise(_checked(np.power), _pow),
    "neg": Pointwise(_plain(np.negative), _neg),
    "abs": Pointwise(_plain(np.absolute), _abs),
    "sqrt": Pointwise(_plain(np.sqrt), _sqrt),
    "floor": Pointwise(_plain(np.floor), _floor),
    "ceil": Pointwise(_plain(np.ceil), _ceil),
    "trunc": Pointwise(_plain(np.trunc), _trunc_one),
    "sign": Pointwise(_plain(np.sign), _sign),
    "round": Pointwise(_round, _round_one),
    "minimum": Pointwise(_plain(np.minimum), _minimum),
    "maximum": Pointwise(_plain(np.maximum), _maximum),
    "fillna": Pointwise(_nz, _nz_one),
    "to_float": Pointwise(_cast_float, float),
    "isna": Pointwise(_is_na, lambda a: a != a, is_logical=True),
    "to_bool": Pointwise(_cast_bool, is_true, is_logical=True, takes_bools=True),
    "and": Pointwise(_plain(LOGIC["and"]), lambda a, b: a and b, is_logical=True, takes_bools=True),
    "or": Pointwise(_plain(LOGIC["or"]), lambda a, b: a or b, is_logical=True, takes_bools=True),
    "xor": Pointwise(_plain(LOGIC["xor"]), lambda a, b: a != b, is_logical=True, takes_bools=True),
    "not": Pointwise(_plain(LOGIC["not"]), lambda a: not a, is_logical=True, takes_bools=True),
    "where": Pointwise(_where, _where_one, takes_bools=True),
    "time_diff": Pointwise(_plain(np.subtract), _sub),
    **{name: Pointwise(COMPARE[name], COMPARE_ONE[name], is_logical=True) for name in COMPARE},
    **{f"{name}_exact": Pointwise(EXACT[name], EXACT_ONE[name], is_logical=True) for name in EXACT},
    **{name: Pointwise(_checked(ufunc), _one(ufunc)) for name, ufunc in _UFUNCS.items()},
}
