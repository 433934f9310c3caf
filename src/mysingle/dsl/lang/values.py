"""What an expression is while the program is compiled: a node of the program, or something that exists only here."""

from typing import NamedTuple, TypeAlias

from mysingle.dsl.ir.kinds import Const
from mysingle.dsl.lang import nodes as n
from mysingle.dsl.lang.source import Span

__all__ = [
    "BarVariable", "Builtin", "CallSite", "DictValue", "Ewm", "Expanding", "Fill", "Frame", "ListValue", "Located",
    "Namespace", "Record", "Ref", "Rolling", "Timeframe", "UserFunction", "Value", "count_members",
]  # fmt: skip


class Ref(NamedTuple):
    """A node: a scalar or a series."""

    node: int


class Record(NamedTuple):
    """Named outputs of one function; `truth` is the node of what it is as a condition, -1 when it is none."""

    fields: "dict[str, Value]"
    truth: int = -1


class ListValue(NamedTuple):
    """A list or tuple; it exists at compile time only."""

    items: "tuple[Value, ...]"
    is_tuple: bool = False


class DictValue(NamedTuple):
    """A dict with constant keys."""

    entries: "dict[Const, Value]"


class Frame(NamedTuple):
    """`pd.DataFrame({...})`: a result of several columns."""

    fields: "dict[str, Value]"


class Namespace(NamedTuple):
    """A table of names, such as `data`, `np`, `indicator.rsi`."""

    name: str


class Builtin(NamedTuple):
    """A function of the language, with the value it is a method of."""

    key: str
    receiver: "Value | None" = None


class UserFunction(NamedTuple):
    """A `def` with its evaluated defaults."""

    node: n.Function
    defaults: "tuple[Value | None, ...]"


class Rolling(NamedTuple):
    """`series.rolling(window)`."""

    series: int
    window: int
    min_periods: int


class Ewm(NamedTuple):
    """`series.ewm(...)`."""

    series: int
    alpha: int
    adjust: int
    min_periods: int
    ignore_na: int


class Expanding(NamedTuple):
    """`series.expanding()`."""

    series: int
    min_periods: int


class Located(NamedTuple):
    """`series.iloc`."""

    series: "Value"
    name: str


class BarVariable(NamedTuple):
    """The variable of a bar loop, less a constant."""

    back: int


class Fill(NamedTuple):
    """`[value] * len(data)`."""

    value: "Value"


class Timeframe(NamedTuple):
    """`timeframe("1D")`."""

    grid: int


Value: TypeAlias = (
    Ref | Record | ListValue | DictValue | Frame | Namespace | Builtin | UserFunction | Rolling | Ewm | Expanding
    | Located | BarVariable | Fill | Timeframe
)  # fmt: skip


def count_members(value: Value, most: int) -> int:
    """Return how many values a collection holds, those of its collections included; it stops beyond `most`."""
    count, stack = 0, [value]
    while stack and count <= most:
        found = stack.pop()
        if isinstance(found, ListValue):
            inner = found.items
        elif isinstance(found, DictValue):
            inner = tuple(found.entries.values())
        else:
            continue
        count += len(inner)
        stack += [item for item in inner if isinstance(item, ListValue | DictValue)]
    return count


class CallSite(NamedTuple):
    """One call, its arguments evaluated."""

    key: str
    receiver: Value | None
    args: tuple[Value, ...]
    keywords: dict[str, Value]
    span: Span
    places: tuple[Span, ...]
    keyword_places: dict[str, Span]
