"""
A program as text that people read and compare, and back: one line for each node and for each row of a table.

    mslt ["1.0", "standard", "strict", "<sha256 of the source>"]
    %0 = col["close"]() : float series @ 1:14
    %1 = const[20]() : int const @ 1:14
    %2 = SMA(%0, %1) : float series @ 1:10
    output ["result", 2]

What comes back has passed the verifier.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from mysingle.dsl.errors import DSLContainerError
from mysingle.dsl.ir.codec import from_rows, rows_of
from mysingle.dsl.ir.kinds import Kind, Phase
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.ir.program import Program
from mysingle.dsl.limits import LIMITS

__all__ = ["from_text", "to_text"]

_TABLES: Final = (
    "param", "column", "grid", "state", "shape", "output", "guard", "order", "plot", "alert", "name",
)  # fmt: skip
_KINDS: Final = [kind.value for kind in Kind]
_PHASES: Final = [phase.name.lower() for phase in Phase]
_HEAD: Final = re.compile(r"%(\d{1,5}) = ([\w.]{1,64})(?=[\[(])")
_TAIL: Final = re.compile(r"\(([%\d, ]*)\) : (\w+) (\w+)(?: grid (\d{1,5}))? @ (\d{1,9}):(\d{1,9})")
_MOST: Final = 8 * LIMITS.container_bytes


def to_text(program: Program) -> str:
    """Return a program as text; equal programs give equal texts."""
    head = [".".join(map(str, program.lang)), program.profile, program.mode, program.source_sha256]
    lines = [f"mslt {_json(head)}"]
    for index, (node, (line, column)) in enumerate(zip(program.nodes, program.locs, strict=True)):
        constants = _json(list(node.imm)) if node.imm else ""
        args = ", ".join(f"%{arg}" for arg in node.args)
        grid = f" grid {node.grid}" if node.grid else ""
        kind, phase = node.kind.value, node.phase.name.lower()
        lines.append(f"%{index} = {node.op}{constants}({args}) : {kind} {phase}{grid} @ {line}:{column}")
    for name, rows in zip(_TABLES, rows_of(program)[2:], strict=True):
        lines += [f"{name} {_json(_named(name, row))}" for row in ([rows] if name == "shape" else rows)]
    return "\n".join(lines) + "\n"


def from_text(text: str) -> Program:
    """
    Return the verified program of a text.

    Raises:
        DSLContainerError: the text is no program; it names the line that cannot be read.
    """
    if len(text) > _MOST:
        raise DSLContainerError(f"The program has {len(text)} characters, the limit is {_MOST}")
    head: list[Any] = []
    nodes: list[Any] = []
    places: list[int] = []
    tables: dict[str, list[Any]] = {name: [] for name in _TABLES}
    last = 0
    for number, line in enumerate(text.split("\n"), 1):
        try:
            if line.startswith("%"):
                node, (row, column) = _node(line, len(nodes))
                nodes.append(node)
                places += [row - last, column]
                last = row
            elif line.strip():
                name, value = _row(line)
                (head if name == "mslt" else tables[name]).append(value)
        except (IndexError, KeyError, RecursionError, TypeError, ValueError):
            raise DSLContainerError(f"Line {number} of the program cannot be read") from None
    return _program(head, [nodes, places, *_in_order(tables)])


def _program(head: list[Any], rows: list[Any]) -> Program:
    is_right = len(head) == 1 and isinstance(head[0], list) and list(map(type, head[0])) == [str] * 4
    if not is_right or head[0][0] != "1.0":
        raise DSLContainerError("The program begins with: mslt [language, profile, mode, hash of the source]")
    _, profile, mode, source = head[0]
    return from_rows(rows, profile=profile, mode=mode, source_sha256=source)


def _in_order(tables: dict[str, list[Any]]) -> Iterator[Any]:
    for name, rows in tables.items():
        yield (rows[0] if rows else "none") if name == "shape" else rows


def _node(line: str, index: int) -> tuple[list[Any], tuple[int, int]]:
    head = _HEAD.match(line)
    if head is None or int(head[1]) != index:
        raise ValueError
    constants, at = json.JSONDecoder().raw_decode(line, head.end()) if line[head.end()] == "[" else ([], head.end())
    tail = _TAIL.fullmatch(line, at)
    if tail is None:
        raise ValueError
    args = [int(arg.strip().removeprefix("%")) for arg in tail[1].split(",")] if tail[1] else []
    kind, phase, grid = _KINDS.index(tail[2]), _PHASES.index(tail[3]), int(tail[4] or 0)
    return [OPS[head[2]].id, kind, phase, grid, args, constants], (int(tail[5]), int(tail[6]))


def _named(table: str, row: Any) -> Any:
    """Write the kind of a parameter or a state as its name."""
    return [row[0], _KINDS[row[1]], *row[2:]] if table in {"param", "state"} else row


def _row(line: str) -> tuple[str, Any]:
    name, _, rest = line.partition(" ")
    value = json.loads(rest)
    if name in {"param", "state"}:
        value[1] = _KINDS.index(value[1])
    return name, value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
