"""Texts with holes: joined, formatted with `%`, filled by `format`."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from mysingle.tooling.check._values import Hole, Text

__all__ = ["filled", "joined", "percent"]

_Replacement: TypeAlias = Callable[[int, str], Text | None]

_PERCENT = re.compile(r"%(?:\((\w+)\))?[-+ #0]*\d*(?:\.\d+)?[sdrfi]")
_LONGEST = 10_000
_FIELD = re.compile(r"\{(\w*)[^{}]*\}")


def joined(parts: Iterable[Text | None]) -> Text:
    """Put texts one behind the other; of a text that doubles itself again and again, the beginning."""
    result: list[str | Hole] = []
    length = 0
    for part in parts:
        for piece in part.parts if part is not None else (Hole(""),):
            length += len(piece) if isinstance(piece, str) else 1
            if length > _LONGEST:
                return Text((*result, Hole("")))
            if isinstance(piece, str) and result and isinstance(result[-1], str):
                result[-1] += piece
            else:
                result.append(piece)
    return Text(tuple(result))


def percent(text: Text, given: Sequence[Text | None], named: Mapping[str, Text | None]) -> Text:
    """Return `text % given`, or `text % named`."""

    def field(index: int, name: str) -> Text | None:
        if name:
            return named.get(name) or Text((Hole(name),))
        return given[index] if index < len(given) else None

    return _replaced(text, _PERCENT, field)


def filled(text: Text, given: Sequence[Text | None], named: Mapping[str, Text | None]) -> Text:
    """Return `text.format(*given, **named)`."""

    def field(index: int, name: str) -> Text | None:
        position = int(name) if name.isdigit() else index
        if name and not name.isdigit():
            return named.get(name) or Text((Hole(name),))
        return given[position] if position < len(given) else None

    return _replaced(text, _FIELD, field)


def _replaced(text: Text, pattern: re.Pattern[str], value: _Replacement) -> Text:
    return joined(_pieces(text, pattern, value))


def _pieces(text: Text, pattern: re.Pattern[str], value: _Replacement) -> Iterator[Text | None]:
    index = 0
    for part in text.parts:
        if isinstance(part, Hole):
            yield Text((part,))
            continue
        end = 0
        for match in pattern.finditer(part):
            yield Text((part[end : match.start()],))
            yield value(index, match[1] or "" if match.lastindex else "")
            end = match.end()
            index += 1
        yield Text((part[end:],))
