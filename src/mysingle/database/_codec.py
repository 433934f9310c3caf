"""How values become bytes in Redis. Every value begins with a magic, the codec and its version; nothing is pickled."""

import base64
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar
from uuid import UUID

import msgpack  # type: ignore[import-untyped]  # no stubs
import orjson
from bson import ObjectId
from pydantic import BaseModel, TypeAdapter

from mysingle._kernel.errors import ErrorCode, MySingleError

__all__ = ["BytesCodec", "Codec", "CodecError", "JsonCodec", "MsgpackCodec", "ProtobufCodec"]

T = TypeVar("T")
M = TypeVar("M", bound="ProtobufMessage")

_TAG = "$type"
_TAG_BYTES = b'"$type"'
_EXT_CODE = 1


class CodecError(MySingleError):
    """A value that cannot be stored, or bytes that are foreign, of another version or damaged."""

    default_code = ErrorCode.DATA_LOSS


class Codec(Protocol[T]):
    """Turns values into bytes and back; raises `CodecError` and nothing else."""

    def encode(self, value: T) -> bytes:
        """Return the bytes to store."""

    def decode(self, data: bytes) -> T:
        """Return the value that was stored."""


class ProtobufMessage(Protocol):
    """What is needed of a generated message class."""

    def SerializeToString(self) -> bytes:  # noqa: N802  # protobuf's own name
        ...

    @classmethod
    def FromString(cls, data: bytes) -> Self:  # noqa: N802  # protobuf's own name
        ...


class _FramedCodec(ABC, Generic[T]):
    header: ClassVar[bytes]

    def encode(self, value: T) -> bytes:
        """
        Return header and body.

        Raises:
            CodecError: the value is not of a kind that this codec stores.
        """
        try:
            return self.header + self._dump(value)
        except Exception as error:  # each library has its own family of errors
            raise CodecError(f"{type(self).__name__} cannot store a {type(value).__name__}: {error}") from error

    def decode(self, data: bytes) -> T:
        """
        Return the value.

        Raises:
            CodecError: the bytes are not of this codec and version, or are damaged.
        """
        if not data.startswith(self.header):
            raise CodecError(f"These bytes are not a value of {type(self).__name__}")
        try:
            return self._load(data[len(self.header) :])
        except Exception as error:  # each library has its own family of errors
            raise CodecError(f"{type(self).__name__} cannot read these bytes: {type(error).__name__}") from error

    @abstractmethod
    def _dump(self, value: T) -> bytes: ...

    @abstractmethod
    def _load(self, body: bytes) -> T: ...


class BytesCodec(_FramedCodec[bytes]):
    """Stores bytes as they are."""

    header = b"MSB1"

    def _dump(self, value: bytes) -> bytes:
        return bytes(memoryview(value))

    def _load(self, body: bytes) -> bytes:
        return body


class JsonCodec(_FramedCodec[T]):
    """
    Stores JSON that keeps its types: times, Decimal, UUID, ObjectId, bytes, sets, tuples, NaN and large integers.

    Pydantic models and dataclasses come back as dicts, enum members as their values. With `model`, any type that
    pydantic can validate, such as a model, a dataclass or `list[Bar]`, values come back as that type.
    A zoned time comes back with its offset, so it is the same instant.
    """

    header = b"MSJ1"

    def __init__(self, model: type[T] | None = None) -> None:
        self._adapter: TypeAdapter[Any] | None = None if model is None else TypeAdapter(model)

    def _dump(self, value: T) -> bytes:
        if self._adapter is None:
            return _to_json(value)
        return _to_json(self._adapter.dump_python(value, by_alias=True, round_trip=True, warnings="error"))

    def _load(self, body: bytes) -> T:
        value: Any = orjson.loads(body)
        if _TAG_BYTES in body:
            value = _unpack(value)
        return value if self._adapter is None else self._adapter.validate_python(value)  # type: ignore[no-any-return]  # T is what the adapter was made for


class MsgpackCodec(_FramedCodec[T]):
    """Stores the same values as `JsonCodec` in fewer bytes; integers up to 64 bits."""

    header = b"MSM1"

    def _dump(self, value: T) -> bytes:
        packed: bytes = msgpack.packb(value, default=_to_extension, strict_types=True)
        return packed

    def _load(self, body: bytes) -> T:
        return msgpack.unpackb(body, ext_hook=_from_extension, strict_map_key=False)  # type: ignore[no-any-return]  # untyped library


class ProtobufCodec(_FramedCodec[M]):
    """Stores messages of one generated class."""

    header = b"MSP1"

    def __init__(self, message: type[M]) -> None:
        self._message = message

    def _dump(self, value: M) -> bytes:
        if not isinstance(value, self._message):
            raise TypeError(f"expected a {self._message.__name__}")
        return value.SerializeToString()

    def _load(self, body: bytes) -> M:
        return self._message.FromString(body)


