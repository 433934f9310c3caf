"""
The container "MSLB": canonical msgpack with a MAC that binds it to one key of the store.

    b"MSLB" | u8 container | u8 flags | u8 major | u8 minor | u8 kid_len, kid | u8 mac_len, mac
    | u32 header_len, header | payload

Nothing is parsed before the MAC is right; after it everything is checked by type and range (`verify`), and the header
is computed again and compared.
"""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from itertools import accumulate
from math import isfinite
from typing import Any, Final, NamedTuple

import msgpack  # type: ignore[import-untyped]  # no stubs

from mysingle.dsl.errors import DSLContainerError
from mysingle.dsl.ir.causality import leads
from mysingle.dsl.ir.gas import cost_of
from mysingle.dsl.ir.kinds import Kind, Phase
from mysingle.dsl.ir.ops import BY_ID, OPS, Flag, ops_fingerprint
from mysingle.dsl.ir.program import (
    Alert,
    Grid,
    Guard,
    Named,
    Node,
    Order,
    Output,
    ParamSpec,
    Plot,
    Program,
    State,
)
from mysingle.dsl.ir.reader import Reader, const_of
from mysingle.dsl.ir.signing import Keyring, mac_input
from mysingle.dsl.ir.verify import verify
from mysingle.dsl.ir.warmup import warm_up
from mysingle.dsl.limits import LIMITS

__all__ = ["MAGIC", "StaleContainerError", "decode", "encode", "from_rows", "payload_of", "program_hash", "rows_of"]

MAGIC: Final = b"MSLB"
_CONTAINER: Final = 1
_KINDS: Final = tuple(Kind)
_PHASES: Final = tuple(Phase)
_KIND_COUNT: Final = len(_KINDS)
_PHASE_COUNT: Final = len(_PHASES)
_INTEGERS: Final = frozenset({int})
_NODE: Final = [int, int, int, int, list, list]
_NAMES: Final = {number: row.name for number, row in BY_ID.items() if Flag.COMPOSITE not in row.flags}
"""Number of an operation → its name; functions of the language are no operations."""
_GAS_BARS: Final = 1_000
_FAR: Final = 2**31
_NEVER: Final = 2**53
"""Bars after which a number of bars is as good as infinite: a decay of 1e-300 a bar, for example."""
_PROFILES: Final = frozenset({"standard", "mysingle-1"})
_MODES: Final = frozenset({"strict", "research"})
_LIMITS: Final = {
    "max_str_len": 4_096, "max_array_len": 20_000, "max_map_len": 2_000, "max_bin_len": 64, "max_ext_len": 0,
}  # fmt: skip


class StaleContainerError(DSLContainerError):
    """A container that a known key signed for this place and that another version of the package wrote."""


def encode(program: Program, keyring: Keyring, key: str = "") -> bytes:
    """Return the container of a program, signed for one key of the store; equal programs give equal bytes."""
    payload = payload_of(program)
    header = _header(program, payload)
    prefix = MAGIC + bytes((_CONTAINER, 0, *program.lang))
    kid = keyring.current
    data = mac_input(prefix, kid.encode(), key.encode(), header, payload)
    mac = keyring.sign(data, kid) if kid else b""
    return b"".join((
        prefix, bytes((len(kid.encode()),)), kid.encode(), bytes((len(mac),)), mac, len(header).to_bytes(4, "big"),
        header, payload,
    ))  # fmt: skip


def decode(data: bytes, keyring: Keyring, key: str = "", expect_source_sha256: str | None = None) -> Program:
    """
    Return the verified program of a container.

    Raises:
        DSLContainerError: anything else than a container of this version, signed for this key, that passes the
            verifier and, when given, was compiled from the expected source.
    """
    parts = _split(bytes(data), keyring, key)
    try:
        program = _program(parts)
        verify(program)
        expected = _header(program, parts.payload)
    except DSLContainerError:
        raise
    except Exception as error:  # a verifier with a hole must not become a crash on demand
        raise DSLContainerError("The container is malformed: compile again") from error
    if expected != parts.header:
        raise DSLContainerError("The container's header does not describe its program: compile again")
    if expect_source_sha256 is not None and program.source_sha256 != expect_source_sha256:
        raise DSLContainerError("The container belongs to another version of the source: compile again")
    return program


class _Parts(NamedTuple):
    lang: tuple[int, int]
    header: bytes
    payload: bytes


