"""Data in, results out: pandas, polars, Arrow or a dict of arrays become read-only columns of float64, and back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from mysingle.dsl.errors import DSLDataError
from mysingle.dsl.kernels.floats import Array, Known, look, strict_floats
from mysingle.dsl.limits import LIMITS

__all__ = ["TIME_NAMES", "Frame", "SeriesByName", "column_names", "read_frame", "write_series", "write_table"]

TIME_NAMES: Final = ("time", "timestamp", "datetime", "date")
Table: TypeAlias = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The columns that a program reads, without inf, and the time of each bar in ms since the epoch (UTC)."""

    columns: Mapping[str, Array]
    size: int
    source: str
    form: type = dict
    """The type of the data: results of a library that is not ours are made by it."""
    index: Any = None
    time: Array | None = None
    interval: float | None = None
    """How long a bar is in ms, when it is not to be read from the distances of the bars."""
    zone: str = "UTC"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    originals: Mapping[str, Any] = field(default_factory=dict)
    known: Mapping[str, Known | None] = field(default_factory=dict)
    """What is known of the columns."""


def column_names(data: Table) -> tuple[str, ...]:
    """Give the names of the columns that are text; others cannot be named by a program."""
    return tuple(name for name in _names(data) if isinstance(name, str))


def _names(data: Table) -> Sequence[Any]:
    if isinstance(data, pd.DataFrame):
        return list(data.columns)
    if isinstance(data, Mapping):
        return list(data)
    for found in (getattr(data, "column_names", None), getattr(data, "columns", None)):  # Arrow, then polars
        if found is not None and all(isinstance(name, str) for name in found):
            return list(found)
    if hasattr(data, "schema"):
        return list(data.schema.names)
    raise DSLDataError(f"Data of type {type(data).__name__} cannot be read: pass a DataFrame or a dict of arrays")


def read_frame(data: Table, needed: Sequence[str]) -> Frame:
    """
    Read the columns a program needs.

    Raises:
        DSLDataError: a column is missing, double or not numeric, lengths differ, or the index is not strictly rising.
    """
    names = _names(data)
    _refuse_names(names, needed)
    warnings: list[str] = []
    raw = {name: _raw(data, name) for name in needed}
    with strict_floats():
        columns = {name: _column(name, values) for name, values in raw.items()}
        known = {name: look(values) for name, values in columns.items()}
        columns |= {name: _without_inf(name, columns[name], warnings) for name in known if known[name] is None}
    size = _size(data, columns)
    time, zone = _time(data, names, size)
    return Frame(
        columns={name: _read_only(values) for name, values in columns.items()},
        known=known,
        size=size,
        source=_source(data),
        form=type(data),
        index=data.index if _is_pandas(data) else None,
        time=time,
        zone=zone,
        attributes=dict(getattr(data, "attrs", None) or {}),
        warnings=tuple(warnings),
        originals=raw,
    )


def _is_pandas(data: Table) -> bool:
    return isinstance(data, pd.DataFrame)


def _source(data: Table) -> str:
    if _is_pandas(data):
        return "pandas"
    if isinstance(data, Mapping):
        return "dict"
    return type(data).__module__.partition(".")[0]


def _refuse_names(names: Sequence[Any], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in names]
    if missing:
        known = ", ".join(str(name) for name in names[:20])
        raise DSLDataError(f"The data has no column {', '.join(map(repr, missing))}; it has: {known}")
    double = [name for name in needed if list(names).count(name) > 1]
    if double:
        raise DSLDataError(f"The data has more than one column {double[0]!r}")


def _raw(data: Table, name: str) -> Any:
    if _is_pandas(data) or isinstance(data, Mapping):
        return data[name]
    column = data[name] if hasattr(data, "get_column") else data.column(name)
    return column.to_numpy()


def _column(name: str, values: Any) -> Array:
    try:
        array = values.to_numpy() if isinstance(values, pd.Series) else np.asarray(values)
    except ValueError:
        raise DSLDataError(f"Column {name!r} must hold one number for each bar") from None
    if isinstance(values, pd.Series) and array.dtype == object and pd.api.types.is_numeric_dtype(values.dtype):
        array = values.to_numpy(dtype=np.float64, na_value=np.nan)  # nullable integers with missing values
    if array.ndim != 1:
        raise DSLDataError(f"Column {name!r} must have one dimension")
    if array.dtype.kind not in "fiub":
        raise DSLDataError(f"Column {name!r} must hold numbers, not {array.dtype}: convert it with astype(float)")
    return np.ascontiguousarray(array, dtype=np.float64)