def _to_json(value: object) -> bytes:
    try:
        body = orjson.dumps(_pack(value, _PLAIN))
    except orjson.JSONEncodeError:
        return orjson.dumps(_pack(value, _SAFE))
    # orjson writes NaN and infinity as null: only then it is worth looking at each number.
    return orjson.dumps(_pack(value, _SAFE)) if b"null" in body else body


_PLAIN: frozenset[type] = frozenset({str, int, float, bool, type(None)})
_SAFE: frozenset[type] = frozenset({str, bool, type(None)})


def _pack(value: object, plain: frozenset[type]) -> Any:
    """Return the value with everything that JSON does not know replaced by `{"$type": name, "v": text}`."""
    kind = type(value)
    if kind in plain:
        return value
    if kind is list:
        items: list[Any] = value  # type: ignore[assignment]  # narrowed by the line above
        return items if plain.issuperset(map(type, items)) else [_pack(item, plain) for item in items]
    if kind is dict:
        return _pack_dict(value, plain)  # type: ignore[arg-type]  # narrowed by the line above
    if kind is int or kind is float:
        return _pack_number(value)  # type: ignore[arg-type]  # narrowed by the line above
    name, inner = _tag(value)
    packed = _pack(inner, plain)
    return packed if name is None else {_TAG: name, "v": packed}


def _pack_dict(value: dict[Any, Any], plain: frozenset[type]) -> dict[str, Any]:
    if not {str}.issuperset(map(type, value)) or _TAG in value:
        pairs = [[_pack(key, plain), _pack(item, plain)] for key, item in value.items()]
        return {_TAG: "map", "v": pairs}
    if plain.issuperset(map(type, value.values())):
        return value
    return {key: _pack(item, plain) for key, item in value.items()}


def _pack_number(value: float) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else {_TAG: "float", "v": repr(value)}
    return value if -(2**63) <= value < 2**64 else {_TAG: "int", "v": str(value)}


def _tag(value: object) -> tuple[str | None, object]:
    """Return the name of a type and a simpler value; None as name when it comes back as that simpler value."""
    for kind, name, simplify in _TAGS:
        if isinstance(value, kind):
            return name, simplify(value)
    if is_dataclass(value) and not isinstance(value, type):
        return None, {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} is not a value for a cache")


def _delta(value: timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


# The order matters: an enum member may be a str, a datetime is a date.
_TAGS: tuple[tuple[type | tuple[type, ...], str | None, Callable[[Any], object]], ...] = (
    (Enum, None, lambda value: value.value),
    (datetime, "datetime", datetime.isoformat),
    (date, "date", date.isoformat),
    (time, "time", time.isoformat),
    (timedelta, "timedelta", _delta),
    (Decimal, "decimal", str),
    (UUID, "uuid", str),
    (ObjectId, "objectid", str),
    ((bytes, bytearray), "bytes", _b64),
    (tuple, "tuple", list),
    (frozenset, "frozenset", list),
    (AbstractSet, "set", list),
    (BaseModel, None, lambda value: value.model_dump(round_trip=True)),
    (Mapping, None, dict),
    (str, None, str.__str__),
    (bool, None, bool),
    (int, None, int.__int__),
    (float, None, float.__float__),
    (list, None, list),
)

_UNTAG: Mapping[str, Callable[[Any], object]] = {
    "map": dict,
    "float": float,
    "int": int,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda parts: timedelta(*parts),
    "decimal": Decimal,
    "uuid": UUID,
    "objectid": ObjectId,
    "bytes": lambda text: base64.b64decode(text, validate=True),
    "tuple": tuple,
    "frozenset": frozenset,
    "set": set,
}


def _unpack(value: Any) -> Any:
    if type(value) is list:
        return [_unpack(item) for item in value]
    if type(value) is not dict:
        return value
    name = value.get(_TAG)
    if name is None:
        return {key: _unpack(item) for key, item in value.items()}
    return _UNTAG[name](_unpack(value["v"]))


def _to_extension(value: object) -> object:
    name, inner = _tag(value)
    if name is None:
        return inner
    return msgpack.ExtType(_EXT_CODE, msgpack.packb([name, inner], default=_to_extension, strict_types=True))


def _from_extension(code: int, data: bytes) -> object:
    if code != _EXT_CODE:
        raise ValueError(f"unknown extension {code}")
    name, inner = msgpack.unpackb(data, ext_hook=_from_extension, strict_map_key=False)
    return _UNTAG[name](inner)
