"""The functions of the language on the Series of a host: each call is a one-line strategy, so both always agree."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mysingle.dsl import api
from mysingle.dsl.errors import DSLDataError
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.lang.tables import FUNCTION_NAMES

__all__ = ["call_function", "check_missing_data", "correlation_matrix", "get_stdlib_functions"]


def call_function(name: str, *args: Any, **keywords: Any) -> Any:
    """
    Return what a function of the language gives for Series and numbers: a Series, or a DataFrame of its outputs.

    Raises:
        DSLError: no such function, or arguments that it does not take.
    """
    columns: dict[str, Any] = {}
    parts = [_argument(value, columns) for value in args]
    parts += [f"{key}={_argument(value, columns)}" for key, value in keywords.items()]
    if not columns:
        raise DSLDataError(f"{name}() needs at least one Series")
    program = api.compile(f"result = {name}({', '.join(parts)})", mode="research", columns=columns)
    first, *rest = columns
    table = columns[first].to_frame(first)
    for column in rest:
        table[column] = columns[column]
    return program.run(table, warmup="off").result


def _argument(value: Any, columns: dict[str, Any]) -> str:
    if hasattr(value, "to_frame"):
        known = next((name for name, series in columns.items() if series is value), "")
        name = known or f"input{len(columns)}"
        columns[name] = value
        return name
    if isinstance(value, bool | int | float | str) or value is None:
        return repr(value)
    raise DSLDataError(f"An argument is a Series, number, bool or text, not {type(value).__name__}")


def check_missing_data(data: Any, threshold: float = 0.05) -> dict[str, float]:
    """Return the share of missing values of each column of a DataFrame that has more than `threshold` of them."""
    shares = data.isna().mean()
    return {str(name): float(share) for name, share in shares.items() if share > threshold}


def correlation_matrix(data: Any, columns: Sequence[str] | None = None) -> Any:
    """Return the correlation of every two columns of a DataFrame, over all bars: for hosts, no strategy may do so."""
    return (data if columns is None else data[list(columns)]).corr()


def get_stdlib_functions() -> Mapping[str, Callable[..., Any]]:
    """Return every function of the language by name, callable with Series, and the two that take a DataFrame."""
    functions = {name: _function(name, row) for name, row in FUNCTION_NAMES.items()}
    return MappingProxyType(
        {**functions, "check_missing_data": check_missing_data, "correlation_matrix": correlation_matrix}
    )


def _function(name: str, row: str) -> Callable[..., Any]:
    def function(*args: Any, **keywords: Any) -> Any:
        return call_function(name, *args, **keywords)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{OPS[row].signature}: {OPS[row].doc}"
    return function
