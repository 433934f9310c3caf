"""What a source declares, and what kind of value an expression has: enough to know what may follow a dot."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from mysingle.dsl.ir.kinds import Phase
from mysingle.dsl.ir.row import Arg
from mysingle.dsl.lang.tables import NAMESPACES, OHLCV
from mysingle.dsl.lsp.catalog import Entry, globals_of_the_language, members, methods
from mysingle.dsl.lsp.tokens import Segment, Token, chain_before

__all__ = ["Scope", "Shape", "read_scope"]

_WINDOWS: Final = frozenset({"rolling", "ewm", "expanding"})


class Shape(NamedTuple):
    """What stands before a dot: a namespace, a series, a window, a timeframe, or a record with its fields."""

    kind: str
    fields: tuple[str, ...] = ()
    name: str = ""


_SERIES: Final = Shape("series")


class Scope:
    """The names of one source, with what each of them is."""

    def __init__(self, columns: Sequence[str] = ()) -> None:
        self.entries: dict[str, Entry] = {
            name: Entry(name, "column", None, "A column of the data.", "데이터의 열.") for name in columns
        }
        self.shapes: dict[str, Shape] = {}

    def declare(self, entry: Entry, shape: Shape) -> None:
        """Add a name, or say anew what it is."""
        if entry.name not in self.entries:
            self.entries[entry.name] = entry
        self.shapes[entry.name] = shape

    def shape_of(self, segments: Sequence[Segment]) -> Shape:
        """Say what an expression is."""
        if not segments:
            return _SERIES
        shape = self._first(segments[0])
        for segment in segments[1:]:
            shape = _step(shape, segment)
        return shape

    def _first(self, segment: Segment) -> Shape:
        name = segment.name
        if segment.is_indexed:
            return _SERIES
        if name in self.shapes and not segment.is_called:
            return self.shapes[name]
        if name in NAMESPACES and not segment.is_called and name not in self.entries:
            return Shape("namespace", name=name)
        if name == "timeframe" and segment.is_called:
            return Shape("timeframe")
        return _result(globals_of_the_language().get(name)) if segment.is_called else _SERIES

    def find(self, segments: Sequence[Segment]) -> Entry | None:
        """Return what is known of the last name of an expression."""
        name = segments[-1].name if segments else ""
        if len(segments) == 1:
            return self.entries.get(name) or globals_of_the_language().get(name)
        return self.following(self.shape_of(segments[:-1])).get(name)

    def following(self, shape: Shape) -> Mapping[str, Entry]:
        """Return what may stand behind the dot of a value."""
        if shape.kind == "record":
            return {name: Entry(name, "field") for name in shape.fields}
        if shape.kind == "indicator":
            names = {name: globals_of_the_language()[name] for name in OHLCV}
            return {**names, "apply": Entry("apply", "function", (Arg("series", "float", Phase.SERIES),))}
        if shape.kind == "namespace":
            found = members(shape.name)
            extra = {name: entry for name, entry in self.entries.items() if entry.kind == "column"}
            return {**found, **extra} if shape.name in {"data", "input"} else found
        return methods(shape.kind)


def _result(entry: Entry | None) -> Shape:
    fields = tuple(name for name in entry.outputs if name.isidentifier()) if entry else ()
    return Shape("record", fields) if fields else _SERIES


def _step(shape: Shape, segment: Segment) -> Shape:
    """Say what `value.name` or `value.name(...)` is."""
    name = segment.name
    if segment.is_indexed:
        return _SERIES
    if shape.kind == "namespace":
        if shape.name == "indicator" and not segment.is_called:
            return Shape("indicator", name=name)
        return _result(members(shape.name).get(name)) if segment.is_called else _SERIES
    if shape.kind == "indicator" and segment.is_called:
        return _result(members("indicator").get(shape.name))
    return Shape(name) if shape.kind == "series" and name in _WINDOWS and segment.is_called else _SERIES


def read_scope(tokens: list[Token], columns: Sequence[str] = ()) -> Scope:
    """Read what a source declares: assignments, functions with their arguments, loops and the table of parameters."""
    scope = Scope(columns)
    code = [token for token in tokens if token.kind != "comment"]
    table = ""
    for first, last in _statements(code):
        words = code[first:last]
        if words[0].text == "@" and len(words) > 1:
            table = words[1].text
        elif table == "params" and len(words) > 1 and words[1].text == ":":
            scope.declare(Entry(words[0].text, "parameter", None, "A parameter.", "파라미터."), _SERIES)
        elif table != "metadata":
            _statement(scope, words)
    return scope


def _statements(code: list[Token]) -> Iterator[tuple[int, int]]:
    """Give the first and the last index of each logical line."""
    first = depth = 0
    for at, token in enumerate(code):
        if token.kind == "mark":
            depth = max(depth + (token.text in "([{") - (token.text in ")]}"), 0)
        if token.kind == "newline" and (depth == 0 or _begins_anew(code, at)):
            if at > first:
                yield first, at
            first, depth = at + 1, 0
    if len(code) > first:
        yield first, len(code)


def _begins_anew(code: list[Token], at: int) -> bool:
    """Say whether the next line is a statement although a bracket is open: a broken line ends with its own."""
    return at + 2 < len(code) and code[at + 1].kind == "name" and code[at + 2].text == "="


def _statement(scope: Scope, words: list[Token]) -> None:
    head = words[0].text
    if head == "def" and len(words) > 1:
        _function(scope, words)
    elif head == "for":
        stop = next((at for at, word in enumerate(words) if word.text == "in"), len(words))
        _targets(scope, words[1:stop], _SERIES)
    else:
        words = words[1:] if head == "var" else words
        at = next((at for at, word in enumerate(words) if word.text == "="), 0)
        if at and words[0].kind == "name":
            _assignment(scope, words, at)


def _assignment(scope: Scope, words: list[Token], at: int) -> None:
    names = words[:at]
    if any(word.text in "([{.:" for word in names if word.kind == "mark" and word.text != ":"):
        return
    segments, start = chain_before(words, len(words))
    is_whole = start == at + 1
    shape = scope.shape_of(segments) if is_whole else _SERIES
    if is_whole and len(segments) > 1 and segments[0].name == "param":
        scope.declare(Entry(names[0].text, "parameter", None, "A parameter.", "파라미터."), _SERIES)
        return
    _targets(scope, names, shape)


def _targets(scope: Scope, words: list[Token], shape: Shape) -> None:
    for word in words:
        if word.kind == "name":
            scope.declare(Entry(word.text, "variable", None, "A variable of this strategy.", "이 전략의 변수."), shape)


def _function(scope: Scope, words: list[Token]) -> None:
    inner = [word for at, word in enumerate(words) if at > 2 and word.kind == "name" and words[at - 1].text in "(,"]
    args = tuple(Arg(word.text, "any", Phase.SERIES) for word in inner)
    doc = "A function of this strategy."
    scope.declare(Entry(words[1].text, "function", args, doc, "이 전략의 함수."), _SERIES)
    for word in inner:
        scope.declare(Entry(word.text, "variable", None, "An argument.", "인자."), _SERIES)
