"""What a value is (its kind) and when it is known (its phase)."""

from enum import IntEnum, StrEnum
from typing import Final, NamedTuple, TypeAlias

__all__ = ["NUMERIC", "Const", "Kind", "Phase", "Type", "merge_kinds"]

Const: TypeAlias = float | int | bool | str | None
"""The only values that a program carries."""


class Kind(StrEnum):
    """What a value is. Series of integers do not exist: they are float, exact to 2^53."""

    FLOAT = "float"
    INT = "int"
    BOOL = "bool"
    STR = "str"
    NONE = "none"
    TIME = "time"
    RECORD = "record"


class Phase(IntEnum):
    """When a value is known: at compile time, at bind, once per run, or at each bar."""

    CONST = 0
    PARAM = 1
    RUN = 2
    SERIES = 3


class Type(NamedTuple):
    """Kind, phase and time grid of a value; grid 0 is the base timeframe."""

    kind: Kind
    phase: Phase
    grid: int = 0


NUMERIC: Final = frozenset({Kind.FLOAT, Kind.INT})
"""The kinds that arithmetic takes as they are."""


def merge_kinds(left: Kind, right: Kind) -> Kind | None:
    """Return the kind of a value that is one or the other; None when there is none (bool with float)."""
    if left is right:
        return left
    if left in NUMERIC and right in NUMERIC:
        return Kind.FLOAT
    return None