def _without_inf(name: str, values: Array, warnings: list[str]) -> Array:
    infinite = np.isinf(values)
    if not infinite.any():
        return values
    warnings.append(f"Column {name!r}: {int(infinite.sum())} infinite values count as missing")
    return np.where(infinite, np.nan, values)


def _read_only(values: Array) -> Array:
    view = values.view()
    view.flags.writeable = False
    return view


def _size(data: Table, columns: Mapping[str, Array]) -> int:
    sizes = {name: column.size for name, column in columns.items()}
    if len(set(sizes.values())) > 1:
        raise DSLDataError(f"The columns have different lengths: {sizes}")
    size = next(iter(sizes.values())) if sizes else _rows(data)
    if size > LIMITS.bars:
        raise DSLDataError(f"The data has {size} bars, the limit is {LIMITS.bars}")
    return size


def _rows(data: Table) -> int:
    if isinstance(data, Mapping):
        return len(next(iter(data.values()), ()))
    return int(data.num_rows) if hasattr(data, "num_rows") else len(data)


def _time(data: Table, names: Sequence[Any], size: int) -> tuple[Array | None, str]:
    if _is_pandas(data):
        _refuse_index(data.index)
        if isinstance(data.index, pd.DatetimeIndex):
            return _milliseconds(data.index.to_numpy()), str(data.index.tz or "UTC")
    for name in TIME_NAMES:
        if name in names:
            return _time_column(data, name, size)
    return None, "UTC"


def _time_column(data: Table, name: str, size: int) -> tuple[Array | None, str]:
    raw = _raw(data, name)
    if isinstance(raw, pd.Series):
        zone = str(getattr(raw.dt, "tz", None) or "UTC") if raw.dtype.kind == "M" else "UTC"
        raw = raw.to_numpy()
    else:
        zone = "UTC"
    array = np.asarray(raw)
    if array.size != size or array.dtype.kind not in "Mif":
        return None, "UTC"
    time = _milliseconds(array) if array.dtype.kind == "M" else array.astype(np.float64)
    with np.errstate(invalid="ignore"):
        rises = size < 2 or bool((np.diff(time) > 0).all())
    if not rises:
        raise DSLDataError(f"Column {name!r} must rise from bar to bar, without repetition")
    return time, zone


def _milliseconds(times: Any) -> Array:
    if times.dtype == object:  # a zone keeps pandas from giving datetime64
        times = pd.DatetimeIndex(times).tz_convert("UTC").tz_localize(None).to_numpy()
    return times.astype("datetime64[ms]").astype(np.int64).astype(np.float64)  # type: ignore[no-any-return]  # untyped


def _refuse_index(index: Any) -> None:
    if index.has_duplicates:
        raise DSLDataError("The index has duplicate labels: one row for each bar, please")
    if not index.is_monotonic_increasing:
        raise DSLDataError("The index must rise from bar to bar: sort the data by time")


def write_series(frame: Frame, values: Any, name: str | None = None) -> Any:
    """Give a result in the form of the data; never a view of the caller's memory that could be written."""
    values.flags.writeable = False
    match frame.source:
        case "pandas":
            return pd.Series(values.copy(), index=frame.index, name=name)
        case "dict":
            return values
        case _:
            label = name or "result"
            return write_table(frame, {label: values})[label]


@lru_cache(maxsize=64)
def _labels(names: tuple[str, ...]) -> pd.Index:
    """Make the labels of a table; hand out views of them, which may be named."""
    return pd.Index(list(names))


class SeriesByName(Mapping[str, Any]):
    """Results in the form of the data, each made when it is read for the first time."""

    def __init__(self, frame: Frame, values: Mapping[str, Any]) -> None:
        self._frame, self._values, self._made = frame, values, dict[str, Any]()

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = write_series(self._frame, self._values[name].copy(), name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(dict(self))


def write_table(frame: Frame, columns: Mapping[str, Any]) -> Any:
    """Give several results as a table in the form of the data."""
    match frame.source:
        case "pandas":
            if len({values.dtype for values in columns.values()}) == 1:  # one block is built in a third of the time
                values = np.array(list(columns.values())).T
                return pd.DataFrame(values, index=frame.index, columns=_labels(tuple(columns)).view())
            return pd.DataFrame({name: values.copy() for name, values in columns.items()}, index=frame.index)
        case "dict":
            for values in columns.values():
                values.flags.writeable = False
            return dict(columns)
        case _:
            make: Any = getattr(frame.form, "from_pydict", frame.form)  # Arrow's tables have it, polars' frames do not
            return make(dict(columns))
