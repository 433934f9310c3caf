"""One row of the op table: signature, outputs, look-ahead, warm-up, gas and kernel of an operation."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from math import ceil, inf, log, log1p
from typing import Final, NamedTuple, TypeAlias

from mysingle.dsl.ir.kinds import Const, Phase
from mysingle.dsl.limits import LIMITS

__all__ = [
    "EPSILON",
    "REQUIRED",
    "UNBOUNDED",
    "Arg",
    "Flag",
    "Gas",
    "NaPolicy",
    "Op",
    "OutputSpec",
    "Required",
    "Rule",
    "Values",
    "decay",
    "no_bars",
    "parse_args",
]

EPSILON: Final = 1e-10
"""How close a recursive value must be to the one of an infinite history to count as converged."""

UNBOUNDED: Final = inf
"""The horizon of an op whose value depends on where the data starts, and the lead of one that sees all bars."""

Values: TypeAlias = tuple[Const, ...]
"""The values of all arguments of a node: a number where it is known, None for series."""

Rule: TypeAlias = Callable[[Values], float]


class Required(Enum):
    """The default of an argument that has none."""

    REQUIRED = "required"


REQUIRED: Final = Required.REQUIRED


class NaPolicy(StrEnum):
    """What an op does with missing values in its inputs."""

    POINTWISE = "pointwise"
    SEGMENT = "segment"
    """A window that contains na is na: the kernel runs on each segment without na."""
    SKIP = "skip"
    """A bar with na in any input gives na and the state is held: the kernel runs on the bars without na."""
    SHIFT = "shift"
    NONE = "none"


class Flag(StrEnum):
    """Properties of an op that passes and engines ask for."""

    MAY_OVERFLOW = "may_overflow"
    EXACT = "exact"
    LAZY = "lazy"
    BAR = "bar"
    """May stand in a bar region: its value at a bar needs the arguments at that bar only."""
    COMPOSITE = "composite"
    """A function of the language that is expanded into other ops; no program contains it."""
    REDUCTION = "reduction"
    """From all bars to one `run` scalar."""
    SPECIAL = "special"
    """Has no kernel: the engine itself gives its value."""
    CANDLE = "candle"


class Arg(NamedTuple):
    """One argument: what is accepted, at most in which phase, the default, and its column in `indicator.*`."""

    name: str
    kind: str
    """float, int, bool, str, time, or any."""
    phase: Phase
    default: Const | Required = REQUIRED
    low: float | None = None
    high: float | None = None
    column: str = ""
    variadic: bool = False

    @property
    def is_window(self) -> bool:
        """Whether the value is a number of bars, checked again at bind."""
        return self.kind == "int" and self.phase is Phase.PARAM


class OutputSpec(NamedTuple):
    """One output; `difference_of` names two others whose difference it is, for exact comparison with zero."""

    name: str
    kind: str = "float"
    difference_of: tuple[str, str] | None = None


class Gas(NamedTuple):
    """Nominal nanoseconds: `call + (bar + per_window * w) * n`, w being the sum of the windows."""

    call: int = 400
    bar: float = 0.6
    per_window: float = 0.0


_DEFAULT_GAS: Final = Gas()


def no_bars(_values: Values) -> float:
    """Return 0: the rule of ops that need the bar itself only."""
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """An operation; `name` is what nodes say, `names` what sources say, `kernel` what the kernel registry says."""

    id: int
    name: str
    args: tuple[Arg, ...] = ()
    outputs: tuple[OutputSpec, ...] = (OutputSpec("value"),)
    result: str = "float"
    """float, bool, time, str, record; num (int if all arguments are int scalars), same (kind of the arguments),
    declared (in the immediates)."""
    kernel: str = ""
    names: tuple[str, ...] = ()
    imm: int = 0
    lead: Rule = no_bars
    first: Rule = no_bars
    horizon: Rule | None = None
    """What the op adds to the bars after which the start of the data no longer matters; `first` when None."""
    gas: Gas = _DEFAULT_GAS
    na: NaPolicy = NaPolicy.POINTWISE
    flags: frozenset[Flag] = field(default_factory=frozenset)
    doc: str = ""
    doc_ko: str = ""
    example: str = ""
    since: tuple[int, int] = (1, 0)
    deprecated: str = ""

    def has(self, flag: Flag) -> bool:
        """Say whether the op has the flag."""
        return flag in self.flags

    @property
    def signature(self) -> str:
        """The call as an author would write it."""
        parts = [_written(arg) for arg in self.args]
        return f"{(self.names or (self.name,))[0]}({', '.join(parts)})"

    def output_index(self, name: str) -> int:
        """Return the place of an output; -1 when there is none of that name."""
        return next((i for i, output in enumerate(self.outputs) if output.name == name), -1)


def _written(arg: Arg) -> str:
    star = "*" if arg.variadic else ""
    return star + (arg.name if arg.default is REQUIRED else f"{arg.name}={arg.default!r}")


def decay(alpha: float) -> int:
    """Return after how many steps a start value has faded to EPSILON in `prev + alpha * (x - prev)`."""
    if alpha >= 1:
        return 1
    if alpha <= 0:
        return 0
    return ceil(min(log(EPSILON) / log1p(-alpha), 2.0**53))  # from there on as good as never


_LETTERS: dict[str, tuple[str, Phase, float | None, float | None]] = {
    "f": ("float", Phase.SERIES, None, None),
    "b": ("bool", Phase.SERIES, None, None),
    "t": ("time", Phase.SERIES, None, None),
    "e": ("any", Phase.SERIES, None, None),
    "s": ("str", Phase.SERIES, None, None),
    "F": ("float", Phase.PARAM, None, None),
    "I": ("int", Phase.PARAM, None, None),
    "W": ("int", Phase.PARAM, 1, LIMITS.window),
    "K": ("int", Phase.PARAM, 0, LIMITS.window),
    "B": ("bool", Phase.PARAM, None, None),
    "P": ("any", Phase.PARAM, None, None),
    "S": ("str", Phase.CONST, None, None),
    "C": ("int", Phase.CONST, None, None),
    "R": ("any", Phase.RUN, None, None),
}


def parse_args(text: str) -> tuple[Arg, ...]:
    """
    Read a signature such as `high@high, x, window:W2=14, ratio:F(0,1)=0.5, *rest:b`.

    A letter gives kind and phase (none: a float series or scalar), a number after W or K the minimum, parentheses a
    range, `@` the column that `indicator.*` fills in, `=` a default.
    """
    return tuple(_arg(part) for part in _split(text))


def _split(text: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += char
    return [part for part in [*parts, current.strip()] if part]


def _arg(part: str) -> Arg:
    head, _, default = part.partition("=")
    head, _, column = head.partition("@")
    name, _, letter = head.partition(":")
    variadic = name.startswith("*")
    kind, phase, low, high = _LETTERS[(letter or "f")[0]]
    rest = letter[1:]
    if rest.startswith("("):
        bounds = rest.strip("()").split(",")
        low, high = (float(bound) if bound.strip() else None for bound in bounds)
    elif rest:
        low = int(rest)
    value = _default(default.strip()) if default else REQUIRED
    return Arg(name.strip("* "), kind, phase, value, low, high, column.strip(), variadic)


def _default(text: str) -> Const:
    words: dict[str, Const] = {"None": None, "True": True, "False": False}
    if text in words:
        return words[text]
    if text.startswith("'"):
        return text.strip("'")
    return float(text) if "." in text or "e" in text else int(text)
