"""Which parameters a sweep tries: ranges and lists as people write them, with conditions, all of them or some."""

import operator
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from math import prod
from typing import Any, Final, NamedTuple

from mysingle.dsl.errors import DSLParameterError
from mysingle.dsl.lang.params import literal_of

__all__ = ["COMBINATIONS", "Condition", "choose", "read_condition", "read_space"]

COMBINATIONS: Final = 100_000
"""How many combinations one sweep takes."""

_DRAWN: Final = 20
_NUMBER: Final = re.compile(r"[+-]?\d{1,15}(\.\d{0,15})?([eE][+-]?\d{1,2})?")
_INTEGER: Final = re.compile(r"[+-]?\d{1,15}")
_CONDITION: Final = re.compile(r"\s*(\w+)\s*(<=|>=|==|!=|<|>)\s*([\w.+-]+)\s*")
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip

Space = Mapping[str, Sequence[Any]]


class Condition(NamedTuple):
    """A comparison of a parameter with another one, or with a number."""

    left: str
    sign: str
    right: Any

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Compare the values of one combination."""
        left, right = values[self.left], values[self.right] if isinstance(self.right, str) else self.right
        try:
            return _COMPARE[self.sign](left, right)
        except TypeError:
            raise DSLParameterError(f"--where: {left!r} {self.sign} {right!r} cannot be compared") from None


def read_space(given: Sequence[str]) -> dict[str, list[Any]]:
    """
    Read `name=from:to:step`, whose end belongs to it, `name=a,b,c` and `name=a`.

    Raises:
        DSLParameterError: another form, a name twice, or more values than a sweep takes.
    """
    space: dict[str, list[Any]] = {}
    for text in given:
        name, equals, values = text.partition("=")
        if not equals or not name.isidentifier() or not values:
            raise DSLParameterError(f"--param {text}: write NAME=FROM:TO:STEP or NAME=VALUE,VALUE")
        if name in space:
            raise DSLParameterError(f"--param {text}: {name} is there twice")
        space[name] = _range(text, values.split(":")) if ":" in values else [_value(item) for item in values.split(",")]
    return space


def read_condition(text: str, names: Sequence[str]) -> Condition:
    """
    Read a condition such as `fast<slow`.

    Raises:
        DSLParameterError: another form, or the name of something that is not swept.
    """
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise DSLParameterError(f"--where {text}: write NAME<NAME or NAME<NUMBER, with <, <=, >, >=, == or !=")
    left, sign, right = found.groups()
    number = _value(right)
    if left not in names or (right not in names and isinstance(number, str)):
        raise DSLParameterError(f"--where {text}: it may name the parameters that are given: {', '.join(names)}")
    return Condition(left, sign, right if right in names else number)


def choose(
    space: Space, conditions: Sequence[Condition] = (), *, count: int | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    """
    Return the combinations of a grid that meet all conditions, or `count` of them at random, each at most once.

    Raises:
        DSLParameterError: none is left, or more than a sweep takes.
    """
    total = prod(len(values) for values in space.values())
    wanted = total if count is None else min(count, total)
    if wanted > COMBINATIONS:
        raise DSLParameterError(
            f"{wanted:,} combinations are more than the {COMBINATIONS:,} of one sweep: "
            "take larger steps, or some of them with --random"
        )
    if count is None:
        places: Sequence[int] = range(total)
    else:
        drawn = min(total, max(wanted * _DRAWN if conditions else wanted, 1))
        places = random.Random(seed).sample(range(total), drawn)  # noqa: S311  # a choice that can be repeated
    found = list(_meeting(space, conditions, places, wanted))
    if not found:
        raise DSLParameterError("no combination meets the conditions of --where")
    return found


def _meeting(
    space: Space, conditions: Sequence[Condition], places: Sequence[int], wanted: int
) -> Iterator[dict[str, Any]]:
    given = 0
    for place in places:
        values = _at(space, place)
        if all(condition.holds(values) for condition in conditions):
            yield values
            given += 1
            if given == wanted:
                return


def _at(space: Space, place: int) -> dict[str, Any]:
    """Return the combination of a number, the last parameter changing first."""
    values: dict[str, Any] = {}
    for name in reversed(list(space)):
        place, at = divmod(place, len(space[name]))
        values[name] = space[name][at]
    return {name: values[name] for name in space}


def _range(text: str, parts: Sequence[str]) -> list[Any]:
    count = 0
    if len(parts) <= 3 and all(_NUMBER.fullmatch(part) for part in parts):
        first, last, step = (Decimal(part) for part in (*parts, "1")[:3])
        count = int((last - first) / step) + 1 if step > 0 and last >= first else 0
    if count < 1:
        raise DSLParameterError(f"--param {text}: write FROM:TO:STEP with FROM up to TO and a STEP above 0")
    if count > COMBINATIONS:
        raise DSLParameterError(f"--param {text}: {count:,} values are more than the {COMBINATIONS:,} of one sweep")
    is_whole = all(_INTEGER.fullmatch(part) for part in parts)
    return [int(first + step * at) if is_whole else float(first + step * at) for at in range(count)]


def _value(text: str) -> Any:
    try:
        return literal_of(text.strip())
    except ValueError:
        return text
