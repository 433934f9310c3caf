"""Messages between the pool and its workers: a length, then msgpack; arrays travel as bytes with their type."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgpack  # type: ignore[import-untyped]  # it ships no types
import numpy as np

from mysingle.dsl.engine.result import AlertRow, OrderRow, PlotRow, Result

__all__ = ["ARENA_BYTES", "Reader", "Writer", "pack_result", "read_message", "unpack_result", "write_message"]

_HEAD: Final = 8
_LONGEST: Final = 1 << 30
ARENA_BYTES: Final = 1 << 31
"""The memory that a pool shares with one worker; only what is written takes room."""
_TYPES: Final = ("float64", "bool")


class Reader(Protocol):
    """Where bytes come from."""

    def read(self, size: int, /) -> bytes:
        """Give that many bytes, fewer at the end."""


class Writer(Protocol):
    """Where bytes go."""

    def write(self, data: Any, /) -> Any:
        """Take bytes."""

    def flush(self) -> None:
        """Send them."""


def write_message(pipe: Writer, message: Mapping[str, Any]) -> None:
    """Send one message."""
    data = msgpack.packb(message, default=_plain, use_bin_type=True)
    pipe.write(len(data).to_bytes(_HEAD, "big"))
    pipe.write(data)
    pipe.flush()


def read_message(pipe: Reader) -> dict[str, Any]:
    """
    Receive one message.

    Raises:
        EOFError: the other side is gone.
        ValueError: a message that is too long or malformed.
    """
    size = int.from_bytes(_exactly(pipe, _HEAD), "big")
    if size > _LONGEST:
        raise ValueError("message too long")
    found = msgpack.unpackb(_exactly(pipe, size), raw=False, strict_map_key=False, max_bin_len=size)
    if not isinstance(found, dict):
        raise ValueError("a message is a map")  # one kind of error for one kind of fault
    return found


def _exactly(pipe: Reader, size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = pipe.read(size)
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"type": str(value.dtype), "data": value.tobytes()}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(type(value).__name__)


def _array(value: Any) -> Any:
    if not isinstance(value, dict) or value.get("type") not in _TYPES:
        return value
    return np.frombuffer(value["data"], dtype=value["type"])


def pack_result(result: Result) -> dict[str, Any]:
    """Give a result over arrays as a message; its signals are among its arrays already."""
    return {
        "result": result.result,
        "orders": [list(row) for row in result.orders],
        "plots": [list(row) for row in result.plots],
        "alerts": [list(row) for row in result.alerts],
        "stats": dict(result.stats),
        "warnings": list(result.warnings),
        "lookahead": result.lookahead,
        "metadata": {key: list(value) if isinstance(value, tuple) else value for key, value in result.metadata.items()},
    }


def unpack_result(message: Mapping[str, Any]) -> Result:
    """Read a result from a message, all but its signals: arrays are read-only."""
    raw = message["result"]
    table = isinstance(raw, dict) and "type" not in raw
    return Result(
        result={name: _array(values) for name, values in raw.items()} if table else _array(raw),
        orders=tuple(OrderRow(*row) for row in message["orders"]),
        plots=tuple(PlotRow(row[0], _array(row[1]), *row[2:]) for row in message["plots"]),
        alerts=tuple(AlertRow(*row) for row in message["alerts"]),
        stats=message["stats"],
        warnings=tuple(message["warnings"]),
        lookahead=message["lookahead"],
        metadata=message["metadata"],
    )