def _split(data: bytes, keyring: Keyring, key: str) -> _Parts:
    if len(data) > LIMITS.container_bytes:
        raise DSLContainerError(f"The container has {len(data)} bytes, the limit is {LIMITS.container_bytes}")
    if data[:4] != MAGIC or len(data) < 14:
        raise DSLContainerError("These bytes are no compiled strategy")
    if data[4] != _CONTAINER or data[5] != 0:
        raise DSLContainerError("The container is of another version: compile again")
    kid, rest = _counted(data[8:], 1)
    mac, rest = _counted(rest, 1)
    header, payload = _counted(rest, 4)
    try:
        name = kid.decode("ascii")
    except UnicodeDecodeError:
        raise DSLContainerError("The container is malformed: compile again") from None
    keyring.verify(mac_input(data[:8], kid, key.encode(), header, payload), name, mac)
    if tuple(data[6:8]) != (1, 0):
        raise DSLContainerError(f"The program needs language {data[6]}.{data[7]}, this is 1.0")
    return _Parts((data[6], data[7]), header, payload)


def _counted(data: bytes, width: int) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:width], "big")
    if len(data) < width + size:
        raise DSLContainerError("The container is cut off: compile again")
    return data[width : width + size], data[width + size :]


def program_hash(program: Program) -> str:
    """Return the hash of what is computed; source, mode and signature do not matter."""
    return sha256(payload_of(program)).hexdigest()


# writing


def payload_of(program: Program) -> bytes:
    """Return the canonical bytes of a program."""
    return _pack(rows_of(program))


def rows_of(program: Program) -> list[Any]:
    """Return a program as nested lists: nodes, places, then one list for each table."""
    return [
        [[OPS[node.op].id, _KINDS.index(node.kind), int(node.phase), node.grid, list(node.args), list(node.imm)]
         for node in program.nodes],
        _delta(program.locs),
        [[spec.name, _KINDS.index(spec.kind), *spec[2:7], list(spec.options), *spec[8:]] for spec in program.params],
        list(program.columns),
        [list(grid) for grid in program.grids[1:]],
        [[state.name, _KINDS.index(state.kind), state.init, state.update, state.title] for state in program.states],
        program.shape,
        [list(item) for item in program.outputs],
        [list(item) for item in program.guards],
        [list(item) for item in program.orders],
        [list(item) for item in program.plots],
        [list(item) for item in program.alerts],
        [list(item) for item in program.names],
    ]  # fmt: skip


def from_rows(rows: Sequence[Any], *, profile: str, mode: str, source_sha256: str) -> Program:
    """
    Return the verified program of nested lists, as `rows_of` gives them.

    Raises:
        DSLContainerError: the lists are no program.
    """
    header = {
        "mode": mode, "ops_fingerprint": ops_fingerprint(), "profile": profile, "source_sha256": source_sha256,
    }  # fmt: skip
    try:
        program = _program(_Parts((1, 0), _pack(header), _pack(rows)))
        verify(program)
    except DSLContainerError:
        raise
    except Exception as error:  # as for bytes: whatever the lists hold, they end in one error
        raise DSLContainerError("The program is malformed") from error
    return program


def _pack(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=True, strict_types=True)
    return packed


def _delta(locs: tuple[tuple[int, int], ...]) -> list[int]:
    found, line = [], 0
    for current, column in locs:
        found += [current - line, column]
        line = current
    return found


def _header(program: Program, payload: bytes) -> bytes:
    warm = warm_up(program)
    ops = {node.op for node in program.nodes}
    return _pack({
        "columns": list(program.columns),
        "features": sorted(name for name, there in (
            ("bar-region", bool(ops & {"state", "broker"})), ("mtf", len(program.grids) > 1),
            ("orders", bool(program.orders)),
        ) if there),
        "gas": cost_of(program, _GAS_BARS).gas,
        "lead": _finite(max(leads(program), default=0)),
        "mode": program.mode,
        "ops_fingerprint": ops_fingerprint(),
        "params": [spec.name for spec in program.params],
        "profile": program.profile,
        "program_hash": sha256(payload).hexdigest(),
        "source_sha256": program.source_sha256,
        "warmup": [_finite(warm.first_valid), _finite(warm.converged)],
    })  # fmt: skip


def _finite(value: float) -> int:
    return -1 if value >= _NEVER else int(value)


# reading


