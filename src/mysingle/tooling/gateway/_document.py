"""A YAML or JSON file as plain values that remember their lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import yaml

from mysingle.tooling.gateway.errors import GatewayFileError

__all__ = ["Document", "Place", "Value", "dump", "read_document", "spelled"]

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Place: TypeAlias = "tuple[str | int, ...]"
"""The way to a value: names of members and indexes of items."""

_MAX_BYTES = 4_000_000
_MAX_VALUES = 200_000
_MAX_DEPTH = 60
_MAX_MERGES = 50
_MAX_MEMBERS = 5_000
_MAX_NUMBER = 64
_MERGE = "tag:yaml.org,2002:merge"
_NUMBERS = frozenset({"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file that was read: its value, the line of every value by its path, and its text for the comments."""

    file: Path
    value: Value
    lines: dict[Place, int]
    text: str

    def line(self, path: Place) -> int | None:
        """Return the line of a value, or of the nearest value around it."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path)

    def error(self, path: Place, what: str) -> GatewayFileError:
        """Return the error that says what is wrong at a place."""
        place = f"{spelled(path)}: " if path else ""
        return GatewayFileError(self.file, self.line(path), f"{place}{what}")


def spelled(path: Place) -> str:
    """Return a path as people write it: `services[0].routes[1].name`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def read_document(file: Path) -> Document:
    """
    Read a YAML file, or a JSON file, which is YAML too.

    Raises:
        GatewayFileError: the file is not there, not text, not YAML, too large, or has a member twice.
    """
    text = _read(file)
    try:
        value, lines = _parse(file, text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark is not None else None
        raise GatewayFileError(file, line, f"this is not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise GatewayFileError(file, None, "this is not YAML that can be read") from error
    return Document(file=file, value=value, lines=lines, text=text)


def _parse(file: Path, text: str) -> tuple[Value, dict[Place, int]]:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        builder = _Builder(file, loader)
        return builder.value(node, ()) if node is not None else None, builder.lines
    finally:
        loader.dispose()


def _read(file: Path) -> str:
    try:
        with file.open("rb") as source:
            raw = source.read(_MAX_BYTES + 1)
        text = raw.decode("utf-8")
    except OSError as error:
        raise GatewayFileError(file, None, f"the file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise GatewayFileError(file, None, "the file is not UTF-8 text") from error
    if len(raw) > _MAX_BYTES:
        raise GatewayFileError(file, None, f"the file is larger than {_MAX_BYTES} bytes")
    return text


class _Loader(yaml.SafeLoader):
    """Merges mappings (`<<`) within bounds: merges of merges grow by powers."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        merged = [value for name, value in node.value if name.tag == _MERGE]
        if sum(len(value.value) if isinstance(value, yaml.SequenceNode) else 1 for value in merged) > _MAX_MERGES:
            raise _too_much(node)
        super().flatten_mapping(node)
        if merged and len(node.value) > _MAX_MEMBERS:
            raise _too_much(node)


def _too_much(node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem="too much is merged here", problem_mark=node.start_mark)


class _Builder:
    """Makes values from nodes; aliases are expanded, so the number of values is bounded."""

    def __init__(self, file: Path, loader: _Loader) -> None:
        self.lines: dict[Place, int] = {}
        self._visited = 0
        self._file = file
        self._loader = loader

    def value(self, node: yaml.Node, path: Place) -> Value:
        self.lines[path] = node.start_mark.line + 1
        self._visited += 1  # not the lines: what is merged has the same path again
        if self._visited > _MAX_VALUES or len(path) > _MAX_DEPTH:
            raise GatewayFileError(self._file, self.lines[path], "the file has too many values, or nests too deeply")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if node.tag in _NUMBERS and len(node.value) > _MAX_NUMBER:  # a number to the base of 60 takes squared time
            raise GatewayFileError(self._file, self.lines[path], "this number is too long")
        scalar = self._loader.construct_object(node)
        return scalar if isinstance(scalar, str | bool | int | float | None) else str(node.value)

    def _mapping(self, node: yaml.MappingNode, path: Place) -> Value:
        for name in _repeated(node):
            line = name.start_mark.line + 1
            raise GatewayFileError(self._file, line, f"{name.value!r} stands here twice; keep one of them")
        self._loader.flatten_mapping(node)
        made: dict[str, Value] = {}
        for name, item in node.value:
            key = str(name.value)
            made[key] = self.value(item, (*path, key))
            self.lines[(*path, key)] = name.start_mark.line + 1
        return made


def _repeated(node: yaml.MappingNode) -> Iterator[yaml.Node]:
    seen: set[str] = set()
    for name, _ in node.value:
        if str(name.value) in seen and name.tag != _MERGE:
            yield name
        seen.add(str(name.value))


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, lists inside their parent, and no aliases."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def dump(value: object) -> str:
    """Return a value as YAML that people can read."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
