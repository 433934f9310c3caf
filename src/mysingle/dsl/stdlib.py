"""The functions of the language on the Series of a host: each call is a one-line strategy, so both always agree."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from mysingle.dsl import api
from mysingle.dsl.errors import DSLDataError
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.lang.tables import FUNCTION_NAMES

__all__ = ["call_function", "get_stdlib_functions"]


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


def get_stdlib_functions() -> Mapping[str, Callable[..., Any]]:
    """Return every function of the language by name, callable with Series."""
    return MappingProxyType({name: _function(name, row) for name, row in FUNCTION_NAMES.items()})


def _function(name: str, row: str) -> Callable[..., Any]:
    def function(*args: Any, **keywords: Any) -> Any:
        return call_function(name, *args, **keywords)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{OPS[row].signature}: {OPS[row].doc}"
    return function
