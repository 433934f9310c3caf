"""Parameters meet their declarations: everything a caller passes is checked, and nothing reaches a namespace."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mysingle.dsl.errors import DSLParameterError
from mysingle.dsl.ir.kinds import Const, Kind
from mysingle.dsl.ir.program import ParamSpec, Program
from mysingle.dsl.limits import LIMITS

__all__ = ["Binder", "bind", "columns_wanted"]

_REMEMBERED: Final = 1_024


def bind(program: Program, params: Mapping[str, Any] | None, *, is_lenient: bool = False) -> dict[str, Const]:
    """
    Give the value of every parameter.

    Args:
        program: a verified program.
        params: what the caller passes.
        is_lenient: ignore unknown names, as older callers expect.

    Raises:
        DSLParameterError: a required one is missing, an unknown one given, or a value refused.
    """
    return Binder(program).bind(params, is_lenient=is_lenient)


class Binder:
    """Binds the parameters of one program, often: what was checked once is not checked again."""

    def __init__(self, program: Program) -> None:
        self._specs = {spec.name: spec for spec in program.params}
        self._checked: dict[tuple[str, type, Any], Const] = {}

    def bind(self, params: Mapping[str, Any] | None, *, is_lenient: bool = False) -> dict[str, Const]:
        """Give the value of every parameter; raises what the function `bind` raises."""
        given = dict(params or {})
        unknown = sorted(given.keys() - self._specs.keys())
        if unknown and not is_lenient:
            known = ", ".join(self._specs) or "none"
            raise DSLParameterError(f"Unknown parameter {unknown[0]!r}; this strategy has: {known}")
        return {name: self._value(spec, given) for name, spec in self._specs.items()}

    def _value(self, spec: ParamSpec, given: Mapping[str, Any]) -> Const:
        value = given.get(spec.name)
        if type(value) is not int and type(value) is not float:
            return _value(spec, given)
        key = spec.name, type(value), value
        if key not in self._checked:
            if len(self._checked) >= _REMEMBERED:
                self._checked.clear()
            self._checked[key] = _value(spec, given)
        return self._checked[key]


def columns_wanted(program: Program, params: Mapping[str, Any] | None, columns: Sequence[str]) -> tuple[str, ...]:
    """Give the bare names that the caller does not pass and the data has: the program must be compiled with them."""
    given = set(params or {})
    return tuple(
        spec.name for spec in program.params if spec.implicit and spec.name not in given and spec.name in columns
    )


def _value(spec: ParamSpec, given: Mapping[str, Any]) -> Const:
    if spec.name not in given:
        if spec.required:
            raise DSLParameterError(f"Parameter {spec.name!r} is required: pass it, or give it a default")
        return spec.default
    value = given[spec.name]
    if value is None:
        if spec.nullable or (not spec.required and spec.default is None):
            return None
        raise DSLParameterError(f"Parameter {spec.name!r} must not be None")
    return _checked(spec, _plain(spec, value))


def _plain(spec: ParamSpec, value: Any) -> float | int | bool | str:
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()  # a number of numpy
    if isinstance(value, bool):
        if spec.kind is Kind.BOOL or spec.implicit:
            return value
        raise _wrong(spec, value)
    if isinstance(value, int | float):
        return _number(spec, value)
    if isinstance(value, str) and spec.kind is Kind.STR and len(value) <= LIMITS.string:
        return value
    raise _wrong(spec, value)


def _number(spec: ParamSpec, value: float) -> float | int:
    is_known = abs(value) <= LIMITS.integer if isinstance(value, int) else math.isfinite(value)
    if not is_known:  # an int may be too large to become a float, so it is compared and never converted
        raise DSLParameterError(f"Parameter {spec.name!r} must be a finite number")
    if spec.kind is Kind.FLOAT:
        return value if spec.implicit else float(value)
    if spec.kind is Kind.INT and float(value).is_integer():
        return int(value)
    raise _wrong(spec, value)


def _wrong(spec: ParamSpec, value: Any) -> DSLParameterError:
    return DSLParameterError(f"Parameter {spec.name!r} must be {spec.kind.value}, got {type(value).__name__}")


def _checked(spec: ParamSpec, value: Any) -> Const:
    if spec.options and value not in spec.options:
        raise DSLParameterError(f"Parameter {spec.name!r} must be one of {list(spec.options)}")
    if isinstance(value, bool | str):
        return value
    low, high = spec.minimum, spec.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise DSLParameterError(f"Parameter {spec.name!r} must be between {low} and {high}, got {value}")
    if spec.step and not _on_grid(value - (low or 0), spec.step):
        raise DSLParameterError(
            f"Parameter {spec.name!r} must be a multiple of {spec.step} from {low or 0}, got {value}"
        )
    return value  # type: ignore[no-any-return]  # narrowed to a number above


def _on_grid(distance: float, step: float) -> bool:
    steps = distance / step
    return abs(steps - round(steps)) <= 1e-9 * max(abs(steps), 1.0)
