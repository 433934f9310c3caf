"""Every reference by TA-Lib's name."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from mysingle.dsl.kernels.reference.averages import AVERAGES
from mysingle.dsl.kernels.reference.oscillators import OSCILLATORS
from mysingle.dsl.kernels.reference.series import NA, Line, pointwise

__all__ = ["REFERENCES"]


def _safe(function: Callable[..., float]) -> Callable[..., Line]:
    def one(*values: float) -> float:
        try:
            found = function(*values)
        except (ArithmeticError, ValueError):
            return NA
        return found if math.isfinite(found) else NA

    return lambda *lines: pointwise(one, *lines)


REFERENCES: Final[Mapping[str, Callable[..., Any]]] = {
    **AVERAGES,
    **OSCILLATORS,
    "ADD": _safe(lambda a, b: a + b),
    "SUB": _safe(lambda a, b: a - b),
    "MULT": _safe(lambda a, b: a * b),
    "DIV": _safe(lambda a, b: a / b),
    "ACOS": _safe(math.acos),
    "ASIN": _safe(math.asin),
    "ATAN": _safe(math.atan),
    "CEIL": _safe(math.ceil),
    "COS": _safe(math.cos),
    "COSH": _safe(math.cosh),
    "EXP": _safe(math.exp),
    "FLOOR": _safe(math.floor),
    "LN": _safe(math.log),
    "LOG10": _safe(math.log10),
    "SIN": _safe(math.sin),
    "SINH": _safe(math.sinh),
    "SQRT": _safe(math.sqrt),
    "TAN": _safe(math.tan),
    "TANH": _safe(math.tanh),
}
