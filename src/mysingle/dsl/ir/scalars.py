"""
What the pointwise ops do with Python scalars: constants at compile time, parameters at bind, run scalars.

None stands for na (and for Python's None). The array kernels follow the same rules.
"""

import math
from collections.abc import Callable
from typing import Final, TypeAlias

from mysingle.dsl.ir.kinds import Const
from mysingle.dsl.ir.row import EPSILON

__all__ = ["SCALARS", "TOLERANT", "ScalarFunction", "close_enough"]

ScalarFunction: TypeAlias = Callable[..., Const]

_EXACT_INTEGER: Final = 2**53


def _finite(value: float) -> Const:
    """Return the number, na when it is not finite; integers past 2^53 become floats."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= _EXACT_INTEGER else float(value)
    return value if math.isfinite(value) else None


def _math(function: Callable[..., float]) -> ScalarFunction:
    """Domain errors, overflow and na give na."""

    def run(*values: float | None) -> Const:
        if any(value is None for value in values):
            return None
        try:
            return _finite(function(*values))
        except (ArithmeticError, ValueError, TypeError):
            return None

    return run


def _power(base: float, exponent: float) -> float:
    if base < 0 and not float(exponent).is_integer():
        raise ValueError
    if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
        return int(base**exponent) if exponent <= 64 and abs(base) <= 10**6 else float(base) ** exponent
    return float(float(base) ** float(exponent))


def _compare(test: Callable[..., bool]) -> ScalarFunction:
    return lambda a, b: a is not None and b is not None and test(a, b)


def close_enough(a: float, b: float) -> float:
    """Return the tolerance within which two values count as equal."""
    return EPSILON * max(abs(a), abs(b))


def _mod(a: float, b: float) -> float:
    return a % b


def _truth(value: Const) -> bool:
    return value is not None and bool(value)


def _to_str(value: Const) -> Const:
    return "" if value is None else str(value)


def _round(value: float, decimals: float) -> float:
    return round(float(value), int(decimals))


_TYPES: Final[dict[str, type | tuple[type, ...]]] = {"int": int, "float": float, "bool": bool, "str": str}


def _is_type(value: Const, names: Const) -> bool:
    return any(isinstance(value, _TYPES[name]) for name in str(names).split(",") if name in _TYPES)


SCALARS: Final[dict[str, ScalarFunction]] = {
    "add": _math(lambda a, b: a + b),
    "sub": _math(lambda a, b: a - b),
    "mul": _math(lambda a, b: a * b),
    "div": _math(lambda a, b: a / b),
    "floordiv": _math(lambda a, b: a // b),
    "mod": _math(_mod),
    "pow": _math(_power),
    "neg": _math(lambda a: -a),
    "abs": _math(abs),
    "minimum": _math(min),
    "maximum": _math(max),
    "sign": _math(lambda x: float((x > 0) - (x < 0))),
    "sqrt": _math(math.sqrt),
    "exp": _math(math.exp),
    "log": _math(math.log),
    "log10": _math(math.log10),
    "log2": _math(math.log2),
    "sin": _math(math.sin),
    "cos": _math(math.cos),
    "tan": _math(math.tan),
    "sinh": _math(math.sinh),
    "cosh": _math(math.cosh),
    "tanh": _math(math.tanh),
    "arcsin": _math(math.asin),
    "arccos": _math(math.acos),
    "arctan": _math(math.atan),
    "floor": _math(math.floor),
    "ceil": _math(math.ceil),
    "trunc": _math(math.trunc),
    "round": _math(_round),
    "to_bool": _truth,
    "to_float": _math(float),
    "to_str": _to_str,
    "isna": lambda x: x is None,
    "fillna": lambda x, value: value if x is None else x,
    "gt_exact": _compare(lambda a, b: a > b),
    "ge_exact": _compare(lambda a, b: a >= b),
    "lt_exact": _compare(lambda a, b: a < b),
    "le_exact": _compare(lambda a, b: a <= b),
    "eq_exact": _compare(lambda a, b: a == b),
    "ne_exact": _compare(lambda a, b: a != b),
    "and": lambda a, b: bool(a) and bool(b),
    "or": lambda a, b: bool(a) or bool(b),
    "xor": lambda a, b: bool(a) != bool(b),
    "not": lambda a: not a,
    "select": lambda cond, a, b: a if cond else b,
    "where": lambda cond, a, b: a if cond else b,
    "or_else": lambda a, b: a if _truth(a) else b,
    "and_then": lambda a, b: b if _truth(a) else a,
    "str_eq": lambda a, b: a == b,
    "is_none": lambda x: x is None,
    "is_type": _is_type,
    "isin_exact": lambda x, *values: x in values,
    **{name: _compare(test) for name, test in {
        "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
        "eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
    }.items()},
}  # fmt: skip
"""Op → function of Python scalars, comparisons exact: for phases CONST and PARAM."""

TOLERANT: Final[dict[str, ScalarFunction]] = {
    "gt": _compare(lambda a, b: a - b > close_enough(a, b)),
    "lt": _compare(lambda a, b: b - a > close_enough(a, b)),
    "ge": _compare(lambda a, b: a - b >= -close_enough(a, b)),
    "le": _compare(lambda a, b: b - a >= -close_enough(a, b)),
    "eq": _compare(lambda a, b: abs(a - b) <= close_enough(a, b)),
    "ne": _compare(lambda a, b: abs(a - b) > close_enough(a, b)),
}
"""The comparisons when an argument is a run scalar."""