def _program(parts: _Parts) -> Program:
    header = Reader(_unpack(parts.header))
    if header.entry("ops_fingerprint").text() != ops_fingerprint():
        raise StaleContainerError("The container is of another version of the language: compile again")
    payload = Reader(_unpack(parts.payload))
    (nodes, locs, params, columns, grids, states, shape, outputs, guards, orders, plots, alerts, names) = payload.items(
        13
    )
    profile, mode = header.entry("profile").text(), header.entry("mode").text()
    if profile not in _PROFILES or mode not in _MODES:
        raise DSLContainerError("The container names an unknown profile or mode")
    return Program(
        nodes=tuple([_node(item) for item in nodes.values()]),
        locs=_locs(locs),
        params=tuple(_param(item) for item in params.items()),
        columns=tuple(item.text() for item in columns.items()),
        grids=(Grid(1, ""), *(_grid(item) for item in grids.items())),
        states=tuple(_state(item) for item in states.items()),
        shape=shape.text(),
        outputs=_records(outputs, Output, _shape("si")),
        guards=_records(guards, Guard, _shape("issii")),
        orders=_records(orders, Order, _shape("ssissiiiisii")),
        plots=_records(plots, Plot, _shape("siissssfiii")),
        alerts=_records(alerts, Alert, _shape("issii")),
        names=_records(names, Named, _shape("sii")),
        lang=parts.lang,
        profile=profile,
        mode=mode,
        source_sha256=header.entry("source_sha256").text(),
    )


def _unpack(data: bytes) -> Any:
    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=True, **_LIMITS)
    except Exception as error:  # msgpack raises half a dozen kinds for bytes that are none
        raise DSLContainerError("The container is malformed: compile again") from error


def _node(item: Any) -> Node:
    """Read a node; what it refers to is for the verifier. Most of a container is nodes, so this is the fast path."""
    if type(item) is not list or list(map(type, item)) != _NODE:
        raise DSLContainerError("The container is malformed: four numbers and two lists were expected")
    number, kind, phase, grid, args, imm = item
    if not _INTEGERS.issuperset(map(type, args)):
        raise DSLContainerError("The container is malformed: a number was expected")
    name = _NAMES.get(number)
    if name is None:
        raise DSLContainerError("The program uses an operation that this version does not have: compile again")
    if not (0 <= kind < _KIND_COUNT and 0 <= phase < _PHASE_COUNT):
        raise DSLContainerError("The program has a value of an unknown kind or phase")
    values = tuple([const_of(value) for value in imm]) if imm else ()
    return Node(name, _KINDS[kind], _PHASES[phase], grid, tuple(args), values)


def _kind(item: Reader) -> Kind:
    index = item.integer()
    if not 0 <= index < len(_KINDS):
        raise DSLContainerError("The program has a value of an unknown kind")
    return _KINDS[index]


def _locs(item: Reader) -> tuple[tuple[int, int], ...]:
    numbers = item.values()
    if len(numbers) % 2 or not set(map(type, numbers)) <= _INTEGERS:
        raise DSLContainerError("The container is malformed: a place needs line and column")
    lines, columns = list(accumulate(numbers[::2])), numbers[1::2]
    if numbers and not (0 <= min(lines) <= max(lines) < _FAR and 0 <= min(columns) <= max(columns) < _FAR):
        raise DSLContainerError("The container is malformed: a place that no source has")
    return tuple(zip(lines, columns, strict=True))


def _param(item: Reader) -> ParamSpec:
    parts = item.items(14)
    numbers = [part.const() for part in parts[4:7]]
    if any(isinstance(value, bool | str) for value in numbers):
        raise DSLContainerError("A parameter's range is no number")
    low, high, step = (value for value in numbers if not isinstance(value, str))
    title, description, group, widget = (part.text() for part in parts[10:])
    return ParamSpec(
        parts[0].text(), _kind(parts[1]), parts[2].flag(), parts[3].const(), low, high, step,
        tuple(value.const() for value in parts[7].items()), parts[8].flag(), parts[9].flag(), title, description,
        group, widget,
    )  # fmt: skip


def _grid(item: Reader) -> Grid:
    size, unit, developing = item.items(3)
    return Grid(size.integer(), unit.text(), developing.flag())


def _state(item: Reader) -> State:
    name, kind, init, update, title = item.items(5)
    return State(name.text(), _kind(kind), init.integer(), update.integer(), title.text())


@cache
def _shape(letters: str) -> list[type]:
    """Return the types of a record's fields: texts (s), integers (i) and floats (f)."""
    types: dict[str, type] = {"s": str, "i": int, "f": float}
    return [types[letter] for letter in letters]


def _records(items: Reader, record: Any, shape: list[type]) -> tuple[Any, ...]:
    """Read named tuples of short texts, 32-bit integers and finite floats."""
    found = []
    for item in items.values():
        if type(item) is not list or list(map(type, item)) != shape:
            raise DSLContainerError("The container is malformed: a record of other fields was expected")
        for value in item:
            if type(value) is int:
                is_right = -_FAR <= value <= _FAR
            else:
                is_right = len(value) <= LIMITS.string if type(value) is str else isfinite(value)
            if not is_right:
                raise DSLContainerError("The container is malformed: a value out of its range")
        found.append(record(*item))
    return tuple(found)
