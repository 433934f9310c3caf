"""TA-Lib's functions, guarded against missing values, on columns and as streams with the same bits."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from types import ModuleType
from typing import Any, Final

import numpy as np

from mysingle.dsl.errors import DSLExecutionError
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.kernels.cells import Cell, Holding, Restarting
from mysingle.dsl.kernels.floats import NA, Array, Charge, Floats, Known, clean_from, first_present, free, look
from mysingle.dsl.kernels.missing import Policy, guarded
from mysingle.dsl.kernels.reference.table import REFERENCES

__all__ = [
    "LibraryCall",
    "assert_settings",
    "by_reference",
    "call_talib",
    "has_talib",
    "look_back",
    "policy_of",
    "talib_cell",
    "version",
]

_RECURSIVE: Final = frozenset(
    """
    AD ADOSC ADX ADXR APO ATR CMO CUMSUM CVI DEMA DX EFI EMA ERI HA HT_DCPERIOD HT_DCPHASE HT_PHASOR HT_SINE
    HT_TRENDLINE HT_TRENDMODE KAMA KC KDJ MACD MACDFIX MAMA MASSI MINUS_DI MINUS_DM NATR NVI OBV PLUS_DI PLUS_DM PPO
    PVI PVO PVT RMA RSI RVI SAR SAREXT SMI STOCHRSI SUPERTREND T3 TEMA TRIX TSI VWAP WAD ZLEMA
    """.split()  # noqa: SIM905  # a list of sixty words, one line each, hides what is in it
)
# Their kind follows the moving average that an argument chooses: position of each `matype` among the numbers.
_BY_AVERAGE: Final = {
    "MA": (1,), "MACDEXT": (1, 3, 5), "BBANDS": (3,), "STOCH": (2, 4), "STOCHF": (2,), "MAVP": (2,),
}  # fmt: skip
_WINDOW_AVERAGES: Final = frozenset({0, 2, 5})
_POSITIONS: Final = frozenset({"MAXINDEX", "MININDEX", "MINMAXINDEX"})
_UNSTABLE: Final = """
    ADX ATR CMO DX EMA HA HT_DCPERIOD HT_DCPHASE HT_PHASOR HT_SINE HT_TRENDLINE HT_TRENDMODE KAMA MAMA MINUS_DI
    MINUS_DM NATR PLUS_DI PLUS_DM RMA RSI RVI T3
    """.split()  # noqa: SIM905  # as above


# From finite values these give finite ones: for the size of the largest input, how large a result can be.
_TAME: Final[Mapping[str, Callable[[float, Sequence[float]], float]]] = {
    **dict.fromkeys(("SMA", "EMA", "RMA", "WMA", "MAX", "MIN"), lambda size, _: 2.0 * size),
    "SUM": lambda size, numbers: 2.0 * size * (numbers[0] if numbers else 30),
    "ATR": lambda size, _: 3.0 * size,
    "RSI": lambda _, __: 101.0,
    "MACD": lambda size, _: 5.0 * size,
    "STDDEV": lambda size, numbers: 2.0 * size * (1.0 + sum(map(abs, numbers[1:]))),
    "BBANDS": lambda size, numbers: 2.0 * size * (3.0 + sum(map(abs, numbers[1:]))),
}
_TAME_SIZE: Final = 1e100


@cache
def _library() -> ModuleType | None:
    try:
        import talib
        import talib.abstract  # attributes of the package from here on
        import talib.stream
    except ImportError:
        return None
    return talib


def has_talib() -> bool:
    """Tell whether TA-Lib can be imported."""
    return _library() is not None


def version() -> str:
    """Give the version of TA-Lib, for results."""
    library = _library()
    return str(library.__version__) if library else "none"


def assert_settings() -> None:
    """Refuse to compute when another user of TA-Lib in this process changed its global settings."""
    library = _library()
    if library is None:
        return
    if library.get_compatibility() != 0 or any(map(library.get_unstable_period, _UNSTABLE)):
        raise RuntimeError("TA-Lib's global unstable periods and compatibility must be 0")


def _talib() -> Any:
    library = _library()
    if library is None:
        raise DSLExecutionError("This function needs TA-Lib: pip install 'mysingle[dsl]'")
    return library


@cache
def look_back(name: str, *numbers: float) -> int:
    """Give the bars before the first result."""
    if not has_talib():
        row = OPS[name]
        series = (None,) * (len(row.args) - len(numbers))
        return int(row.first((*series, *numbers)))
    function = _talib().abstract.Function(name)
    function.parameters = dict(zip(function.info["parameters"], numbers, strict=False))
    return int(function.lookback)


@cache
def _function(name: str) -> Callable[..., Any]:
    if has_talib():
        # The name is from the kernel table, never from a source; the wrapper looks for DataFrames, which never come.
        wrapper = getattr(_talib()._ta_lib, name)  # noqa: SLF001  # the functions themselves
        found: Callable[..., Any] = getattr(wrapper, "__wrapped__", wrapper)
        return found
    return partial(by_reference, name)


def by_reference(name: str, *args: Any) -> Any:
    """Compute a TA-Lib function by its plain-Python reference, as the library would be called."""
    if name not in REFERENCES:
        raise DSLExecutionError(f"{name} needs TA-Lib: pip install 'mysingle[dsl]'")
    found = REFERENCES[name](*(arg.tolist() if isinstance(arg, np.ndarray) else arg for arg in args))
    if isinstance(found, tuple):
        return tuple(np.array(line, dtype=np.float64) for line in found)
    return np.array(found, dtype=np.float64)


def policy_of(name: str, numbers: Sequence[float]) -> Policy:
    """Tell whether a function forgets: only those with a finite memory may be restarted."""
    if name in _RECURSIVE:
        return Policy.RECURSIVE
    chosen = [int(numbers[at]) for at in _BY_AVERAGE.get(name, ()) if at < len(numbers)]
    return Policy.WINDOW if _WINDOW_AVERAGES.issuperset(chosen) else Policy.RECURSIVE


@cache
def _empty(name: str) -> tuple[float, ...]:
    # Directions and patterns say 0 before they know; everything else is missing.
    whole = name.startswith("CDL") or name in ("HT_TRENDMODE", "FRACTAL")
    return tuple(0.0 if whole or (name == "SUPERTREND" and at == 1) else NA for at in range(len(OPS[name].outputs)))


def call_talib(name: str, arrays: Sequence[Array], numbers: Sequence[float] = (), charge: Charge = free) -> Any:
    """Run a TA-Lib function on whole columns; integer outputs become floats."""
    return LibraryCall(name, numbers).columns(arrays, [look(array) for array in arrays], charge)[0]


class LibraryCall:
    """A TA-Lib function with its numbers, which looks at values only where nothing is known of them."""

    def __init__(self, name: str, numbers: Sequence[float] = ()) -> None:
        self._name, self._numbers = name, tuple(numbers)
        self._function, self._empty = _function(name), _empty(name)
        self._policy = Policy.WINDOW if name in _POSITIONS else policy_of(name, self._numbers)
        is_tame = name != "BBANDS" or self._policy is Policy.WINDOW  # the moving average may be any
        self._size_of = _TAME.get(name) if is_tame else None
        self._lag = 0

    def columns(self, arrays: Sequence[Array], known: Sequence[Known | None], charge: Charge) -> tuple[Any, Any]:
        """Give the result, and what is known of it; both are tuples when there are several outputs."""
        start, largest = 0, 0.0
        for item in known:
            if item is None:
                return self._guarded(arrays, charge)
            start, largest = max(start, item.start), max(largest, item.bound)
        if start >= arrays[0].size or self._name in _POSITIONS:
            return self._guarded(arrays, charge)
        found = self._function(*arrays, *self._numbers)
        is_tuple = isinstance(found, tuple)
        if self._size_of is not None:
            bound = self._size_of(largest, self._numbers)
            if largest < _TAME_SIZE and bound < _TAME_SIZE:
                fact = Known(self._begin(found[0] if is_tuple else found, start), bound)
                return (found, (fact,) * len(found)) if is_tuple else (found, fact)
        if not is_tuple:
            return _examined(found)
        lines = [_examined(line) for line in found]
        return tuple(values for values, _ in lines), tuple(fact for _, fact in lines)

    def _guarded(self, arrays: Sequence[Array], charge: Charge) -> tuple[Any, Any]:
        results = guarded(self._call, arrays, self._policy, self._look_back, self._empty, charge)
        if self._name in _POSITIONS:
            results = _positions(results, arrays[0], self._look_back())
        return (results, (None,) * len(results)) if len(results) > 1 else (results[0], None)

    def _begin(self, values: Array, start: int) -> int:
        """Give the first bar with a value: most likely as far behind the start as the last time."""
        guess = start + self._lag
        if guess < values.size and not math.isnan(values.item(guess)):
            before = values.item(guess - 1) if guess else NA
            if before != before:
                return guess
        begin = first_present(values)
        self._lag = max(begin - start, 0)
        return begin

    def _call(self, parts: Sequence[Array]) -> tuple[Array, ...]:
        found = self._function(*parts, *self._numbers)
        return tuple(_examined(array)[0] for array in (found if isinstance(found, tuple) else (found,)))

    def _look_back(self) -> int:
        return look_back(self._name, *self._numbers)


def _examined(found: Any) -> tuple[Array, Known | None]:
    if found.dtype != np.float64:
        return found.astype(np.float64), None
    known = look(found)
    if known is None:
        found[np.isinf(found)] = np.nan
    return found, known


def _positions(results: tuple[Array, ...], values: Array, known: int) -> tuple[Array, ...]:
    # A restarted window counts from its own first bar; positions are given from the first bar of the data.
    bars = np.arange(values.size, dtype=np.float64)
    start = np.maximum.accumulate(np.where(np.isnan(values), bars + 1.0, 0.0))
    counted = np.zeros(values.size) if clean_from(values) >= 0 else start  # the library itself counts a leading gap
    return tuple(np.where(bars - start < known, np.nan, result + counted) for result in results)


class _Positions:
    """Positions from the first bar of the data, although the window restarts after a gap."""

    def __init__(self, cell: Cell) -> None:
        self._cell, self._bar, self._start = cell, 0, 0

    def step(self, value: float) -> Any:
        """Give the position or positions at this bar."""
        if value != value:
            self._start = self._bar + 1
        found, start = self._cell.step(value), float(self._start)
        self._bar += 1
        return tuple(at + start for at in found) if isinstance(found, tuple) else found + start

    def copy(self) -> "_Positions":
        """Copy the inner cell too."""
        twin = _Positions(self._cell.copy())
        twin._bar, twin._start = self._bar, self._start
        return twin


def _finite(found: Any) -> Any:
    if isinstance(found, tuple):
        return tuple([value if value - value == 0.0 else NA for value in found])
    return found if found - found == 0.0 else NA


class _Handle:
    """A TA-Lib stream: history is kept until it suffices, then one call for each bar."""

    def __init__(self, name: str, numbers: Sequence[float]) -> None:
        self._name, self._numbers = name, tuple(numbers)
        self._need = look_back(name, *numbers) + 1
        self._missing: Floats = _empty(name) if len(_empty(name)) > 1 else _empty(name)[0]
        self._history: list[tuple[float, ...]] | None = []
        self._handle: Any = None

    def step(self, *values: float) -> Any:
        """Give the result of this bar, na while history is too short."""
        if self._history is None:
            return _finite(self._handle.update(*values))
        self._history.append(values)
        if len(self._history) < self._need:
            return self._missing
        columns = [np.array(column) for column in zip(*self._history, strict=True)]
        self._handle = getattr(_talib().stream, self._name)(*columns, *self._numbers)
        self._history = None
        return _finite(self._handle.value)

    def copy(self) -> "_Handle":
        """Copy the C state."""
        twin = _Handle(self._name, self._numbers)
        twin._history = None if self._history is None else list(self._history)
        twin._handle = None if self._handle is None else self._handle.copy()
        return twin


class _Recomputed:
    """The reference over everything so far: correct, and slow."""

    def __init__(self, name: str, numbers: Sequence[float], history: tuple[tuple[float, ...], ...] = ()) -> None:
        self._name, self._numbers, self._history = name, tuple(numbers), history

    def step(self, *values: float) -> Any:
        """Give the result of this bar."""
        self._history = (*self._history, values)
        columns = [np.array(column) for column in zip(*self._history, strict=True)]
        found = by_reference(self._name, *columns, *self._numbers)
        return tuple(float(line[-1]) for line in found) if isinstance(found, tuple) else float(found[-1])

    def copy(self) -> "_Recomputed":
        """Copy the history."""
        return _Recomputed(self._name, self._numbers, self._history)


class _FloatHandle(_Handle):
    """A stream of whole numbers, given as floats."""

    def step(self, *values: float) -> Any:
        """Give the result of this bar as floats."""
        found = super().step(*values)
        return tuple(float(value) for value in found) if isinstance(found, tuple) else float(found)

    def copy(self) -> "_FloatHandle":
        """Copy the C state."""
        twin = super().copy()
        twin.__class__ = _FloatHandle
        return twin  # type: ignore[return-value]  # its class was set above


def talib_cell(name: str, numbers: Sequence[float] = ()) -> Cell:
    """Give the cell of a TA-Lib function: the same bits as `call_talib`, bar by bar."""
    empty = _empty(name)
    missing: Floats = empty if len(empty) > 1 else empty[0]
    whole = name in _POSITIONS or name.startswith("CDL") or name in ("HT_TRENDMODE", "SUPERTREND", "FRACTAL")
    kind: Callable[[str, Sequence[float]], Cell] = _FloatHandle if whole else _Handle
    if not has_talib():
        kind = _Recomputed
    if policy_of(name, numbers) is Policy.RECURSIVE:
        return Holding(kind(name, numbers), missing)
    cell = Restarting(lambda: kind(name, numbers), missing)
    return _Positions(cell) if name in _POSITIONS else cell
